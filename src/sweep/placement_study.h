// Makes a placement and has it judged: on what was planned for, on what comes later, beside the
// placements that engines start with, and in time where a deployment is given.
//
// Every figure is recomputed by placement::evaluate; a strategy reports nothing about itself.
// Layer: sweep.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "placement/evaluation.h"
#include "scenario/placement_task.h"
#include "serving/placement_price.h"
#include "strategies/migration.h"

namespace moesim::sweep {

/// A placement judged on one workload.
struct WorkloadScore {
  std::string workload;
  double weight = 1.0;  ///< Of the workload.
  placement::Score score;
  double balance_bound = 1.0;                  ///< Mean over layers of the lower bound.
  std::optional<double> copies_bound{};        ///< Mean over the layers with tokens.
  std::optional<serving::LayerTimes> times{};  ///< Of all MoE layers of an iteration.
  bool per_pick = false;  ///< In that time every pick is a copy: de-duplication saves nothing.
};

struct JudgedPlacement {
  std::string strategy;  ///< As asked for: "partition".
  double seconds = 0.0;  ///< CPU time of the strategy in this process.
  placement::Placement placement;
  std::optional<placement::Placement> before{};  ///< What moves are counted from.
  std::vector<WorkloadScore> planned{};          ///< One per workload of the problem.
  std::vector<WorkloadScore> later{};            ///< As many, or none.
  std::vector<std::int64_t> moved{};             ///< [moe_layers] against the current placement.
  bool moved_for_later = false;                  ///< Planned: the placement before the moves.
};

/// Mean over several workloads' scores and times by weight (worst of the worst layers).
[[nodiscard]] WorkloadScore mean_score(const std::vector<WorkloadScore>& scores);

/// What it takes to replace one placement by another.
struct MigrationPrice {
  strategies::MigrationBytes bytes;
  Seconds time{};  ///< All moves at once on a fabric that carries nothing else.
};

/// Nothing without a deployment, or if nothing moves.
[[nodiscard]] std::optional<MigrationPrice> migration_price(const scenario::PlacementTask& task,
                                                            const placement::Placement& from,
                                                            const placement::Placement& to);

/// A task that follows the traffic: its later workloads, from eplb_global's plan for the earlier.
[[nodiscard]] placement::Problem following(const scenario::PlacementTask& task);

struct PlacementStudy {
  JudgedPlacement result;
  /// What is in use, contiguous, eplb and, where it differs, eplb_global.
  std::vector<JudgedPlacement> beside;
  std::optional<double> slot_bytes{};  ///< Weights of one slot in one layer, if a model is known.
  /// Rounds in which the moves can run if a GPU sends and receives one slot at a time.
  std::int64_t transfer_rounds = 0;
  std::optional<MigrationPrice> migration{};  ///< Of the moves, if bytes are known.
};

/// `progress`: share of the work done, 0..1.
[[nodiscard]] PlacementStudy study_placement(const scenario::PlacementTask& task,
                                             const std::function<void(double)>& progress = {});

/// One strategy alone, judged. `options` as in the task.
[[nodiscard]] JudgedPlacement judge_strategy(const scenario::PlacementTask& task,
                                             const std::string& strategy,
                                             const strategies::SearchOptions& options);

}  // namespace moesim::sweep
