// Is a placement of one's own worth it, and are redundant experts? The evidence, and a verdict.
//
// Asks: do the loads planned for resemble those that come later; what does rearranging alone do;
// what do 0, 16, 32 and 64 redundant slots buy in time of the MoE layers, throughput and dollars,
// against the KV cache they take; what does moving cost. The baseline is the engines' start,
// "contiguous", with as few redundant slots as divide over the GPUs. Verdict: go, if the best
// option is better than the baseline by more than kWorthwhile in what is known: dollars per token,
// else time, else balance on the later routing.
// Omits: the engineer's own time; engines that cannot load a placement (how_to_load tells).
// docs/formats/placement.md. Layer: sweep.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "scenario/placement_task.h"
#include "strategies/rebalance.h"
#include "sweep/placement_study.h"

namespace moesim::sweep {

/// Part by which the best must beat the baseline.
inline constexpr double kWorthwhile = 0.02;

/// One number of redundant slots under one strategy.
struct PlacementOption {
  std::string strategy;
  std::int64_t redundant = 0;
  std::string why_not;  ///< Not empty: cannot be had.
  JudgedPlacement judged;
  std::optional<std::int64_t> kv_tokens{};  ///< KV capacity of an attention rank, tokens.
  // Of a run of the scenario under this placement, on the routing that it is judged on.
  std::optional<double> output_tokens_per_s{};
  std::optional<double> tpot_ms{};
  std::optional<double> usd_per_million_output_tokens{};
};

/// How alike the loads planned for and the later ones are, mean over layers (first workload).
struct Persistence {
  double correlation = 0.0;
  double total_variation = 0.0;
  double planned_on_later = 0.0;  ///< Balance of the plan on the later loads.
  double fresh_on_later = 0.0;    ///< Of a plan made for them: what foresight would give.
  double contiguous_on_later = 0.0;
};

/// What moving some slots buys, and takes where a deployment is known.
struct ReplanningPoint {
  strategies::FrontPoint balance;
  std::optional<MigrationPrice> migration{};
};

struct GoNoGo {
  std::optional<Persistence> persistence;
  std::vector<PlacementOption> options;  ///< The baseline first.
  std::size_t best = 0;
  double gain = 0.0;    ///< Of the best over the baseline, as part of the baseline's figure.
  std::string measure;  ///< What the gain is of: "dollars per token".
  bool go = false;
  std::vector<ReplanningPoint> front;  ///< Re-planning for the later loads from the plan.
  std::string recommendation;          ///< One sentence.
};

[[nodiscard]] GoNoGo weigh_placement(const scenario::PlacementTask& task,
                                     const std::function<void(double)>& progress = {});

}  // namespace moesim::sweep
