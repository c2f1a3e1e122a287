// GPUs, nodes and racks as the search numbers them: nodes one after the other, whole GPUs each.
//
// Layer: strategies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "placement/placement.h"

namespace moesim::strategies {

/// Adjacent positions of slots.
struct NodeGrid {
  std::size_t slots_per_gpu = 1;
  std::vector<std::size_t> gpus;   ///< [nodes]
  std::vector<std::size_t> first;  ///< [nodes + 1] first position of each node.
  [[nodiscard]] std::size_t nodes() const { return gpus.size(); }
};

struct Cluster {
  explicit Cluster(const placement::PlacementShape& shape);

  std::vector<std::size_t> rank_at;  ///< [position / slots_per_gpu] rank of the placement.
  NodeGrid grid;
  std::vector<std::size_t> rack_of_node;  ///< Dense from 0.
  std::size_t racks = 1;

  /// From slots in order of ranks to slots by position, and back.
  [[nodiscard]] std::vector<std::int32_t> by_position(std::span<const std::int32_t> slots) const;
  [[nodiscard]] std::vector<std::int32_t> by_rank(std::span<const std::int32_t> slots) const;
};

}  // namespace moesim::strategies
