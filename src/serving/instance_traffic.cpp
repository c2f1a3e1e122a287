// What the stages of an instance have sent, handed to the mapping onto links.
#include <algorithm>

#include "serving/instance_cost.h"

namespace moesim::serving {

void InstanceCost::count_exchanges(std::size_t ranks, Stage& stage, const StepTime& time) const {
  stage.exchanging += time[StepPart::Dispatch] + time[StepPart::Combine] + time.hidden.sum();
  Seconds on_network = time.hidden[Limit::ScaleOut];
  for (const StepPart part : {StepPart::Dispatch, StepPart::Combine}) {
    on_network += time.limits[static_cast<std::size_t>(part)][Limit::ScaleOut];
  }
  stage.on_network += on_network;
  if (time.total > Seconds{}) stage.share.of_time = std::min(1.0, on_network / time.total);
  if (deployment_->layout.tp == 1) return;
  const std::size_t kinds = model_->kinds.size();
  stage.collectives.resize(ranks);
  const auto count = [&](const std::vector<KindTime>& times, std::size_t r, std::size_t k,
                         std::int32_t layers) {
    if (layers > 0) stage.collectives[r] += layers * times[r * kinds + k].all_reduce.sum();
  };
  for (std::size_t r = 0; r < ranks; ++r) {
    for (std::size_t k = 0; k < kinds; ++k) {
      if (!time.split) {
        count(kind_times_, r, k, stage.layers_of_kind[k]);
        continue;
      }
      count(kind_times_, r, k, stage.leading[k] + stage.trailing[k]);
      for (const MicroBatch& half : halves_) count(half.kind_times, r, k, stage.split[k]);
    }
  }
}

std::vector<StageTraffic> InstanceCost::traffic() const {
  const plan::Layout& layout = deployment_->layout;
  const Bytes per_token =
      static_cast<double>(deployment_->model.hidden) * deployment_->precision.activation_element;
  std::vector<StageTraffic> traffic;
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    const Stage& stage = stages_[s];
    StageTraffic& to = traffic.emplace_back();
    to.group = stage.group;
    if (s + 1 < stages_.size()) to.next = stages_[s + 1].group;
    to.tp = layout.tp;
    for (std::size_t k = 0; k < model_->kinds.size(); ++k) {
      const ModelCost::Kind& kind = model_->kinds[k];
      const bool gathers = kind.moe && layout.dp > 1;
      const std::int64_t layers = stage.layers_of_kind[k];
      to.all_reduces += kind.tokens.has_attention() ? layers : 0;
      if (kind.tokens.has_feed_forward()) (gathers ? to.all_gathers : to.all_reduces) += layers;
    }
    for (const std::int64_t tokens : tokens_passed_) {
      to.activations.push_back(static_cast<double>(tokens) * per_token);
    }
    to.exchanging = stage.exchanging;
    if (!stage.collectives.empty()) {
      to.exchanging += *std::max_element(stage.collectives.begin(), stage.collectives.end());
    }
    if (experts_) experts_->add_traffic(s, to);
    scale_traffic(to);
  }
  return traffic;
}

}  // namespace moesim::serving
