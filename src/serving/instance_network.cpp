// Exchanges of an instance beside KV caches on the same network ports.
#include <algorithm>

#include "serving/instance_cost.h"

namespace moesim::serving {

bool InstanceCost::exchanges_on_network() const {
  if (!experts_) return false;
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    if (experts_->flows_on_port(s, placement::Copies::Deduplicated) > 0.0) return true;
  }
  return false;
}

placement::Copies InstanceCost::copies_of(std::span<const RankBatch> ranks, std::size_t stage,
                                          bool prefill) const {
  std::int64_t largest = 0;
  for (const RankBatch& batch : ranks) largest = std::max<std::int64_t>(largest, batch.tokens());
  return experts_->copies(stage, prefill, most_on_a_gpu(ranks.size(), largest));
}

void InstanceCost::expect_caches(std::span<const RankBatch> ranks, bool prefill) {
  if (!exchanges_on_network()) return;
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    Stage& stage = stages_[s];
    stage.share = {.flows = experts_->flows_on_port(s, copies_of(ranks, s, prefill))};
    stage.slower = stage.share.flows > 0.0 ? stage.caches / stage.share.flows : 0.0;
  }
}

void InstanceCost::meet_caches_in(std::size_t stage_index, ExpertLayerTime& time) {
  Stage& stage = stages_[stage_index];
  if (stage.slower <= 0.0) return;
  for (LimitedTime* const way : {&time.dispatch, &time.combine}) {
    const Seconds more = stage.slower * (*way)[Limit::ScaleOut];
    (*way)[Limit::ScaleOut] += more;
    stage.lost_to_caches += more;
  }
}

NetworkShare InstanceCost::network_share(std::size_t stage) const { return stages_[stage].share; }

Seconds InstanceCost::lost_to_caches() const {
  Seconds all;
  for (const Stage& stage : stages_) all += stage.lost_to_caches;
  return all;
}

Seconds InstanceCost::exchanging() const {
  Seconds all;
  for (const Stage& stage : stages_) all += stage.exchanging;
  return all;
}

}  // namespace moesim::serving
