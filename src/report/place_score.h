// One judged placement, and one point of a front of moves, as messages. Internal to the folder.
//
// Layer: report.
#pragma once

#include "strategies/rebalance.h"
#include "sweep/placement_study.h"

namespace moesim::proto {
class MovesPoint;
class PlaceScore;
}  // namespace moesim::proto

namespace moesim::report {

void write_score(const sweep::JudgedPlacement& judged, const sweep::WorkloadScore& score,
                 proto::PlaceScore& out);
void write_moves(const strategies::FrontPoint& point, proto::MovesPoint& out);

}  // namespace moesim::report
