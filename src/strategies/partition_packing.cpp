#include "strategies/partition_packing.h"

#include <algorithm>

#include "core/check.h"

namespace moesim::strategies {
namespace {

constexpr std::size_t kMostLooks = 20'000'000;  ///< Pairs of slots, in one packing.

}  // namespace

double Packer::level(std::size_t gpu) const {
  double most = 0.0;
  for (std::size_t k = 0; k < workloads_; ++k) most = std::max(most, load_[gpu * workloads_ + k]);
  return most;
}

bool Packer::holds(std::size_t gpu, std::int32_t expert) const {
  for (std::size_t i = gpu * room_; i < gpu * room_ + used_[gpu]; ++i) {
    if (expert_[slots_[i]] == expert) return true;
  }
  return false;
}

void Packer::put(std::size_t slot, std::size_t gpu) {
  gpu_[slot] = gpu;
  slots_[gpu * room_ + used_[gpu]++] = slot;
  for (std::size_t k = 0; k < workloads_; ++k) load_[gpu * workloads_ + k] += share_of(slot)[k];
}

/// Heaviest first, by the largest share of any workload; ties in the order given. By insertion:
/// there are few slots.
void Packer::sort_slots() {
  const std::size_t n = expert_.size();
  order_.resize(n);
  key_.resize(n);
  for (std::size_t s = 0; s < n; ++s) {
    double key = share_of(s)[0];
    for (std::size_t k = 1; k < workloads_; ++k) key = std::max(key, share_of(s)[k]);
    key_[s] = key;
    order_[s] = s;
  }
  std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
    return key_[a] != key_[b] ? key_[a] > key_[b] : a < b;
  });
}

bool Packer::pack(std::span<const std::int32_t> expert, std::span<const double> share,
                  double full) {
  expert_ = expert;
  share_ = share;
  const std::size_t gpus = expert.size() / room_;
  gpu_.resize(expert.size());
  slots_.resize(expert.size());
  used_.assign(gpus, 0);
  load_.assign(gpus * workloads_, 0.0);
  sort_slots();
  if (room_ == 2 && workloads_ == 1) {
    pair_ends();
  } else {
    fill();
    // Where there are many GPUs an exchange is a long search: fewer of them.
    const std::size_t most = std::min(4 * expert.size(), kMostLooks / (gpus * room_ * room_));
    for (std::size_t done = 0; room_ > 1 && done < most && exchange(full);) ++done;
  }
  fullest_ = 0.0;
  for (std::size_t g = 0; g < gpus; ++g) fullest_ = std::max(fullest_, level(g));
  return fullest_ <= full * (1.0 + 1e-12);
}

void Packer::pair_ends() {
  const std::size_t n = order_.size();
  const std::size_t pairs = n / 2;
  const auto alike = [&](std::size_t i, std::size_t j) {
    return expert_[order_[i]] == expert_[order_[n - 1 - j]];
  };
  // An expert beside itself stands in the middle of the order: the nearest pair changes ends.
  for (std::size_t i = pairs; i-- > 0;) {
    if (!alike(i, i)) continue;
    std::size_t other = pairs;
    for (std::size_t d = 1; d < pairs && other == pairs; ++d) {
      if (i >= d && !alike(i, i - d) && !alike(i - d, i)) {
        other = i - d;
      } else if (i + d < pairs && !alike(i, i + d) && !alike(i + d, i)) {
        other = i + d;
      }
    }
    MOESIM_CHECK(other < pairs, "a node holds an expert too often");
    std::swap(order_[n - 1 - i], order_[n - 1 - other]);
  }
  for (std::size_t i = 0; i < pairs; ++i) {
    put(order_[i], i);
    put(order_[n - 1 - i], i);
  }
}

void Packer::fill() {
  const std::size_t gpus = used_.size();
  for (const std::size_t slot : order_) {
    std::size_t lightest = gpus;
    double least = 0.0;
    for (std::size_t g = 0; g < gpus; ++g) {
      if (used_[g] == room_) continue;
      double after = 0.0;
      for (std::size_t k = 0; k < workloads_; ++k) {
        after = std::max(after, load_[g * workloads_ + k] + share_of(slot)[k]);
      }
      if (lightest != gpus && after >= least) continue;
      if (holds(g, expert_[slot])) continue;
      lightest = g;
      least = after;
    }
    if (lightest == gpus) {  // Only GPUs that hold the expert have room: exchange with another.
      for (std::size_t g = 0; g < gpus && lightest == gpus; ++g) {
        if (used_[g] < room_) lightest = g;
      }
      for (std::size_t g = 0; g < gpus; ++g) {
        if (holds(g, expert_[slot])) continue;
        std::size_t i = 0;
        while (i < used_[g] && holds(lightest, expert_[slots_[g * room_ + i]])) ++i;
        if (i == used_[g]) continue;
        const std::size_t other = slots_[g * room_ + i];
        slots_[g * room_ + i] = slots_[g * room_ + --used_[g]];
        for (std::size_t k = 0; k < workloads_; ++k) {
          load_[g * workloads_ + k] -= share_of(other)[k];
        }
        put(other, lightest);
        lightest = g;
        break;
      }
      MOESIM_CHECK(!holds(lightest, expert_[slot]), "a node holds an expert too often");
    }
    put(slot, lightest);
  }
}

/// One exchange that lowers the fullest GPU; false if it is within `full` or none does.
bool Packer::exchange(double full) {
  const std::size_t gpus = used_.size();
  std::size_t hot = 0;
  double top = 0.0;
  for (std::size_t g = 0; g < gpus; ++g) {
    if (level(g) > top) {
      top = level(g);
      hot = g;
    }
  }
  if (top <= full * (1.0 + 1e-12)) return false;
  double best = top;
  std::size_t best_i = 0;
  std::size_t best_j = 0;
  for (std::size_t g = 0; g < gpus; ++g) {
    if (g == hot) continue;
    for (std::size_t i = hot * room_; i < (hot + 1) * room_; ++i) {
      for (std::size_t j = g * room_; j < (g + 1) * room_; ++j) {
        double after = 0.0;
        for (std::size_t k = 0; k < workloads_; ++k) {
          const double d = share_of(slots_[i])[k] - share_of(slots_[j])[k];
          after = std::max({after, load_[hot * workloads_ + k] - d, load_[g * workloads_ + k] + d});
        }
        if (after >= best) continue;
        if (holds(hot, expert_[slots_[j]]) || holds(g, expert_[slots_[i]])) continue;
        best = after;
        best_i = i;
        best_j = j;
      }
    }
  }
  if (best >= top * (1.0 - 1e-12)) return false;
  const std::size_t other = best_j / room_;
  for (std::size_t k = 0; k < workloads_; ++k) {
    const double d = share_of(slots_[best_i])[k] - share_of(slots_[best_j])[k];
    load_[hot * workloads_ + k] -= d;
    load_[other * workloads_ + k] += d;
  }
  std::swap(slots_[best_i], slots_[best_j]);
  gpu_[slots_[best_i]] = hot;
  gpu_[slots_[best_j]] = other;
  return true;
}

}  // namespace moesim::strategies
