// The program's version, from the build.
//
// Layer: report.
#pragma once

#include <string>

namespace moesim::report {

[[nodiscard]] inline std::string version() { return MOESIM_VERSION; }

}  // namespace moesim::report
