// `moesim validate`: every published measurement we know, simulated, with its error.
//
// `validate kernels` scores the operators' curves instead; `validate convert` writes a table of
// measurements in the form in which they are shipped.
// Layer: cli.
#pragma once

#include "cli/command.h"

namespace moesim::cli {

int run_validate(const Arguments& arguments, std::ostream& out);

}  // namespace moesim::cli
