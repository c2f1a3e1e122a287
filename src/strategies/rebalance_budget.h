// Which point of its front each layer gets, all layers together within a budget of moved slots.
//
// A knapsack with one choice per layer: minimise sum over layers of balance + price * moved,
// subject to sum of moved <= budget; solved exactly by dynamic programming over the layers. Above
// kMostUnits slots in all layers, moves are counted in units of several slots, rounded up.
// Layer: strategies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "strategies/rebalance_search.h"

namespace moesim::strategies {

inline constexpr std::int64_t kMostUnits = 50'000;

/// For each budget (in slots) the chosen point of every layer. `slots`: of all layers together.
/// More budget is never worth less. Precondition: each front's first point moves nothing.
[[nodiscard]] std::vector<std::vector<std::size_t>> choose_points(
    std::span<const LayerFront> layers, std::int64_t slots, double move_price,
    std::span<const std::int64_t> budgets);

}  // namespace moesim::strategies
