#include "strategies/rebalance_budget.h"

#include <algorithm>

namespace moesim::strategies {

std::vector<std::vector<std::size_t>> choose_points(std::span<const LayerFront> layers,
                                                    std::int64_t slots, double move_price,
                                                    std::span<const std::int64_t> budgets) {
  const std::int64_t unit = (slots + kMostUnits - 1) / kMostUnits;
  const auto units = [&](std::int64_t moved) {
    return static_cast<std::size_t>((moved + unit - 1) / unit);
  };
  std::int64_t largest = 0;
  for (const std::int64_t budget : budgets) largest = std::max(largest, budget / unit);
  const auto width = static_cast<std::size_t>(largest) + 1;
  // least[b]: of the layers so far within b units; never rises with b.
  std::vector<double> least(width, 0.0);
  std::vector<double> next(width);
  std::vector<std::uint16_t> choice(layers.size() * width);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    for (std::size_t b = 0; b < width; ++b) {
      std::size_t best = 0;
      double least_here = 0.0;
      for (std::size_t p = 0; p < layers[l].size(); ++p) {
        const LayerPoint& point = layers[l][p];
        if (units(point.moved) > b) break;
        const double cost = least[b - units(point.moved)] + point.balance +
                            move_price * static_cast<double>(point.moved);
        if (p == 0 || cost < least_here) {
          best = p;
          least_here = cost;
        }
      }
      next[b] = least_here;
      choice[l * width + b] = static_cast<std::uint16_t>(best);
    }
    std::swap(least, next);
  }
  std::vector<std::vector<std::size_t>> chosen;
  for (const std::int64_t budget : budgets) {
    auto left = static_cast<std::size_t>(budget / unit);
    std::vector<std::size_t> points(layers.size());
    for (std::size_t l = layers.size(); l-- > 0;) {
      points[l] = choice[l * width + left];
      left -= units(layers[l][points[l]].moved);
    }
    chosen.push_back(std::move(points));
  }
  return chosen;
}

}  // namespace moesim::strategies
