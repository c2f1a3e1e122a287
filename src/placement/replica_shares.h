// Which replica serves which token: the split over replicas that loads the busiest rank least.
//
// Model:   least T such that a flow source -> expert (its load) -> ranks that hold it -> sink (T
//          per rank) carries all load. Maximum flow (push-relabel, Boost.Graph); where T is too
//          small the minimum cut names experts whose load has too few ranks, and their mean over
//          those ranks is the next T (discrete Newton): exact after a few flows.
// Source:  parametric flow: Megiddo, "Optimal flows in networks with multiple sources and sinks",
//          Math. Prog. 7, 1974; push-relabel: Goldberg, Tarjan, J. ACM 35(4), 1988.
// Omits:   the network: a split for the ranks' load may send more copies than one by locality.
// Layer:   placement.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "placement/placement.h"

namespace moesim::placement {

/// Why no split does better: all replicas of these experts lie on these ranks.
struct Bottleneck {
  std::vector<std::int32_t> experts;  ///< Ascending.
  std::vector<std::int32_t> ranks;    ///< Ascending; their mean load is the optimum.
};

struct ReplicaSplit {
  double largest = 0.0;         ///< Load of the busiest rank, in the unit of `load`.
  std::vector<double> share{};  ///< [slots] part of its expert's load; sums to 1 for each expert.
  Bottleneck bottleneck{};
};

/// The best split of one layer's load. `load`: [experts] >= 0, not all 0; loads are rounded to
/// 2^-40 of their sum in the flow. Precondition: every expert has a slot, none twice on a rank.
[[nodiscard]] ReplicaSplit optimal_split(std::span<const std::int32_t> expert_of_slot,
                                         std::span<const double> load, std::int64_t slots_per_rank);

/// Which slot serves the tokens of each source rank, if each expert's load comes evenly from all
/// ranks: [ranks * experts]. The source's own slot if it has the expert, else one on its node, else
/// any; within that freedom the largest rank load is least (up to whole source ranks: a source has
/// one slot per expert). For engines that read a table instead of choosing by token.
[[nodiscard]] std::vector<std::int32_t> replica_of_source(
    const PlacementShape& shape, std::span<const std::int32_t> expert_of_slot,
    std::span<const double> load);

}  // namespace moesim::placement
