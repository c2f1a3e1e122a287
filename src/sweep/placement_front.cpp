#include "sweep/placement_front.h"

#include <array>

namespace moesim::sweep {

PlacementFronts placement_fronts(const scenario::PlacementTask& task,
                                 const std::function<void(double)>& progress) {
  constexpr std::array kSlacks = {0.0, 0.01, 0.02, 0.05, 0.1, 0.2};
  PlacementFronts out;
  for (const double slack : kSlacks) {
    if (task.strategy == "rebalance") break;  // It has moves to give, no slack.
    strategies::SearchOptions options = task.search;
    options.slack = slack;
    options.max_imbalance.reset();
    out.slacks.push_back({.slack = slack, .judged = judge_strategy(task, task.strategy, options)});
    if (progress) progress(static_cast<double>(out.slacks.size()) / (kSlacks.size() + 1.0));
  }
  if (task.problem.current || task.follows_drift) {
    const std::vector<double> budgets = strategies::usual_budgets();
    const placement::Problem problem = task.follows_drift ? following(task) : task.problem;
    out.moves = strategies::Rebalancing(problem, task.search).front(budgets);
  }
  if (progress) progress(1.0);
  return out;
}

}  // namespace moesim::sweep
