// moesim place: where experts lie, judged, and files that engines read.
//
// Layer: cli.
#pragma once

#include <iosfwd>

#include "cli/command.h"

namespace moesim::cli {

int run_place(const Arguments& arguments, std::ostream& out);

}  // namespace moesim::cli
