// Intervals of a prediction from errors on published measurements, for table and result.
//
// Layer: report.
#pragma once

#include <string>

#include "result.pb.h"
#include "sweep/run_scenario.h"

namespace moesim::report {

/// Precondition: there are bands.
void fill_bands(const sweep::ScenarioResult& from, proto::Likely& to);
/// Lines of the table; empty without bands, or if no request was measured.
[[nodiscard]] std::string band_lines(const sweep::ScenarioResult& result);

}  // namespace moesim::report
