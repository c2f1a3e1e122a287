// `moesim routing stats`: how recorded or generated routing looks.
//
// Layer: cli.
#pragma once

#include <iosfwd>

#include "cli/command.h"

namespace moesim::cli {

/// `arguments` are the words after `routing`. Throws InputError with the mistakes of the command
/// line or of a file, IoError if a file cannot be read.
int run_routing(const Arguments& arguments, std::ostream& out);

}  // namespace moesim::cli
