// Results as messages of proto/result.proto. Internal to the folder.
//
// Layer: report.
#pragma once

#include "plan/memory.h"
#include "result.pb.h"
#include "serving/run_result.h"
#include "sweep/run_scenario.h"

namespace moesim::report {

/// The whole result, numbers rounded to six significant digits.
[[nodiscard]] proto::Result result_message(const sweep::ScenarioResult& result);

// Parts of it, for other documents.
void fill_summary(const serving::Summary& from, proto::Summary& to);
void fill_cost(const sweep::ScenarioResult& from, proto::Cost& to);
void fill_memory(const plan::MemoryReport& from, proto::PoolMemory& to);

}  // namespace moesim::report
