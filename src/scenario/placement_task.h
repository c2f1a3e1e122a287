// A placement to be made and judged: the checked form of a placement file, or of the options that
// say the same.
//
// Layer: scenario.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "interchange/model_layers.h"
#include "placement/problem.h"
#include "scenario/scenario.h"
#include "strategies/strategy.h"

namespace moesim::scenario {

struct PlacementTask {
  std::string name;
  std::string description;
  placement::Problem problem;  ///< Verified; with the current placement, if any.
  /// Routing that comes afterwards: judged on, never planned on. Empty, or one per workload of the
  /// problem.
  std::vector<placement::Workload> later;
  bool routing_of_scenario = false;  ///< The workload is what the scenario's own runs draw.
  bool later_is_same_law = false;    ///< Drawn by the scenario: other tokens, the same loads.
  interchange::ModelLayers layers;
  std::string strategy = "partition";
  strategies::SearchOptions search;
  /// "rebalance" without a current placement: starts from eplb_global's plan for the workloads and
  /// follows the traffic to `later`.
  bool follows_drift = false;
  /// In place of the strategy: a placement to be judged.
  std::optional<placement::Placement> given{};
  /// What the placement is for; without it there are no times and no dollars.
  std::optional<Scenario> scenario{};
  std::int64_t tokens_per_rank = 0;  ///< Of the batch that prices it; 0: the usual one.
  bool prefill = false;              ///< The batch holds prompts.
  std::vector<std::string> notes;
};

}  // namespace moesim::scenario
