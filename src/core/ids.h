// Distinct integer types for the things that are numbered, so that a rank is never taken for a GPU.
//
// Layer: core.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace moesim {

/// A number of one kind of thing; converts to an array index, not to another kind.
template <class Tag>
class Id {
 public:
  constexpr Id() = default;
  constexpr explicit Id(std::int64_t value) : value_(static_cast<std::int32_t>(value)) {}
  [[nodiscard]] constexpr std::int32_t value() const { return value_; }
  [[nodiscard]] constexpr std::size_t index() const { return static_cast<std::size_t>(value_); }
  friend constexpr auto operator<=>(Id, Id) = default;

 private:
  std::int32_t value_ = 0;
};

using GpuId = Id<struct GpuTag>;    ///< GPU of the cluster, node-major: node * gpus_per_node + i.
using NodeId = Id<struct NodeTag>;  ///< Host of the cluster.
using LinkId = Id<struct LinkTag>;  ///< Directed link of the topology.
using RankId = Id<struct RankTag>;  ///< Rank of one deployment instance.
using ExpertId = Id<struct ExpertTag>;  ///< Logical expert of one MoE layer.
using SlotId = Id<struct SlotTag>;      ///< Physical expert slot of one MoE layer.

}  // namespace moesim
