// A placement and how it was judged: a page for people, JSON and CSV for programs, and the plan.
//
// JSON: messages PlaceResult and PlacePlan of proto/place_result.proto. Meaning of the figures:
// docs/models/placement.md.
// Layer: report.
#pragma once

#include <string>

#include "scenario/placement_task.h"
#include "sweep/placement_study.h"

namespace moesim::report {

[[nodiscard]] std::string place_table(const scenario::PlacementTask& task,
                                      const sweep::PlacementStudy& study);
[[nodiscard]] std::string place_json(const scenario::PlacementTask& task,
                                     const sweep::PlacementStudy& study);
/// One row per MoE layer.
[[nodiscard]] std::string place_layers_csv(const sweep::PlacementStudy& study);
/// The slots, and which replica serves which source rank.
[[nodiscard]] std::string place_plan_json(const scenario::PlacementTask& task,
                                          const placement::Placement& placement);

}  // namespace moesim::report
