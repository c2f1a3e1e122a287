#include "strategies/rebalance_search.h"

#include <algorithm>
#include <array>
#include <limits>

#include "core/math.h"

namespace moesim::strategies {
namespace {

constexpr std::size_t kTable = 4096;
constexpr std::int64_t kBatch = 256;
constexpr double kNothing = 1e-12;
constexpr double kRounding = 1e-9;  ///< Of loads that are kept by differences.
constexpr double kLastGap = 0.004;  ///< Of the last rung above the bound.

/// Exp(1) at the midpoints of equal parts of probability.
std::array<double, kTable> exponential_table() {
  std::array<double, kTable> table{};
  for (std::size_t i = 0; i < kTable; ++i) {
    table[i] = -math::log((static_cast<double>(i) + 0.5) / static_cast<double>(kTable));
  }
  return table;
}

class LayerSearch {
 public:
  LayerSearch(const LayerLoads& loads, std::span<const std::int32_t> start, const SearchPlan& plan,
              RandomStream& stream)
      : loads_(loads),
        plan_(plan),
        stream_(stream),
        state_(loads, start),
        table_(exponential_table()) {
    best_.slots.assign(start.begin(), start.end());
    home_of_rank_.assign(start.begin(), start.end());
  }

  LayerFront run() {
    LayerFront front;
    best_.balance = state_.largest_load();
    front.push_back(best_);
    const double top = best_.balance - plan_.bound;
    if (top <= kNothing) return front;
    front.push_back(best_single());
    const double ratio = math::pow(std::min(1.0, kLastGap / top), 1.0 / plan_.rungs);
    double gap = top;
    for (int rung = 0; rung < plan_.rungs; ++rung) {
      gap *= ratio;
      climb(plan_.bound + gap);
      front.push_back(best_);
    }
    keep_front(front);
    for (int rung = 0; rung < plan_.rungs_between; ++rung) {
      if (!climb_between(front)) break;
    }
    return front;
  }

 private:
  std::size_t below(std::size_t n, std::uint64_t bits) const {
    return static_cast<std::size_t>(((bits & 0xffffffff) * static_cast<std::uint64_t>(n)) >> 32);
  }

  /// The best replacement of one slot, by trying all that relieve the hottest rank.
  LayerPoint best_single() {
    const LayerPoint start = best_;
    const std::size_t hottest = state_.hottest_rank();
    LayerPoint single = start;
    for (std::size_t slot = 0; slot < loads_.slots(); ++slot) {
      const std::size_t old = state_.expert_at(slot);
      if (state_.replicas(old) < 2) continue;
      for (std::size_t e = 0; e < loads_.experts; ++e) {
        if (slot / loads_.slots_per_rank != hottest && !state_.holds(hottest, e)) continue;
        if (!state_.may_replace(slot, e)) continue;
        state_.replace(slot, e, state_.replace_effect(slot, e));
        if (state_.largest_now() < single.balance - kRounding) {
          record();
          single = best_;
        }
        state_.replace(slot, old, state_.replace_effect(slot, old));
      }
    }
    state_.assign(start.slots);
    return single;
  }

  /// One rung half way down the widest step of the front. False if every step has been tried.
  bool climb_between(LayerFront& front) {
    double widest = 0.0;
    std::size_t step = 0;
    for (std::size_t i = 0; i + 1 < front.size(); ++i) {
      const double width = static_cast<double>(front[i + 1].moved - front[i].moved) *
                           (front[i].balance - front[i + 1].balance);
      if (width > widest && !tried(front[i], front[i + 1])) {
        widest = width;
        step = i;
      }
    }
    if (widest == 0.0) return false;
    tried_.push_back(front[step].balance);
    tried_.push_back(front[step + 1].balance);
    state_.assign(front[step].slots);
    climb(0.5 * (front[step].balance + front[step + 1].balance));
    front.push_back(best_);
    keep_front(front);
    return true;
  }
  [[nodiscard]] bool tried(const LayerPoint& a, const LayerPoint& b) const {
    for (std::size_t i = 0; i < tried_.size(); i += 2) {
      if (tried_[i] == a.balance && tried_[i + 1] == b.balance) return true;
    }
    return false;
  }

  void climb(double cap) {
    state_.set_cap(cap);
    best_.moved = std::numeric_limits<std::int64_t>::max();
    const std::int64_t proposals = plan_.proposals / (plan_.rungs + plan_.rungs_between);
    const double decay = math::log(plan_.cold / plan_.hot);
    worth_ = 1.0 / plan_.excess_per_move;
    split_hot(cap);
    for (std::int64_t done = 0; done < proposals; done += kBatch) {
      temperature_ =
          plan_.hot * math::exp(decay * static_cast<double>(done) / static_cast<double>(proposals));
      for (std::int64_t n = 0; n < kBatch; ++n) propose();
      state_.set_cap(cap);
    }
    if (best_.moved == std::numeric_limits<std::int64_t>::max()) {
      record();
    } else {
      state_.assign(best_.slots);
    }
  }

  double largest_share(std::size_t expert) const {
    double most = 0.0;
    for (std::size_t k = 0; k < loads_.workloads; ++k) {
      most = std::max(most, loads_.load[expert * loads_.workloads + k]);
    }
    return most / static_cast<double>(state_.replicas(expert));
  }

