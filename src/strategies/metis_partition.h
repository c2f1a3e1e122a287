// METIS's k-way graph partition, behind an interface of our own types.
//
// Model:   parts of prescribed size in two weights per vertex (a slot, and load), few edges cut.
// Source:  Karypis, Kumar, "Multilevel k-way partitioning scheme for irregular graphs", J. Parallel
//          Distrib. Comput. 48, 1998; library METIS 5.1. Omits: exact sizes; see node_layout.h.
// Layer:   strategies.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace moesim::strategies {

/// Undirected: every edge is listed at both ends.
struct WeightedGraph {
  std::vector<std::int32_t> first;   ///< [vertices + 1] into `end`.
  std::vector<std::int32_t> end;     ///< The other end of each edge.
  std::vector<std::int32_t> weight;  ///< Of each edge, > 0.
  std::vector<std::int32_t> load;    ///< [vertices] >= 0
};

/// Part of each vertex, 0 .. size.size() - 1. `size`: each part's aim, of all vertices and of all
/// load alike; sums to 1. `tolerance`: that a part may weigh more than its aim. Deterministic for a
/// seed (calls are serialised: the library keeps its random state to itself).
[[nodiscard]] std::vector<std::int32_t> metis_partition(const WeightedGraph& graph,
                                                        std::span<const double> size,
                                                        double tolerance, std::uint64_t seed);

}  // namespace moesim::strategies
