// Times as traces spell them, read exactly to the picosecond.
//
// Layer: workload (internal).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/sim_time.h"

namespace moesim::workload {

/// Seconds since some epoch and picoseconds 0..1e12-1. Wider than SimTime: an epoch of 1970 does
/// not fit 64 bits of picoseconds.
struct TraceTime {
  std::int64_t seconds = 0;
  std::int64_t picoseconds = 0;

  friend constexpr auto operator<=>(const TraceTime&, const TraceTime&) = default;
};

/// "2023-11-16 18:15:46.6805900", 'T' as separator, fraction of any length (cut at 1 ps), zone
/// "Z", "+00:00", "+0000" or none (UTC).
[[nodiscard]] std::optional<TraceTime> parse_calendar_time(std::string_view text);

/// "12", "0.052", "19440007.0", "1e-05". Below 1e15.
[[nodiscard]] std::optional<TraceTime> parse_decimal_time(std::string_view text);

/// `count` units of which `per_second` make a second; empty if not finite or above 1e15 s.
[[nodiscard]] std::optional<TraceTime> time_from_number(double count, double per_second);

/// later - earlier; empty if it is beyond the clock. Precondition: earlier <= later.
[[nodiscard]] std::optional<SimTime> time_between(TraceTime earlier, TraceTime later);

}  // namespace moesim::workload
