// Expert loads behind the measured rows: what the most loaded rank of such a draw had to do.
//
// Model:   power law: one weight per expert, density proportional to x^-a on [1, 0.8 T] (on
//          [0.01, 2] when T k <= E), by inversion; scaled to T k, rounded, none above T; the rest
//          is dealt to the least, or taken from the most loaded, one each. Balanced: token t takes
//          experts t + j s mod E, s = ceil(E/k); fewer than s tokens start at t s / T instead.
//          Experts lie on ranks in index order. Rebalanced: each spare slot goes to the expert with
//          most load per replica, replicas go, heaviest first, to the lightest rank with room; they
//          take equal shares of the tokens, rounded up, and two on one rank act as one. (The
//          product's placement::eplb_layer, but for the order of equal loads.) The rank with the
//          largest sum counts. Distinct tokens: experts in falling order of load are laid end to
//          end, token = place mod T, so an expert never meets a token twice.
// Source:  the description of the measured data and its own columns; docs/models/expert_ranks.md.
// Omits:   what rounding up adds is not taken from other replicas.
// Layer:   calibration.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "core/random.h"

namespace moesim::calibration {

/// No layer has more experts.
inline constexpr std::int64_t kMostDrawnExperts = std::int64_t{1} << 16;

/// Which of equally loaded experts get the rest: neighbours in index (all on the last rank), or
/// spread evenly over all ranks. Matters when there are fewer pairs than experts.
enum class RestOrder { Spread, ByIndex };

/// What a row of the measured tables says about its load.
struct LoadDrawSpec {
  std::int64_t tokens = 1;   ///< T, of the whole group of ranks.
  std::int64_t experts = 1;  ///< E
  std::int64_t topk = 1;     ///< k
  std::int64_t ranks = 1;    ///< Divides the experts and the slots.
  std::int64_t slots = 0;    ///< Expert slots with replicas; 0: as many as experts.
  double exponent = 0;       ///< a; 0: balanced.
  bool rebalanced = false;   ///< Replicas and placement by load.
  RestOrder rest = RestOrder::Spread;
};

/// The most loaded rank of one draw.
struct HotRank {
  std::vector<std::int32_t> tokens;  ///< On each of its slots, most loaded first.
  std::int32_t pairs = 0;            ///< Their sum.
  std::int32_t distinct = 0;         ///< Tokens it receives at least one copy of.
};

/// Tokens of each expert; they sum to T k and none exceeds T. Preconditions: k <= E <=
/// kMostDrawnExperts, T k < 2^31, exponent above 0.
[[nodiscard]] std::vector<std::int32_t> power_law_load(const LoadDrawSpec& spec,
                                                       RandomStream& stream);
[[nodiscard]] std::vector<std::int32_t> balanced_load(const LoadDrawSpec& spec);
/// The rank that has most to do under the loads of the experts.
[[nodiscard]] HotRank hot_rank(std::span<const std::int32_t> load, const LoadDrawSpec& spec);

/// Draws of many rows, each made once. Rows that differ only in ranks, slots or rebalancing share
/// their random numbers, so ratios between them are less noisy than either.
class ExpertLoadDraws {
 public:
  explicit ExpertLoadDraws(std::int64_t draws) : draws_(draws) {}
  /// `draws` draws (one if balanced). The reference stays valid; not for concurrent calls.
  [[nodiscard]] const std::vector<HotRank>& of(const LoadDrawSpec& spec);

 private:
  struct Order {
    bool operator()(const LoadDrawSpec& a, const LoadDrawSpec& b) const;
  };
  /// Loads of all experts for one spec without its ranks, slots and rebalancing.
  const std::vector<std::vector<std::int32_t>>& loads_of(LoadDrawSpec spec);

  std::int64_t draws_;
  std::map<LoadDrawSpec, std::vector<std::vector<std::int32_t>>, Order> loads_;
  std::map<LoadDrawSpec, std::vector<HotRank>, Order> ranks_;
};

}  // namespace moesim::calibration
