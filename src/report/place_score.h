// One judged placement as a message. Internal to the folder.
//
// Layer: report.
#pragma once

#include "sweep/placement_study.h"

namespace moesim::proto {
class PlaceScore;
}

namespace moesim::report {

void write_score(const sweep::JudgedPlacement& judged, const sweep::WorkloadScore& score,
                 proto::PlaceScore& out);

}  // namespace moesim::report
