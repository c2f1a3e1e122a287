// The weighing of a placement on one page, and as JSON (message GoNoGo of
// proto/place_result.proto).
//
// Layer: report.
#pragma once

#include <string>

#include "scenario/placement_task.h"
#include "sweep/go_no_go.h"

namespace moesim::report {

[[nodiscard]] std::string go_no_go_page(const scenario::PlacementTask& task,
                                        const sweep::GoNoGo& weighed);
[[nodiscard]] std::string go_no_go_json(const scenario::PlacementTask& task,
                                        const sweep::GoNoGo& weighed);

}  // namespace moesim::report
