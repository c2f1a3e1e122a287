// What a sweep found: a page for people, JSON and CSV for programs.
//
// JSON: message SweepResult of proto/sweep_result.proto. CSV: one row per candidate, by number.
// Page: the ranking, the Pareto front of tokens/s/GPU against tokens/s/user, refusals by reason.
// Layer: report.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sweep/sweep_result.h"

namespace moesim::report {

[[nodiscard]] std::string sweep_table(const sweep::SweepResult& sweep);
[[nodiscard]] std::string sweep_json(const sweep::SweepResult& sweep);
[[nodiscard]] std::string sweep_csv(const sweep::SweepResult& sweep);

/// Refused candidates whose reasons differ only in numbers.
struct RefusalGroup {
  sweep::Refusal refusal = sweep::Refusal::None;
  std::string reason;  ///< Numbers that differ between the candidates are written as N.
  std::vector<std::size_t> candidates;
};
/// Largest group first; of equal ones the one with the smallest candidate.
[[nodiscard]] std::vector<RefusalGroup> refusal_groups(const sweep::SweepResult& sweep);

}  // namespace moesim::report
