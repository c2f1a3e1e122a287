// Experts that move while an instance serves.
#include <algorithm>

#include "serving/instance_cost.h"

namespace moesim::serving {

std::optional<RebalancingSummary> InstanceCost::rebalancing() const {
  if (!rebalancer_) return std::nullopt;
  return rebalancer_->summary();
}

void InstanceCost::begin_moves() {
  moves_ = rebalancer_->begin_iteration();
  if (!moves_.empty()) forget_samples();
  for (const LayerMoves& moved : moves_) {
    experts_->set_layer(moved.layer, rebalancer_->slots(moved.layer));
  }
}

void InstanceCost::watch_tokens() {
  if (rebalancer_->watches() && experts_->bank() != nullptr) {
    rebalancer_->watch(*experts_->bank(), experts_->bank_tokens());
  }
}

/// The stage starts with the moves of its own layers.
void InstanceCost::add_moves(std::size_t stage_index, StepTime& time) {
  const std::vector<std::int64_t>& layers = stages_[stage_index].moe_layers;
  std::vector<const LayerMoves*> own;
  for (const LayerMoves& moved : moves_) {
    if (std::binary_search(layers.begin(), layers.end(), moved.layer)) own.push_back(&moved);
  }
  if (own.empty()) return;
  const LimitedTime moving = rebalancer_->move(stage_index, own);
  time.add(StepPart::Migration, 1.0, moving);
  time.total += moving.sum();
}

void InstanceCost::watch_layer(std::int64_t layer) {
  if (rebalancer_->watches()) rebalancer_->watch(layer, experts_->slot_tokens());
}

}  // namespace moesim::serving
