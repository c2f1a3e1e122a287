// What more imbalance and more moves would buy, as a table and as JSON (message PlaceFront).
//
// Layer: report.
#pragma once

#include <string>

#include "scenario/placement_task.h"
#include "sweep/placement_front.h"

namespace moesim::report {

[[nodiscard]] std::string place_front_table(const scenario::PlacementTask& task,
                                            const sweep::PlacementFronts& fronts);
[[nodiscard]] std::string place_front_json(const scenario::PlacementTask& task,
                                           const sweep::PlacementFronts& fronts);

}  // namespace moesim::report
