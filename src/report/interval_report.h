// Confidence intervals of a run, for the table and the documented result.
//
// Layer: report.
#pragma once

#include <string>

#include "result.pb.h"
#include "serving/run_result.h"

namespace moesim::report {

void fill_intervals(const serving::Intervals& from, proto::Intervals& to);
/// Lines of the table, each half-width as a share of its figure; empty without intervals.
[[nodiscard]] std::string interval_lines(const serving::Summary& summary);

}  // namespace moesim::report
