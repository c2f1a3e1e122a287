// The figures by which deployments are compared: one list for tables, CSV and ratios.
//
// Layer: report.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sweep/run_scenario.h"

namespace moesim::report {

struct Figure {
  std::string_view key;    ///< Of JSON and CSV, unit included: "ttft_ms_p99".
  std::string_view label;  ///< Of tables: "TTFT p99".
  std::string_view unit;   ///< Of tables, beside the label: "ms"; may be empty.
  bool of_run;             ///< Only known for a deployment that fits.
  double (*value)(const sweep::ScenarioResult&);
  std::string (*text)(double);  ///< As tables print it.
};

/// In the order of a comparison.
[[nodiscard]] std::span<const Figure> figures();

/// The figure, or nothing if the deployment does not fit and it takes a run.
[[nodiscard]] std::optional<double> figure_value(const Figure& figure,
                                                 const sweep::ScenarioResult& result);

/// `other` over `first`; nothing if either is missing or the first is zero.
[[nodiscard]] std::optional<double> figure_ratio(const Figure& figure,
                                                 const sweep::ScenarioResult& first,
                                                 const sweep::ScenarioResult& other);

}  // namespace moesim::report
