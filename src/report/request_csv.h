// One row per served request, in order of completion, and the same summary as one CSV row.
//
// Layer: report.
#pragma once

#include <string>

#include "sweep/run_scenario.h"

namespace moesim::report {

/// request,arrival_s,ttft_ms,tpot_ms,e2e_ms,input_tokens,output_tokens,preemptions,kv_wait_ms
[[nodiscard]] std::string requests_csv(const sweep::ScenarioResult& result);
/// Header and one row of the main figures.
[[nodiscard]] std::string summary_csv(const sweep::ScenarioResult& result);

}  // namespace moesim::report
