// What a replica on a node costs in copies between nodes, seen from the placement that lies there.
//
// price(e, n) = u(n) / c_e * mean over tokens of [token has e] * prod over its other experts f of
// (1 - p_f(n)), with p_f(n) the part of f's replicas on n, c_e the replicas of e, u(n) the part of
// the ranks outside n: the copies to n that only this replica causes, replicas chosen at random.
// Taken once at the start: a tie-break of a search that moves few slots, no objective.
// Omits: how prices change with what has moved; locality-first choice. Layer: strategies.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "placement/problem.h"

namespace moesim::strategies {

/// [rank * experts + expert] copies per token, in the mean over the workloads that carry tokens of
/// the layer; empty if none does or if there is only one node. `slots`: of the layer.
[[nodiscard]] std::vector<float> copy_prices(const placement::Problem& problem, std::int64_t layer,
                                             std::span<const std::int32_t> slots);

}  // namespace moesim::strategies
