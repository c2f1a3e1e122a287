// How placements are made: strategies by name, all for the same problem, none judging itself.
//
// Registry: registry.cpp. Deterministic: same problem, options and seed, same slots, whatever the
// machine; a budget is work, counted, not time on the clock.
// Layer: strategies.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "placement/placement.h"
#include "placement/problem.h"

namespace moesim::strategies {

/// What a layer costs, linear in what a placement decides: compute of the busiest rank and copies
/// over the busiest node's links. Filled from the simulator's own operators and fabric.
struct LayerPrice {
  double seconds_per_balance = 0.0;  ///< Experts' time at balance 1; grows with max / mean.
  double seconds_per_copy = 0.0;     ///< Dispatch and combine per copy per token.
};

struct SearchOptions {
  std::uint64_t seed = 1;
  /// Work for all layers together, in seconds of one core of the reference machine
  /// (docs/models/placement.md); the same work on any machine.
  double budget = 10.0;
  /// A rank may carry this part more than under "eplb" (0.05: five per cent). Ignored with
  /// max_imbalance.
  double slack = 0.0;
  std::optional<double> max_imbalance{};  ///< Largest max / mean of a layer, where reachable.
  std::optional<LayerPrice> price{};      ///< Chooses the slack that costs least, up to `slack`.
  double most_moved = 1.0;                ///< "rebalance": part of all slots that may move.
  /// "rebalance": balance that one moved slot must be worth, per layer; 0: none asked.
  double move_price = 0.0;
  std::function<void(std::int64_t layers_done)> progress{};
};

class Strategy {
 public:
  virtual ~Strategy() = default;
  /// Precondition: verify(problem) is empty. The result verifies.
  [[nodiscard]] virtual placement::Placement place(const placement::Problem& problem,
                                                   const SearchOptions& options) const = 0;
};

/// nullptr for an unknown name.
[[nodiscard]] std::unique_ptr<Strategy> make_strategy(const std::string& name);
/// contiguous, round_robin, random, eplb, eplb_global, metis, partition, rebalance.
[[nodiscard]] std::vector<std::string> strategy_names();

/// Sum over the workloads by weight, each layer of each scaled to the same total: the load that
/// strategies for one load plan for. [moe_layers * experts]. One workload: its load unchanged.
[[nodiscard]] std::vector<double> planned_load(const placement::Problem& problem);

}  // namespace moesim::strategies
