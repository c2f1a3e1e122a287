// Decode steps as captured graphs of fixed sizes, or launched kernel by kernel.
#include <numeric>

#include "serving/graph_padding.h"
#include "serving/instance_cost.h"

namespace moesim::serving {

std::span<const RankBatch> InstanceCost::padded(std::span<const RankBatch> ranks) {
  graph_ = graph_for(deployment_->scheduler.graph_sizes, ranks);
  if (graph_ == 0) return ranks;
  padded_batches_.assign(ranks.begin(), ranks.end());
  pad_to(graph_, padded_batches_);
  return padded_batches_;
}

void InstanceCost::add_launches(std::span<const RankBatch> ranks, const Stage& stage,
                                StepTime& time) const {
  if (graph_ > 0 || deployment_->scheduler.graph_sizes.empty()) return;
  for (const RankBatch& batch : ranks) {
    if (batch.prefill_tokens > 0) return;
  }
  const auto layers =
      std::accumulate(stage.layers_of_kind.begin(), stage.layers_of_kind.end(), std::int32_t{0});
  const Seconds idle = layers * kEagerLayer - time.total;
  if (idle <= Seconds{}) return;
  time[StepPart::Overhead] += idle;
  time.total += idle;
}

}  // namespace moesim::serving
