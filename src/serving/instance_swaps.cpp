// KV blocks on their way to the host or back, before a stage computes.
#include <algorithm>

#include "serving/instance_cost.h"

namespace moesim::serving {

LimitedTime InstanceCost::swap_time(const RankBatch& batch) const {
  LimitedTime time;
  if (batch.swapped_blocks == 0) return time;
  time[Limit::Latency] = swap_price_.latency;
  time[Limit::HostLink] = swap_price_.time(batch.swapped_blocks) - swap_price_.latency;
  return time;
}

void InstanceCost::add_swaps(std::span<const RankBatch> ranks, StepTime& time) const {
  const double share = 1.0 / static_cast<double>(ranks.size());
  Seconds slowest;
  Seconds mean;
  for (const RankBatch& batch : ranks) {
    const LimitedTime own = swap_time(batch);
    time.add(StepPart::Swap, share, own);
    slowest = std::max(slowest, own.sum());
    mean += share * own.sum();
  }
  time[StepPart::Waiting] += std::max(Seconds{}, slowest - mean);
  time.total += slowest;
}

}  // namespace moesim::serving
