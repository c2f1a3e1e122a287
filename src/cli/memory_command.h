// `moesim memory`: what one GPU must hold for a model, and whether it fits.
//
// Layer: cli.
#pragma once

#include <iosfwd>

#include "cli/command.h"

namespace moesim::cli {

/// `arguments` are the words after `memory`. Writes a table or JSON to `out`. Returns 0 if the
/// model fits or is marginal (or help was asked for), 3 if it does not fit. Throws InputError with
/// every mistake of the command line, and IoError if the catalog or a config cannot be read.
int run_memory(const Arguments& arguments, std::ostream& out);

}  // namespace moesim::cli
