// moesim compare SCENARIO...: the same demand served by several deployments.
//
// Layer: cli.
#pragma once

#include <iosfwd>

#include "cli/command.h"

namespace moesim::cli {

/// Returns 0, or 3 if none of the scenarios fits into memory. Throws InputError, IoError.
int run_compare(const Arguments& arguments, std::ostream& out);

}  // namespace moesim::cli
