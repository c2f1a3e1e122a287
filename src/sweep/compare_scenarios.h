// The same demand served by several deployments.
//
// Layer: sweep.
#pragma once

#include <string>
#include <vector>

#include "scenario/scenario.h"
#include "sweep/parallel_runs.h"
#include "sweep/run_scenario.h"

namespace moesim::sweep {

struct Comparison {
  std::vector<ScenarioResult>
      results;  ///< In the order of the scenarios; a name given twice gets "(2)".
  std::vector<std::string> notes;  ///< Why the comparison is not fair, if it is not.
};

/// Runs all scenarios on `jobs` threads (0: all cores). One that does not fit is a result as well.
/// Precondition: at least one scenario. Throws InputError.
[[nodiscard]] Comparison compare_scenarios(std::vector<scenario::Scenario> scenarios, int jobs,
                                           const CountProgress& progress = {});

}  // namespace moesim::sweep
