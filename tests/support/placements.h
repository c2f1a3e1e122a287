// Placements for tests: a strategy's slots for one load, without spelling out the problem.
#pragma once

#include <span>
#include <string>
#include <utility>

#include "placement/problem.h"
#include "strategies/strategy.h"

namespace moesim::test {

/// One workload of one load. Without a load every expert is alike.
inline placement::Problem problem_of(const placement::PlacementShape& shape,
                                     std::span<const double> load) {
  placement::Workload workload{.name = "test", .load = {load.begin(), load.end()}};
  if (load.empty()) {
    workload.load.assign(static_cast<std::size_t>(shape.moe_layers * shape.experts), 1.0);
  }
  const routing::RoutingShape routing{
      .moe_layers = shape.moe_layers, .experts = shape.experts, .top_k = 1};
  return {.shape = shape, .routing = routing, .workloads = {std::move(workload)}};
}

/// Strategies that start from what lies there find the engines' default.
inline placement::Problem with_current(placement::Problem problem) {
  problem.current = strategies::make_strategy("contiguous")->place(problem, {});
  return problem;
}

inline placement::Placement placed(const std::string& strategy,
                                   const placement::PlacementShape& shape,
                                   std::span<const double> load, std::uint64_t seed) {
  return strategies::make_strategy(strategy)->place(with_current(problem_of(shape, load)),
                                                    {.seed = seed});
}

}  // namespace moesim::test
