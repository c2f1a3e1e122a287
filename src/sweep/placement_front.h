// What more imbalance, and more moves, would buy: the fronts of a placement task.
//
// Layer: sweep.
#pragma once

#include <functional>
#include <vector>

#include "scenario/placement_task.h"
#include "strategies/rebalance.h"
#include "sweep/placement_study.h"

namespace moesim::sweep {

/// The task's strategy at one slack over eplb.
struct SlackPoint {
  double slack = 0.0;
  JudgedPlacement judged;
};

struct PlacementFronts {
  std::vector<SlackPoint> slacks;  ///< 0, 1, 2, 5, 10, 20 %.
  std::vector<strategies::FrontPoint>
      moves;  ///< From the current placement, or that of following().
};

[[nodiscard]] PlacementFronts placement_fronts(const scenario::PlacementTask& task,
                                               const std::function<void(double)>& progress = {});

}  // namespace moesim::sweep
