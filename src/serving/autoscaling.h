// When the units of a pool join and leave: settings of autoscaler.h.
//
// Layer: serving.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/sim_time.h"

namespace moesim::serving {

/// So many units from here on.
struct ScheduleStep {
  SimTime at{};
  std::int64_t units = 1;
};

/// What the load of a unit is.
enum class LoadMetric {
  Requests,  ///< Waiting and running, those on their way to it included.
  KvUse,     ///< Share of its KV blocks that are held.
};

struct LoadTarget {
  LoadMetric metric = LoadMetric::Requests;
  double target = 1.0;  ///< Of each unit.
  std::int64_t least_units = 1;
  SimTime every{};   ///< From one look at the load to the next.
  SimTime settle{};  ///< Units leave for the largest number wanted during this time.
  double tolerance = 0.1;
};

/// By schedule or by load.
struct Autoscaling {
  std::vector<ScheduleStep> schedule{};  ///< Ascending, the first at 0. Empty: by load.
  SimTime period{};                      ///< After which the schedule begins anew; zero: never.
  std::optional<LoadTarget> load{};
  SimTime start_time{};  ///< Of a unit, from off to serving.
};

}  // namespace moesim::serving
