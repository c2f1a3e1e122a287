// moesim fabric: a cluster drawn, with its figures.
//
// Layer: cli.
#pragma once

#include <iosfwd>

#include "cli/command.h"

namespace moesim::cli {

int run_fabric(const Arguments& arguments, std::ostream& out);

}  // namespace moesim::cli
