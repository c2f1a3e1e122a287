// A simulation with its progress shown on stderr.
//
// Layer: cli.
#pragma once

#include "scenario/scenario.h"
#include "sweep/run_scenario.h"

namespace moesim::cli {

/// `quiet`: shows nothing.
[[nodiscard]] sweep::ScenarioResult watched_run(const scenario::Scenario& scenario, bool quiet);

}  // namespace moesim::cli
