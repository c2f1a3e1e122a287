// The published load balancer of expert parallelism (DeepSeek, "EPLB", 2025), one layer at a time.
//
// Replicate: each spare slot in turn goes to the expert whose load per replica is largest. Pack:
// the replicas, heaviest first, each into the lightest GPU that still has a free slot.
// Hierarchical: first whole routing groups are packed onto nodes in the same way, then each node
// replicates and packs its own experts. Arithmetic is in `float`, as published, so that ties fall
// the same way. Source: github.com/deepseek-ai/EPLB, README. Omits:  nothing keeps two replicas of
// an expert off one GPU; see separate_replicas. Layer:  strategies.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace moesim::strategies {

/// Shape of one layer's problem. Global balancing: groups = nodes = 1.
struct EplbShape {
  std::int64_t slots = 0;
  std::int64_t groups = 1;
  std::int64_t nodes = 1;
  std::int64_t ranks = 1;
};

/// Expert of each slot; slots of a rank are adjacent, ranks of a node too. Preconditions: groups
/// divide over the nodes and experts over the groups; ranks and slots divide over the nodes, slots
/// over the ranks; slots >= experts.
[[nodiscard]] std::vector<std::int32_t> eplb_layer(std::span<const double> load,
                                                   const EplbShape& shape);

/// Exchanges experts between slots until no rank holds an expert twice, choosing for each duplicate
/// the exchange that changes the ranks' loads least; exchanges stay inside a node where possible.
/// Where none exists (more replicas than ranks) the slot goes to the hottest expert the rank lacks.
/// Precondition: slots_per_rank <= experts. Returns the number of slots so treated.
std::int64_t separate_replicas(std::span<std::int32_t> expert_of_slot, std::span<const double> load,
                               std::int64_t slots_per_rank,
                               std::span<const std::int32_t> domain_of_rank);

}  // namespace moesim::strategies
