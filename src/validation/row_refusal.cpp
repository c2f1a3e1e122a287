#include "validation/row_refusal.h"

#include <fmt/format.h>

#include <cmath>

namespace moesim::validation {

double needed(const std::optional<double>& value, const char* what) {
  if (!value) throw Refused{fmt::format("{} is not published", what)};
  return *value;
}

std::int64_t degree(const std::optional<double>& value, const char* what) {
  const double x = needed(value, what);
  constexpr double kMost = 16'384;
  if (x < 1 || x > kMost || x != std::floor(x)) {
    throw Refused{fmt::format("{} = {:g} is no number of GPUs", what, x)};
  }
  return static_cast<std::int64_t>(x);
}

std::int64_t tokens(double x) {
  constexpr double kMost = 10'000'000;
  if (!(x >= 0.5) || x > kMost) throw Refused{fmt::format("{:g} tokens cannot be simulated", x)};
  return static_cast<std::int64_t>(std::llround(x));
}

}  // namespace moesim::validation
