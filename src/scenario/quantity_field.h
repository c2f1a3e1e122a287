// Ranges of the fields of a scenario, and quantities written as texts.
//
// Layer: scenario.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/quantity.h"
#include "scenario/findings.h"

namespace moesim::scenario {

/// `value`, or `low` with a report if it is not within low..high.
[[nodiscard]] std::int64_t checked_count(Findings& findings, const std::string& path,
                                         std::int64_t value, std::int64_t low, std::int64_t high);

enum class LowEnd { Included, Excluded };

/// `value`, or `high` with a report if it is NaN or not within the range.
[[nodiscard]] double checked_real(Findings& findings, const std::string& path, double value,
                                  double low, LowEnd low_end, double high);

/// Bounds of a quantity, as a user would write them.
struct QuantityRange {
  std::string_view low;
  LowEnd low_end;
  std::string_view high;
};

/// What hardware may be: from a thousandth of the slowest in use to far beyond the fastest, so that
/// no time of an operator reaches the end of the clock by a slip of the pen.
inline constexpr QuantityRange kBandwidthRange{"1 MB/s", LowEnd::Included, "1000 TB/s"};
inline constexpr QuantityRange kArithmeticRange{"1 GFLOP/s", LowEnd::Included, "1000 EFLOP/s"};
inline constexpr QuantityRange kMemoryRange{"1 MB", LowEnd::Included, "100 TB"};
inline constexpr QuantityRange kPowerRange{"1 W", LowEnd::Included, "1 MW"};
inline constexpr QuantityRange kLatencyRange{"0 s", LowEnd::Included, "1 s"};
/// Smallest achievable share of a peak.
inline constexpr double kLeastEfficiency = 0.001;

/// Nothing, with a report, if `text` is no quantity of the kind or outside the range.
template <class Q>
[[nodiscard]] std::optional<Q> checked_quantity(Findings& findings, const std::string& path,
                                                const std::string& text,
                                                Parsed<Q> (*parse)(std::string_view),
                                                const QuantityRange& range) {
  const Parsed<Q> parsed = parse(text);
  if (const auto* error = std::get_if<QuantityError>(&parsed)) {
    findings.error(path, error->message, error->hint);
    return std::nullopt;
  }
  const Q value = std::get<Q>(parsed);
  const Q low = std::get<Q>(parse(range.low));
  const Q high = std::get<Q>(parse(range.high));
  const bool above = range.low_end == LowEnd::Included ? value >= low : value > low;
  if (above && value <= high) return value;
  findings.error(path, std::string("must be ") +
                           (range.low_end == LowEnd::Included ? "at least " : "above ") +
                           std::string(range.low) + " and at most " + std::string(range.high) +
                           ", got " + shown(text));
  return std::nullopt;
}

}  // namespace moesim::scenario
