// The placement problem: what a strategy is given, stated once for all of them.
//
// Choose for every MoE layer which expert each slot holds, so that the layer is soon done: its
// slowest rank computes, and the busiest link carries dispatch and combine with one copy of a token
// per remote node. Hard: every rank has exactly slots_per_rank slots, every expert has one, no rank
// holds an expert twice. Statement, bounds and sources: docs/models/placement.md.
// Layer: placement.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "placement/placement.h"
#include "routing/expert_router.h"
#include "routing/token_trace.h"

namespace moesim::placement {

/// Routing that a placement is made for or judged on.
struct Workload {
  std::string name;
  double weight = 1.0;       ///< Of its part in the mean over workloads, > 0.
  std::vector<double> load;  ///< [moe_layers * experts] >= 0, as recorded; no row sums to 0.
  /// Tokens of some or all layers; may be empty. Layers without tokens are planned as if tokens
  /// were drawn independently by the router's law for `load`.
  routing::TokenTrace tokens{};
};

/// What several workloads at once are worth.
enum class Over { Mean, Worst };

struct Problem {
  PlacementShape shape;
  routing::RoutingShape routing;    ///< top_k and groups of the model.
  std::vector<Workload> workloads;  ///< At least one.
  Over over = Over::Mean;
  std::optional<Placement> current{};  ///< What lies where now.
};

/// Most that a problem may ask for: larger ones are refused before anything is allocated. Experts
/// are bounded by routing::kMaxExperts.
inline constexpr std::int64_t kMaxMoeLayers = 1024;
inline constexpr std::int64_t kMaxRanks = 8192;
inline constexpr std::int64_t kMaxSlotsPerLayer = 16384;
inline constexpr std::int64_t kMaxSlots = 1 << 22;  ///< Of all layers together.
inline constexpr std::int64_t kMaxWorkloads = 64;

/// What is wrong with a shape: nothing of something, beyond the bounds above, fewer slots than
/// experts, more slots on a rank than experts, nodes or racks that do not fit the ranks.
[[nodiscard]] std::vector<std::string> verify(const PlacementShape& shape);

/// What is wrong with a problem, for a user's eyes; empty if nothing: loads of a wrong length, not
/// finite, negative, all zero in a layer, tokens of another shape, fewer slots than experts, more
/// slots on a rank than experts, a current placement that does not verify.
[[nodiscard]] std::vector<std::string> verify(const Problem& problem);

}  // namespace moesim::placement
