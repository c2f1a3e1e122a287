#include "strategies/partition_settle.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace moesim::strategies {
namespace {

struct Gpu {
  double load = 0.0;
  DriftRisk::Sums effective{};
  double risk = 0.0;
};

class Node {
 public:
  Node(std::span<std::int32_t> slots, std::span<const double> share, std::size_t room,
       const DriftRisk& drift, double full)
      : slots_(slots),
        share_(share),
        room_(room),
        drift_(drift),
        full_(full),
        gpus_(slots.size() / room) {
    for (std::size_t g = 0; g < gpus_.size(); ++g) measure(g);
  }

  /// The best exchange of the riskiest GPU that has one, riskiest first.
  bool improve() {
    std::vector<std::size_t> order(gpus_.size());
    for (std::size_t g = 0; g < order.size(); ++g) order[g] = g;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return gpus_[a].risk != gpus_[b].risk ? gpus_[a].risk > gpus_[b].risk : a < b;
    });
    return std::any_of(order.begin(), order.end(), [&](std::size_t g) { return relieve(g); });
  }

 private:
  [[nodiscard]] double share_of(std::size_t slot) const {
    return share_[static_cast<std::size_t>(slots_[slot])];
  }
  [[nodiscard]] double risk(const DriftRisk::Sums& effective) const {
    const DriftRisk::Sums sums = drift_.of_gpu(effective);
    double sum = 0.0;
    for (std::size_t i = 0; i < sums.size(); ++i) sum += sums[i] / drift_.limit()[i];
    return sum;
  }
  [[nodiscard]] const DriftRisk::Sums& effective_of(std::size_t slot) const {
    return drift_.effective(static_cast<std::size_t>(slots_[slot]));
  }
  void measure(std::size_t g) {
    gpus_[g] = {};
    for (std::size_t s = g * room_; s < (g + 1) * room_; ++s) {
      gpus_[g].load += share_of(s);
      for (std::size_t i = 0; i < DriftRisk::kLevels; ++i) {
        gpus_[g].effective[i] += effective_of(s)[i];
      }
    }
    gpus_[g].risk = risk(gpus_[g].effective);
  }
  [[nodiscard]] bool holds(std::size_t g, std::int32_t expert) const {
    const auto first = slots_.begin() + static_cast<std::ptrdiff_t>(g * room_);
    const auto last = first + static_cast<std::ptrdiff_t>(room_);
    return std::find(first, last, expert) != last;
  }

  bool relieve(std::size_t hot) {
    double best = -1e-9;
    std::pair<std::size_t, std::size_t> exchange;
    for (std::size_t g = 0; g < gpus_.size(); ++g) {
      if (g == hot) continue;
      for (std::size_t i = hot * room_; i < (hot + 1) * room_; ++i) {
        for (std::size_t j = g * room_; j < (g + 1) * room_; ++j) {
          const double gain = change(hot, i, g, j);
          if (gain >= best || holds(hot, slots_[j]) || holds(g, slots_[i])) continue;
          best = gain;
          exchange = {i, j};
        }
      }
    }
    if (best >= -1e-9) return false;
    std::swap(slots_[exchange.first], slots_[exchange.second]);
    measure(hot);
    measure(exchange.second / room_);
    return true;
  }

  /// Of the risk, if slot i of GPU g and slot j of GPU h change places; 0 if one is then too full.
  [[nodiscard]] double change(std::size_t g, std::size_t i, std::size_t h, std::size_t j) const {
    const double d = share_of(j) - share_of(i);
    if (gpus_[g].load + d > std::max(full_, gpus_[g].load) ||
        gpus_[h].load - d > std::max(full_, gpus_[h].load)) {
      return 0.0;
    }
    DriftRisk::Sums here = gpus_[g].effective;
    DriftRisk::Sums there = gpus_[h].effective;
    for (std::size_t level = 0; level < DriftRisk::kLevels; ++level) {
      const double more = effective_of(j)[level] - effective_of(i)[level];
      here[level] += more;
      there[level] -= more;
    }
    return risk(here) + risk(there) - gpus_[g].risk - gpus_[h].risk;
  }

  std::span<std::int32_t> slots_;
  std::span<const double> share_;
  std::size_t room_;
  const DriftRisk& drift_;
  double full_;
  std::vector<Gpu> gpus_;
};

}  // namespace

std::int64_t settle(std::span<std::int32_t> slots, std::span<const double> share,
                    std::size_t slots_per_gpu, const DriftRisk& drift, double full,
                    std::int64_t steps) {
  Node node(slots, share, slots_per_gpu, drift, full);
  std::int64_t done = 0;
  while (done < steps && node.improve()) ++done;
  return done;
}

}  // namespace moesim::strategies
