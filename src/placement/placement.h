// Which physical slot holds which expert, layer by layer, and which rank owns the slot.
//
// Slots are dense: rank r of the expert group owns slots [r * slots_per_rank, (r+1) *
// slots_per_rank) in every MoE layer. Replicas are slots with the same expert; never two on one
// rank. Layer: placement.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/ids.h"

namespace moesim::placement {

struct PlacementShape {
  std::int64_t moe_layers = 0;
  std::int64_t experts = 0;
  std::int64_t ranks = 0;           ///< Of the expert group (ep).
  std::int64_t slots_per_rank = 0;  ///< (experts + redundant experts) / ranks
  std::int64_t expert_groups = 1;   ///< Groups of group-limited routing (hierarchical balancing).
  std::vector<std::int32_t> domain_of_rank;    ///< Scale-up domain (node) of each rank.
  std::vector<std::int32_t> rack_of_domain{};  ///< Rack (leaf) of each domain; empty: one rack.
  [[nodiscard]] std::int64_t slots() const { return ranks * slots_per_rank; }
};

struct Placement {
  PlacementShape shape;
  std::vector<std::int32_t> expert_of_slot;  ///< [moe_layers * slots]
  std::string strategy;
};

/// What is wrong with a placement (missing expert, two copies on one rank, ...); empty if nothing.
[[nodiscard]] std::vector<std::string> verify(const Placement& placement);

}  // namespace moesim::placement
