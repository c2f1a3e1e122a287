// Two costs that a kernel pays side by side, one behind the other, or something between.
//
// t = (a + b + sqrt((a - b)^2 + 4 s a b)) / 2: the larger of the two at s = 0, their sum at s = 1.
// Rises with a, b and s. Layer: operators.
#pragma once

#include <cmath>

namespace moesim::operators {

/// Preconditions: a, b >= 0, 0 <= serial <= 1. Any unit, the same for both.
[[nodiscard]] inline double smooth_max(double a, double b, double serial) {
  const double apart = a - b;
  return 0.5 * (a + b + std::sqrt(apart * apart + 4.0 * serial * a * b));
}

}  // namespace moesim::operators
