// What a sweep found: every candidate with its result or the reason for its refusal.
//
// Layer: sweep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "plan/layout.h"
#include "serving/deployment.h"
#include "sweep/run_scenario.h"

namespace moesim::sweep {

/// A varied field of the scenario and its value: "deployment.precision", "bf16".
struct Setting {
  std::string field;
  std::string value;
  bool varies = true;  ///< False: the axis has this one value, for all candidates.
  friend bool operator==(const Setting&, const Setting&) = default;
};

/// Why a candidate is not run.
enum class Refusal {
  None,
  Layout,   ///< The model does not divide that way.
  Cluster,  ///< Too few GPUs.
  NotModelled,
  Memory,
  Input,     ///< The varied fields make no valid scenario.
  Unserved,  ///< It ran, and completed no request.
};
/// "layout", "cluster", "not_modelled", ...; "" for None.
[[nodiscard]] std::string to_string(Refusal refusal);

struct Candidate {
  std::int64_t number = 0;  ///< From 1.
  std::size_t variant = 0;
  std::vector<Setting> settings;
  plan::Layout layout;
  Refusal refusal = Refusal::None;
  std::string reason;  ///< Of the refusal.
};

struct CandidateResult {
  Candidate candidate;
  ScenarioResult result;  ///< If not refused; without its requests and its text.
  bool meets_slo = false;
  std::int64_t rank = 0;  ///< From 1; 0: refused.
  bool on_front = false;
};

struct SweepResult {
  std::string name;
  std::string description;
  std::string model, gpu, workload;  ///< Of the base scenario.
  std::int64_t gpus = 0;             ///< Of its cluster.
  std::string objective;             ///< "usd_per_million_output_tokens".
  serving::SloLimits slo;
  double min_slo_attainment = 0;
  std::int64_t repeated = 0;
  std::vector<CandidateResult> candidates;  ///< By number.
  std::vector<std::size_t> ranking;         ///< Indices of those that ran, best first.
  /// Indices of those that no other beats in tokens/s/GPU without losing tokens/s/user, by rising
  /// tokens/s/user.
  std::vector<std::size_t> front;
  std::string best_text;           ///< Scenario of ranking[0], text format; empty if none.
  std::vector<std::string> notes;  ///< Of the best.
  [[nodiscard]] bool feasible() const { return !ranking.empty(); }
};

}  // namespace moesim::sweep
