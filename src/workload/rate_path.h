// The rate of a workload over time, as one realised piecewise constant path.
//
// rate(t) = base * curve(c(t) + start) * modulation(c(t)) * state(t) / mean state rate,
// c: calendar of the run (core/time_windows.h), t itself unless time is sampled.
// Layer: workload (internal).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "core/random.h"
#include "core/time_windows.h"
#include "workload/model.h"

namespace moesim::workload {

/// Constant rate until `end` (seconds since the start of the run).
struct RateSegment {
  double end = 0.0;
  double per_second = 0.0;
};

class RatePath {
 public:
  RatePath(const WorkloadModel& model, PerSecond base, Seconds start, const TimeWindows& windows,
           std::uint64_t seed);
  /// Segments one after another from time 0, without end.
  [[nodiscard]] RateSegment next();

 private:
  static constexpr double kNever = std::numeric_limits<double>::infinity();

  /// When the run reaches a moment of the calendar.
  [[nodiscard]] double reached(double calendar) const;
  void enter_curve_step();
  void enter_modulation_step();
  void enter_bin();

  double base_ = 0.0;
  double start_ = 0.0;
  TimeWindows windows_;
  std::optional<RateCurve> curve_;
  std::optional<RateModulation> modulation_;
  std::optional<Mmpp> chain_;
  RandomStream state_stream_;
  RandomStream modulation_stream_;
  double sigma_ = 0.0;
  std::int64_t curve_step_ = 0;
  std::int64_t modulation_step_ = -1;
  std::int64_t bin_ = -1;
  std::size_t state_ = 0;
  double curve_end_ = kNever;
  double modulation_end_ = kNever;
  double bin_end_ = kNever;
  double curve_factor_ = 1.0;
  double modulation_factor_ = 1.0;
  double state_factor_ = 1.0;
};

}  // namespace moesim::workload
