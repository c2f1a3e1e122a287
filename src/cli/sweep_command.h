// moesim sweep SWEEP: every layout of a cluster, ranked.
//
// Layer: cli.
#pragma once

#include <iosfwd>

#include "cli/command.h"

namespace moesim::cli {

/// Returns 0, or 1 if no candidate is feasible. Throws InputError, IoError.
int run_sweep_command(const Arguments& arguments, std::ostream& out);

}  // namespace moesim::cli
