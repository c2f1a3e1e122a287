// The slots of one layer while a rebalancing search changes them: loads of the ranks, how far they
// exceed a cap, how many slots have moved.
//
// load(r) = sum over the rank's slots of load(e) / replicas(e), the mean rank being 1, in each of
// one or more workloads. excess = sum over ranks and workloads of max(0, load - cap). A slot counts
// as moved if its expert did not lie on its rank at the start; order inside a rank is free. Every
// change is priced before it is made, in time linear in the replicas it touches; nothing allocates.
// Omits: tokens (see rebalance_copies.h). Layer: strategies.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace moesim::strategies {

/// The layer's figures that stay fixed.
struct LayerLoads {
  std::size_t experts = 0;
  std::size_t ranks = 0;
  std::size_t slots_per_rank = 0;
  std::size_t workloads = 1;
  std::vector<double> load;  ///< [experts * workloads + workload] each workload sums to `ranks`.
  /// [rank * experts + expert] copies per token of a replica there (rebalance_copies.h), or empty.
  std::vector<float> copies{};
  [[nodiscard]] std::size_t slots() const { return ranks * slots_per_rank; }
};

/// What a change would do.
struct Effect {
  double excess = 0.0;
  std::int32_t moved = 0;
  float copies = 0.0F;  ///< Per token, between nodes; 0 without prices.
};

class SlotState {
 public:
  /// `start`: expert of each slot. Preconditions: every expert has a slot, no rank an expert twice.
  SlotState(const LayerLoads& loads, std::span<const std::int32_t> start);

  void set_cap(double cap);
  /// Back to other slots of the same shape; what counts as moved stays relative to the start.
  void assign(std::span<const std::int32_t> slots);

  [[nodiscard]] double excess() const { return excess_; }
  [[nodiscard]] std::int32_t moved() const { return moved_; }
  [[nodiscard]] std::span<const std::int32_t> slots() const { return expert_; }
  [[nodiscard]] std::int32_t replicas(std::size_t expert) const { return replicas_[expert]; }
  /// Whether the slot's expert was on its rank at the start.
  [[nodiscard]] bool at_home(std::size_t slot) const {
    return (mark_[slot / room_ * experts_ + expert_at(slot)] & kHome) != 0;
  }
  [[nodiscard]] bool holds(std::size_t rank, std::size_t expert) const {
    return (mark_[rank * experts_ + expert] & kHere) != 0;
  }
  [[nodiscard]] std::size_t expert_at(std::size_t slot) const {
    return static_cast<std::size_t>(expert_[slot]);
  }
  /// Largest load of a rank in any workload, summed afresh.
  [[nodiscard]] double largest_load() const;
  /// The same as the changes left it.
  [[nodiscard]] double largest_now() const { return *std::max_element(load_.begin(), load_.end()); }
  [[nodiscard]] std::size_t hottest_rank() const {
    const auto most = std::max_element(load_.begin(), load_.end());
    return static_cast<std::size_t>(most - load_.begin()) / workloads_;
  }
  /// Rank's load above the cap, over all workloads.
  [[nodiscard]] double excess_of(std::size_t rank) const;
  [[nodiscard]] double load(std::size_t rank) const { return load_[rank * workloads_]; }
  /// A slot that holds the expert.
  [[nodiscard]] std::size_t slot_of(std::size_t expert) const {
    return static_cast<std::size_t>(first_[expert]);
  }

  /// Two slots change their experts. Allowed: other rank, other expert, no rank gets one twice.
  [[nodiscard]] bool may_swap(std::size_t a, std::size_t b) const;
  [[nodiscard]] Effect swap_effect(std::size_t a, std::size_t b) const;
  void swap(std::size_t a, std::size_t b, const Effect& effect);

  /// A slot gives up its expert, which has other replicas, for another replica of `expert`.
  [[nodiscard]] bool may_replace(std::size_t slot, std::size_t expert) const;
  [[nodiscard]] Effect replace_effect(std::size_t slot, std::size_t expert) const;
  void replace(std::size_t slot, std::size_t expert, const Effect& effect);

 private:
  static constexpr std::uint8_t kHere = 1;
  static constexpr std::uint8_t kHome = 2;
  [[nodiscard]] double above(double load) const { return load > cap_ ? load - cap_ : 0.0; }
  [[nodiscard]] double change(std::size_t at, double by) const {
    return above(load_[at] + by) - above(load_[at]);
  }
  [[nodiscard]] double share(std::size_t expert, std::size_t k, std::int32_t replicas) const {
    return loads_.load[expert * workloads_ + k] * inverse_[static_cast<std::size_t>(replicas)];
  }
  [[nodiscard]] std::int32_t away(std::size_t rank, std::size_t expert) const {
    return (mark_[rank * experts_ + expert] & kHome) != 0 ? 0 : 1;
  }
  /// Copies if `rank` holds `gained` for `lost`.
  [[nodiscard]] float copies(std::size_t rank, std::size_t gained, std::size_t lost) const {
    if (loads_.copies.empty()) return 0.0F;
    return loads_.copies[rank * experts_ + gained] - loads_.copies[rank * experts_ + lost];
  }
  void link(std::size_t slot);
  void unlink(std::size_t slot);
  void add_everywhere(std::size_t expert, std::int32_t from, std::int32_t to);
  void recompute();

  const LayerLoads& loads_;
  std::size_t experts_;
  std::size_t room_;
  std::size_t workloads_;
  double cap_ = 0.0;
  double excess_ = 0.0;
  std::int32_t moved_ = 0;
  std::vector<std::int32_t> expert_;    ///< [slot]
  std::vector<std::int32_t> replicas_;  ///< [expert]
  std::vector<std::int32_t> first_;     ///< [expert] head of the list of its slots, -1: none
  std::vector<std::int32_t> next_;      ///< [slot]
  std::vector<std::int32_t> previous_;  ///< [slot]
  std::vector<std::uint8_t> mark_;      ///< [rank * experts + expert]
  std::vector<double> load_;            ///< [rank * workloads + workload]
  std::vector<double> inverse_;         ///< [n] 1 / n
};

}  // namespace moesim::strategies
