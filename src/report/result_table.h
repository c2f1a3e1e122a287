// A result as a page a person reads in one screen.
//
// Layer: report.
#pragma once

#include <string>

#include "sweep/run_scenario.h"

namespace moesim::report {

[[nodiscard]] std::string result_table(const sweep::ScenarioResult& result);

}  // namespace moesim::report
