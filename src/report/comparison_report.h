// Several deployments beside each other: a table for people, JSON and CSV for programs.
//
// JSON: message Comparison of proto/comparison.proto. CSV: one row per scenario, figures in
// columns, each followed by its ratio to the first row ("_ratio"); a figure that is not known is
// empty. Layer: report.
#pragma once

#include <string>

#include "sweep/compare_scenarios.h"

namespace moesim::report {

/// One column per scenario, at most three beside each other; the ratio to the first beside each
/// figure of the others.
[[nodiscard]] std::string comparison_table(const sweep::Comparison& comparison);
[[nodiscard]] std::string comparison_json(const sweep::Comparison& comparison);
[[nodiscard]] std::string comparison_csv(const sweep::Comparison& comparison);

}  // namespace moesim::report
