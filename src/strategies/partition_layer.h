// One layer: rounds of search for the node of every slot, then GPUs inside the nodes.
//
// A first round on a sample of the tokens, then rounds on all of them, each kGrowth times the work
// of the one before and as hot at its start; the best plan of any round counts. Which rounds are
// run depends on the work granted only in how many they are, so more work never gives a worse plan
// by the tokens searched on. Layer: strategies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "placement/problem.h"
#include "strategies/partition_cluster.h"
#include "strategies/partition_start.h"

namespace moesim::strategies {

struct LayerTask {
  const placement::Problem& problem;
  const Cluster& cluster;
  const StartPlan& start;
  std::int64_t layer = 0;
  std::uint64_t seed = 1;
};

struct LayerPlan {
  std::vector<std::int32_t> slots;  ///< In order of ranks.
  double copies = 0.0;              ///< Per token, by the tokens searched on; 0 if there were none.
  double fullest = 0.0;             ///< Load of the fullest GPU, its mean 1, in the worst workload.
};

/// A plan in which no GPU carries more than `cap` [workloads], with `work` nanoseconds of the
/// reference machine. `from`: where to begin, within the cap; the start plan if absent.
[[nodiscard]] LayerPlan plan_layer(const LayerTask& task, std::span<const double> cap,
                                   std::int64_t work, const std::vector<std::int32_t>* from);

}  // namespace moesim::strategies