  /// Experts that exceed the cap beside the smallest of others get replicas, from slots of
  /// replicated experts where that raises the energy least.
  void split_hot(double cap) {
    std::vector<double> shares;
    for (std::size_t e = 0; e < loads_.experts; ++e) shares.push_back(largest_share(e));
    const auto nth = shares.begin() + static_cast<std::ptrdiff_t>(shares.size() / 16);
    std::nth_element(shares.begin(), nth, shares.end());
    const double beside = *nth * static_cast<double>(loads_.slots_per_rank - 1);
    for (std::size_t n = 0; n < loads_.slots(); ++n) {
      std::size_t hot = 0;
      for (std::size_t e = 1; e < loads_.experts; ++e) {
        if (largest_share(e) > largest_share(hot)) hot = e;
      }
      if (largest_share(hot) + beside <= cap) return;
      std::size_t best = loads_.slots();
      double least = 0.0;
      for (std::size_t s = 0; s < loads_.slots(); ++s) {
        if (!state_.may_replace(s, hot)) continue;
        const std::size_t e = state_.expert_at(s);
        const double left = static_cast<double>(state_.replicas(e));
        if (largest_share(e) * left / (left - 1.0) >= largest_share(hot)) continue;
        const Effect effect = state_.replace_effect(s, hot);
        const double rise = rise_of(effect);
        if (best == loads_.slots() || rise < least) {
          best = s;
          least = rise;
        }
      }
      if (best == loads_.slots()) return;
      state_.replace(best, hot, state_.replace_effect(best, hot));
    }
  }

  void record() {
    const auto slots = state_.slots();
    std::copy(slots.begin(), slots.end(), best_.slots.begin());
    best_.moved = state_.moved();
    best_.balance = state_.largest_load();
  }

  [[nodiscard]] double rise_of(const Effect& effect) const {
    return static_cast<double>(effect.moved) + effect.excess * worth_ +
           static_cast<double>(effect.copies) * plan_.moves_per_copy;
  }

  bool accept(const Effect& effect) {
    const double rise = rise_of(effect);
    return rise <= 0.0 || rise < temperature_ * table_[stream_.next() >> 52];
  }

  void propose() {
    const std::uint64_t bits = stream_.next();
    const std::uint64_t more = stream_.next();
    const std::size_t room = loads_.slots_per_rank;
    std::size_t a = below(loads_.slots(), bits);
    const std::uint64_t kind = bits >> 59;
    if (kind < 16) {  // Towards the hot: look for a rank above the cap, a few tries.
      for (std::uint64_t t = 0; t < 4; ++t) {
        const std::size_t rank = below(loads_.ranks, more >> (8 * t));
        if (state_.excess_of(rank) > 0.0) {
          a = rank * room + a % room;
          break;
        }
      }
    }
    const std::uint64_t other = stream_.next();
    if ((kind & 3) == 0) {  // Home again.
      const std::size_t rank = a / room;
      const std::size_t e =
          static_cast<std::size_t>(home_of_rank_[rank * room + below(room, other)]);
      if (state_.holds(rank, e)) return;
      std::size_t from = rank * room + below(room, more);
      for (std::size_t i = 0; i < room && state_.at_home(from); ++i) {
        from = from + 1 == (rank + 1) * room ? rank * room : from + 1;
      }
      if (state_.at_home(from)) return;
      if ((other >> 63) != 0) {
        try_replace(from, e);
      } else {
        try_swap(from, state_.slot_of(e));
      }
      return;
    }
    if ((kind & 3) == 1) {
      try_replace(a, below(loads_.experts, other));
    } else {
      try_swap(a, below(loads_.slots(), other));
    }
  }

  void try_swap(std::size_t a, std::size_t b) {
    if (!state_.may_swap(a, b)) return;
    const Effect effect = state_.swap_effect(a, b);
    if (!accept(effect)) return;
    state_.swap(a, b, effect);
    check_best();
  }
  void try_replace(std::size_t slot, std::size_t expert) {
    if (!state_.may_replace(slot, expert)) return;
    const Effect effect = state_.replace_effect(slot, expert);
    if (!accept(effect)) return;
    state_.replace(slot, expert, effect);
    check_best();
  }
  /// Keeps states without excess that move fewer slots, or as many and balance better.
  void check_best() {
    if (state_.moved() > best_.moved || state_.excess() > kRounding) return;
    if (state_.moved() < best_.moved || state_.largest_now() < best_.balance - kRounding) record();
  }

  const LayerLoads& loads_;
  const SearchPlan& plan_;
  RandomStream& stream_;
  SlotState state_;
  std::array<double, kTable> table_;
  std::vector<std::int32_t> home_of_rank_;
  LayerPoint best_;
  std::vector<double> tried_;  ///< Balances at both ends of the steps tried.
  double worth_ = 0.0;
  double temperature_ = 0.0;
};

}  // namespace

void keep_front(LayerFront& points) {
  std::stable_sort(points.begin(), points.end(), [](const LayerPoint& a, const LayerPoint& b) {
    return a.moved != b.moved ? a.moved < b.moved : a.balance < b.balance;
  });
  LayerFront front;
  for (LayerPoint& point : points) {
    if (front.empty() || point.balance < front.back().balance) front.push_back(std::move(point));
  }
  points = std::move(front);
}

LayerFront search_layer(const LayerLoads& loads, std::span<const std::int32_t> start,
                        const SearchPlan& plan, RandomStream& stream) {
  return LayerSearch(loads, start, plan, stream).run();
}

}  // namespace moesim::strategies
