// A new placement from the one that lies there, moving few slots.
//
// Each layer is searched for its Pareto front of balance against slots moved (rebalance_search.h);
// the fronts are computed once, whatever the budget. Then every layer gets the point that makes the
// mean balance least while all layers together move no more than the budget (rebalance_budget.h).
// The published balancer's fresh plan, relabelled to move least, is on every layer's front.
// Balance: largest load over mean, of the planned load; with Over::Worst the largest over the
// workloads. docs/models/rebalancing.md. Layer: strategies.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "placement/placement.h"
#include "placement/problem.h"
#include "strategies/rebalance_search.h"
#include "strategies/strategy.h"

namespace moesim::strategies {

/// What a budget of moves buys.
struct FrontPoint {
  double moved_share = 0.0;  ///< Of all slots of all layers, as slots_moved() counts.
  double balance_mean = 0.0;
  double balance_worst = 0.0;
};

/// Throws InputError if the problem has no current placement, or one of another shape.
class Rebalancing {
 public:
  /// Searches every layer. Uses options.seed, budget, move_price and progress.
  Rebalancing(const placement::Problem& problem, const SearchOptions& options);

  /// Best placement that moves at most `most_moved` (0 to 1) of all slots. A slot that does not
  /// move keeps its number.
  [[nodiscard]] placement::Placement placement(double most_moved) const;
  /// One point per budget that differs from the one before.
  [[nodiscard]] std::vector<FrontPoint> front(std::span<const double> budgets) const;
  /// Fronts of the layers: fewest moves first.
  [[nodiscard]] const std::vector<LayerFront>& layers() const { return layers_; }

 private:
  [[nodiscard]] std::vector<std::vector<std::size_t>> choices(
      std::span<const double> budgets) const;
  placement::PlacementShape shape_;
  std::vector<std::int32_t> current_;
  std::vector<LayerFront> layers_;
  double move_price_ = 0.0;
};

/// 0, 0.01, ..., 0.3, then 0.35, ..., 1: budgets for a front that is shown.
[[nodiscard]] std::vector<double> usual_budgets();

}  // namespace moesim::strategies
