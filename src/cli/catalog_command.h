// moesim catalog list|show|import: what exists, and how to add a model.
//
// Layer: cli.
#pragma once

#include <iosfwd>

#include "cli/command.h"

namespace moesim::cli {

int run_catalog(const Arguments& arguments, std::ostream& out);

}  // namespace moesim::cli
