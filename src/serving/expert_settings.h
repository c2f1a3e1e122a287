// How a deployment's tokens choose experts and where the experts lie: the checked input.
//
// Layer: serving.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/sim_time.h"
#include "placement/placement.h"
#include "routing/affinity_model.h"
#include "routing/expert_router.h"
#include "routing/token_bank.h"

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

/// Tokens drawn with affinity between experts.
struct AffinitySettings {
  routing::AffinityParameters parameters{};
  std::int64_t bank_tokens = routing::kDefaultBankTokens;
};

/// New placements while the deployment serves.
struct RebalancingSettings {
  std::int64_t every_iterations = 1000;
  std::int64_t window_iterations =
      1000;                         ///< Whose loads are planned for; at most every_iterations.
  double balancedness_below = 1.0;  ///< Only if the window's is less; 1: always.
  std::string strategy = "eplb";
  double budget = 0.2;                    ///< As in PlacementSettings.
  double most_moved = 1.0;                ///< strategies::SearchOptions.
  std::int64_t layers_per_iteration = 0;  ///< 0: all in one iteration.
};

/// Popularity that changes while a run goes on: routing::drifted every so often.
struct DriftSettings {
  double sigma = 0.05;
  SimTime every{};
};

/// Routed experts: popularity, placement and spare copies. Unused for a dense model.
struct ExpertSettings {
  routing::Popularity popularity;
  PlacementSettings placement;
  std::int64_t redundant_experts = 0;
  std::optional<AffinitySettings> affinity{};
  std::optional<RebalancingSettings> rebalancing{};
  std::optional<DriftSettings> drift{};
  /// Recorded tokens of all MoE layers, replayed in place of drawn ones; `popularity` is theirs.
  std::shared_ptr<const routing::TokenBank> recorded{};
};

}  // namespace moesim::serving
