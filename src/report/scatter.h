// A scatter chart in plain characters.
//
// Layer: report.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace moesim::report {

struct ScatterPoint {
  double x = 0;
  double y = 0;
  char mark = 'o';
  /// Of points in one cell the highest is drawn.
  int importance = 0;
};

/// A frame of `width` x `height` characters in all, ticks at round numbers on both axes, `y_label`
/// above and `x_label` below. Empty without points. Values must be finite.
[[nodiscard]] std::string scatter(const std::vector<ScatterPoint>& points,
                                  const std::string& x_label, const std::string& y_label,
                                  std::size_t width = 72, std::size_t height = 20);

}  // namespace moesim::report
