#include "scenario/quantity_field.h"

#include <fmt/format.h>

#include <cmath>

#include "core/text.h"

namespace moesim::scenario {

std::int64_t checked_count(Findings& findings, const std::string& path, std::int64_t value,
                           std::int64_t low, std::int64_t high) {
  if (value >= low && value <= high) return value;
  findings.error(path, fmt::format("must be {}..{}, got {}", low, high, value));
  return low;
}

double checked_real(Findings& findings, const std::string& path, double value, double low,
                    LowEnd low_end, double high) {
  const bool above = low_end == LowEnd::Included ? value >= low : value > low;
  if (std::isfinite(value) && above && value <= high) return value;
  findings.error(path, fmt::format("must be {} {} and at most {}, got {}",
                                   low_end == LowEnd::Included ? "at least" : "above",
                                   format_number(low), format_number(high), format_number(value)));
  return high;
}

}  // namespace moesim::scenario
