// Least-cost assignment of rows to columns (the Hungarian method with potentials).
//
// Shortest augmenting paths, one row at a time, after a greedy start on tight columns: Kuhn 1955;
// Jonker, Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment
// problems", Computing 38, 1987. O(n^3), far less where many costs are alike.
// Layer: strategies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace moesim::strategies {

/// Column of each row, every column once; `cost`: [row * n + column], of magnitude below 2^30 / n.
[[nodiscard]] std::vector<std::size_t> least_cost_assignment(std::span<const std::int32_t> cost,
                                                             std::size_t n);

}  // namespace moesim::strategies
