// Which physical slot holds which expert, layer by layer, and which rank owns the slot.
//
// Slots are dense: rank r of the expert group owns slots [r * slots_per_rank, (r+1) *
// slots_per_rank) in every MoE layer. Replicas are slots with the same expert; never two on one
// rank. Layer: placement.
#pragma once

#include <cstdint>
#include <memory>
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
  std::vector<std::int32_t> domain_of_rank;  ///< Scale-up domain (node) of each rank.
  [[nodiscard]] std::int64_t slots() const { return ranks * slots_per_rank; }
};

struct Placement {
  PlacementShape shape;
  std::vector<std::int32_t> expert_of_slot;  ///< [moe_layers * slots]
  std::string strategy;
};

/// What is wrong with a placement (missing expert, two copies on one rank, ...); empty if nothing.
[[nodiscard]] std::vector<std::string> verify(const Placement& placement);

/// A strategy makes a placement from the expected load. `load`: [moe_layers * experts], relative.
class PlacementStrategy {
 public:
  virtual ~PlacementStrategy() = default;
  [[nodiscard]] virtual Placement place(const PlacementShape& shape, std::span<const double> load,
                                        std::uint64_t seed) const = 0;
};

/// "contiguous", "random", "eplb", "eplb_global"; nullptr for an unknown name. Registry:
/// strategies.cpp.
[[nodiscard]] std::unique_ptr<PlacementStrategy> make_strategy(const std::string& name);
[[nodiscard]] std::vector<std::string> strategy_names();

}  // namespace moesim::placement
