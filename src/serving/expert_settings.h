// How a deployment's tokens choose experts and where the experts lie: the checked input.
//
// Layer: serving.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "placement/placement.h"
#include "routing/expert_router.h"

namespace moesim::serving {

/// Where the experts lie when a run starts.
struct PlacementSettings {
  std::string strategy = "contiguous";  ///< Of strategies::strategy_names().
  /// Work of the strategy, in seconds of one core (strategies::SearchOptions).
  double budget = 1.0;
  /// A rank may carry this part more than under "eplb". Above 0: as much of it as the layer's price
  /// pays for.
  double slack = 0.0;
  /// In place of a strategy: read from a file. Its ranks' domains are the file's; a run takes those
  /// of its own GPUs.
  std::shared_ptr<const placement::Placement> given{};
};

/// Routed experts: popularity, placement and spare copies. Unused for a dense model.
struct ExpertSettings {
  routing::Popularity popularity;
  PlacementSettings placement;
  std::int64_t redundant_experts = 0;
};

}  // namespace moesim::serving
