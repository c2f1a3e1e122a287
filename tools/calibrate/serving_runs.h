// moesim_calibrate --only engine_overheads: constants of engines from published serving runs.
#pragma once

#include <string>

namespace moesim::tools {

/// Fits to DATA/e2e_runs.csv and prints the errors on deployments left out. `out`, unless empty:
/// folder that engine_overheads.txtpb is written into. `check`: false if the shipped file
/// holds other constants.
[[nodiscard]] bool fit_serving_runs(const std::string& data, const std::string& out,
                                    const std::string& source, bool check);

}  // namespace moesim::tools
