// Systematic sampling of time: of each period only its middle is run.
//
// Model:   the calendar is cut into periods of `every`; the run holds the middle `length` of each,
//          one after another, so its clock passes every / length times slower than the calendar.
//          What changes slowly (rate curves, autoscaling) follows the calendar; what goes on inside
//          requests follows the run, from one window to the next as though nothing were between.
// Source:  Wunderlich et al., "SMARTS", ISCA 2003, samples the instructions of a program this way.
// Omits:   what a change of load leaves behind lasts as long in the run as it would in the
// calendar:
//          it takes a larger share of the windows than of the time they stand for.
// Layer:   core.
#pragma once

#include "core/sim_time.h"

namespace moesim {

struct TimeWindows {
  SimTime length{};
  SimTime every{};  ///< Zero: all of the time is run, and both clocks are the same.

  [[nodiscard]] constexpr bool on() const { return every > SimTime{}; }
  /// Calendar over run time.
  [[nodiscard]] double stretch() const { return on() ? every.seconds() / length.seconds() : 1.0; }

  /// At most 100 days, near the end of the clock.
  [[nodiscard]] SimTime calendar(SimTime run) const {
    if (!on()) return run;
    const std::int64_t window = run.picoseconds() / length.picoseconds();
    if (window >= kEnd.picoseconds() / every.picoseconds()) return kEnd;
    return at(window * every.picoseconds() + margin() +
              (run.picoseconds() - window * length.picoseconds()));
  }
  /// First moment of the run that is not before `calendar`.
  [[nodiscard]] SimTime run(SimTime calendar) const {
    if (!on() || calendar == SimTime::never()) return calendar;
    const std::int64_t window = calendar.picoseconds() / every.picoseconds();
    const std::int64_t inside = calendar.picoseconds() - window * every.picoseconds() - margin();
    const std::int64_t start = window * length.picoseconds();
    if (inside <= 0) return at(start);
    return at(start + (inside < length.picoseconds() ? inside : length.picoseconds()));
  }

 private:
  static constexpr SimTime kEnd =
      SimTime::from_picoseconds(std::int64_t{8'640'000} * 1'000'000'000'000);
  static SimTime at(std::int64_t ps) { return SimTime::from_picoseconds(ps); }
  [[nodiscard]] std::int64_t margin() const {
    return (every.picoseconds() - length.picoseconds()) / 2;
  }
};

}  // namespace moesim
