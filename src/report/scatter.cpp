#include "report/scatter.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "report/number_text.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

/// From `low` in equal steps; both ends are ticks.
struct Scale {
  double low = 0;
  double step = 1;
  int steps = 1;
  [[nodiscard]] double high() const { return low + step * steps; }
  [[nodiscard]] double tick(int i) const { return low + step * i; }
  /// Cell of `value` among `cells` from low to high.
  [[nodiscard]] std::size_t cell(double value, std::size_t cells) const {
    const double share = (value - low) / (high() - low);
    const auto last = static_cast<double>(cells - 1);
    return static_cast<std::size_t>(std::clamp(std::round(share * last), 0.0, last));
  }
};

/// The smallest of 1, 2, 5 times a power of ten that covers `span` in `wanted` steps.
double round_step(double span, int wanted) {
  double step = 1e-12;
  const double least = span / wanted;
  while (true) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (step * factor >= least * (1 - 1e-9)) return step * factor;
    }
    step *= 10;
  }
}

/// Starts at zero unless all values lie in the upper half.
Scale scale_of(double least, double most, int wanted) {
  if (!(most > least)) {
    least = std::min(0.0, least);
    most = most > 0.0 ? most : 1.0;
  }
  const double from = least > most / 2 ? least : std::min(0.0, least);
  Scale scale{.low = 0, .step = round_step(most - from, wanted), .steps = 1};
  scale.low = std::floor(from / scale.step + 1e-9) * scale.step;
  scale.steps = std::max(1, static_cast<int>(std::ceil((most - scale.low) / scale.step - 1e-9)));
  return scale;
}

using Grid = std::vector<std::string>;

Grid plotted(const std::vector<ScatterPoint>& points, const Scale& x, const Scale& y,
             std::size_t columns, std::size_t rows) {
  Grid grid(rows, std::string(columns, ' '));
  for (int t = 0; t <= y.steps; ++t) {
    std::string& line = grid[rows - 1 - y.cell(y.tick(t), rows)];
    for (std::size_t c = 0; c < columns; c += 4) line[c] = '.';
  }
  std::vector<const ScatterPoint*> order;
  order.reserve(points.size());
  for (const ScatterPoint& p : points) order.push_back(&p);
  std::stable_sort(order.begin(), order.end(), [](const ScatterPoint* a, const ScatterPoint* b) {
    return a->importance < b->importance;
  });
  for (const ScatterPoint* p : order) {
    grid[rows - 1 - y.cell(p->y, rows)][x.cell(p->x, columns)] = p->mark;
  }
  return grid;
}

/// Numbers below the axis, centred at their ticks, left out where they would touch.
std::string x_numbers(const Scale& x, std::size_t margin, std::size_t columns) {
  std::string line;
  for (int t = 0; t <= x.steps; ++t) {
    const std::string text = number_text(x.tick(t), 4);
    const std::size_t centre = margin + x.cell(x.tick(t), columns);
    const std::size_t start = centre - std::min(centre, text.size() / 2);
    if (!line.empty() && start < line.size() + 1) continue;
    if (start + text.size() > margin + columns + 3) continue;
    line.resize(start, ' ');
    line += text;
  }
  return line;
}

}  // namespace

std::string scatter(const std::vector<ScatterPoint>& points, const std::string& x_label,
                    const std::string& y_label, std::size_t width, std::size_t height) {
  if (points.empty()) return {};
  constexpr double kMost = std::numeric_limits<double>::max();
  double x_low = kMost, x_high = -kMost, y_low = kMost, y_high = -kMost;
  for (const ScatterPoint& p : points) {
    x_low = std::min(x_low, p.x);
    x_high = std::max(x_high, p.x);
    y_low = std::min(y_low, p.y);
    y_high = std::max(y_high, p.y);
  }
  const Scale x = scale_of(x_low, x_high, 6);
  const Scale y = scale_of(y_low, y_high, 5);
  std::size_t margin = 0;
  for (int t = 0; t <= y.steps; ++t) {
    margin = std::max(margin, number_text(y.tick(t), 4).size());
  }
  const std::size_t columns = width - margin - 3;
  const std::size_t rows = height - 4;
  const Grid grid = plotted(points, x, y, columns, rows);
  std::string page = std::string(margin, ' ') + " " + y_label + "\n";
  for (std::size_t row = 0; row < rows; ++row) {
    std::string number;
    for (int t = 0; t <= y.steps; ++t) {
      if (rows - 1 - y.cell(y.tick(t), rows) == row) number = number_text(y.tick(t), 4);
    }
    std::string line = right(number, margin) + (number.empty() ? " |" : " +") + grid[row];
    line.erase(line.find_last_not_of(' ') + 1);
    page += line + "\n";
  }
  std::string axis(columns, '-');
  for (int t = 0; t <= x.steps; ++t) axis[x.cell(x.tick(t), columns)] = '+';
  axis[0] = '-';  // The corner is its tick.
  page += std::string(margin, ' ') + " +" + axis + "\n";
  page += x_numbers(x, margin + 2, columns) + "\n";
  return page + right(x_label, margin + 2 + columns) + "\n";
}

}  // namespace moesim::report
