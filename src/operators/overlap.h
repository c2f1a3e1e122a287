// A kernel's fixed time and its work, which overlap in part.
//
// t = floor + work - share * floor * work / (floor + work): their sum at share 0, and never below
// the larger of the two up to share 1. Rises with both.
// Layer: operators.
#pragma once

namespace moesim::operators {

/// Preconditions: floor > 0, work >= 0, 0 <= share <= 1. Any unit, the same for both.
[[nodiscard]] inline double overlapped(double floor, double work, double share) {
  return floor + work - share * floor * work / (floor + work);
}

}  // namespace moesim::operators
