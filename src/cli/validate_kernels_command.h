// `moesim validate kernels --data DIR`: the error of the shipped curves on measured latencies.
//
// Layer: cli.
#pragma once

#include "cli/command.h"

namespace moesim::cli {

/// Arguments behind "kernels".
int run_validate_kernels(const Arguments& arguments, std::ostream& out);

}  // namespace moesim::cli
