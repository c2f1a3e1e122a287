// Results as messages of proto/result.proto, written as JSON.
//
// Layer: report.
#pragma once

#include <string>

#include "sweep/run_scenario.h"

namespace moesim::report {

/// The whole result with proto field names, indented, a line break at the end. Numbers are rounded
/// to six significant digits.
[[nodiscard]] std::string result_json(const sweep::ScenarioResult& result);
/// "RunPod Community, on-demand, 2026-09-25".
[[nodiscard]] std::string price_source(const cost::Pricing& pricing);
/// The same message in Protocol Buffers' binary form.
[[nodiscard]] std::string result_binary(const sweep::ScenarioResult& result);

}  // namespace moesim::report
