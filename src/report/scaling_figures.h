// How many units of a pool there were, as lines of the table and as a message.
//
// Layer: report.
#pragma once

#include <string>

#include "result.pb.h"
#include "serving/run_result.h"

namespace moesim::report {

[[nodiscard]] std::string scaling_text(const serving::RunResult& run);
void fill_scaling(const serving::RunResult& from, proto::Result& to);

}  // namespace moesim::report
