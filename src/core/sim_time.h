// Engine time: integer picoseconds since the start of the run.
//
// Real-valued durations (`Seconds`) are rounded once, on entry; from then on the clock adds
// integers, so the order of events is exact and the same on every machine.
// Range: 2^63 ps, about 106 days. Overflow is a check.
// Layer: core.
#pragma once

#include <compare>
#include <cstdint>

#include "core/check.h"
#include "core/units.h"

namespace moesim {

/// A point in time, or a span, in picoseconds.
class SimTime {
 public:
  constexpr SimTime() = default;
  [[nodiscard]] static constexpr SimTime from_picoseconds(std::int64_t ps) {
    SimTime t;
    t.ps_ = ps;
    return t;
  }
  /// Nearest picosecond, halves up. Precondition: 0 <= t < 106 days (checked).
  [[nodiscard]] static SimTime from(Seconds t) {
    const double ps = t.base() * 1e12;
    MOESIM_CHECK(ps >= 0.0 && ps < 9.2e18, "a duration is negative, NaN, or beyond the clock");
    return from_picoseconds(static_cast<std::int64_t>(ps + 0.5));
  }
  [[nodiscard]] static constexpr SimTime never() { return from_picoseconds(INT64_MAX); }

  [[nodiscard]] constexpr std::int64_t picoseconds() const { return ps_; }
  [[nodiscard]] constexpr Seconds seconds() const {
    return Seconds::from_base(static_cast<double>(ps_) * 1e-12);
  }
  [[nodiscard]] constexpr double milliseconds() const { return static_cast<double>(ps_) * 1e-9; }

  friend constexpr auto operator<=>(SimTime, SimTime) = default;
  friend SimTime operator+(SimTime a, SimTime b) {
    std::int64_t sum = 0;
    MOESIM_CHECK(!__builtin_add_overflow(a.ps_, b.ps_, &sum), "the simulated clock overflowed");
    return from_picoseconds(sum);
  }
  friend constexpr SimTime operator-(SimTime a, SimTime b) {
    return from_picoseconds(a.ps_ - b.ps_);
  }
  SimTime& operator+=(SimTime o) { return *this = *this + o; }

 private:
  std::int64_t ps_ = 0;
};

}  // namespace moesim
