// The same placement with its ranks renamed so that fewest slots move.
//
// Ranks of one node are alike, and so are nodes of one rack with equally many ranks: exchanging
// their slots changes neither balance nor the copies expected between nodes. Per layer: for every
// pair of an old and a new node the least-cost assignment of new ranks to old ones, then the
// least-cost assignment of nodes (assignment.h); cost = slots to move. Exact for this freedom.
// Omits: renaming of racks. docs/models/rebalancing.md. Layer: strategies.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "placement/placement.h"

namespace moesim::strategies {

/// What may be exchanged.
enum class Exchangeable {
  RanksAndNodes,  ///< Ranks within their node, nodes within their rack.
  AllRanks,       ///< Any: where only balance counts.
};

/// `to` with its ranks renamed, layer by layer; an expert that stays on its rank keeps its slot.
/// Preconditions: both verify, same shape.
[[nodiscard]] placement::Placement relabel(const placement::Placement& from,
                                           const placement::Placement& to,
                                           Exchangeable what = Exchangeable::RanksAndNodes);

/// The same for one layer: expert of each slot.
[[nodiscard]] std::vector<std::int32_t> relabel_layer(const placement::PlacementShape& shape,
                                                      std::span<const std::int32_t> from,
                                                      std::span<const std::int32_t> to,
                                                      Exchangeable what);

/// Orders the slots of `to` inside each rank: what lay there before keeps its slot.
void keep_slots(std::span<const std::int32_t> from, std::span<std::int32_t> to,
                std::int64_t slots_per_rank);

}  // namespace moesim::strategies
