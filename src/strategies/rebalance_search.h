// Search for the placements of one layer that balance best for the slots they move.
//
// A ladder of caps on the largest load, from the load as it lies down to the lower bound. On each
// rung simulated annealing of
//   energy = slots moved + excess over the cap / (excess worth a move)
//            + copies between nodes * (moves a copy is worth),   where tokens are known,
// by two kinds of changes: two slots change their experts; a slot of a replicated expert is given
// to another expert, whose load then splits anew. Half of the changes start at a rank above the cap
// (or, when there is none, at a slot that has moved), the rest anywhere; some bring an expert home.
// A change is accepted if the energy rises by less than temperature * Exp(1). Every state without
// excess that moves fewer slots than any before on its rung is kept: the Pareto front of largest
// load against slots moved. Work is counted, so the result is the same on any machine.
// docs/models/rebalancing.md. Layer: strategies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "strategies/rebalance_state.h"

namespace moesim::strategies {

/// One placement of a layer that no other found beats in both.
struct LayerPoint {
  std::int64_t moved = 0;
  double balance = 0.0;  ///< Largest load over the mean.
  std::vector<std::int32_t> slots;
};

/// Fewest moves first, balance falling strictly.
using LayerFront = std::vector<LayerPoint>;

/// Drops what others beat, and sorts.
void keep_front(LayerFront& points);

struct SearchPlan {
  std::int64_t proposals = 0;  ///< Over all rungs.
  double bound = 1.0;          ///< No placement can balance better.
  int rungs = 12;
  int rungs_between = 6;           ///< Half way down the front's widest steps.
  double excess_per_move = 0.005;  ///< Excess that is as bad as a moved slot.
  double hot = 0.35;               ///< Temperatures in moves.
  double cold = 0.1;
  double moves_per_copy = 50.0;  ///< One more copy per token is as bad as so many moved slots.
};

/// The first point is the start itself.
[[nodiscard]] LayerFront search_layer(const LayerLoads& loads, std::span<const std::int32_t> start,
                                      const SearchPlan& plan, RandomStream& stream);

}  // namespace moesim::strategies
