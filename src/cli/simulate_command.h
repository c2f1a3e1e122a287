// moesim simulate SCENARIO: one deployment under one workload.
//
// Layer: cli.
#pragma once

#include <iosfwd>

#include "cli/command.h"

namespace moesim::cli {

int run_simulate(const Arguments& arguments, std::ostream& out);

}  // namespace moesim::cli
