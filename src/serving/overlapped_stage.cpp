// Times of the pieces of a stage that runs as two micro-batches.
#include <algorithm>

#include "operators/memory_pass.h"
#include "serving/instance_overlap.h"

namespace moesim::serving {
namespace {

ExchangeWork exchange_work(Seconds send, Seconds receive, Seconds whole) {
  const Seconds both = send + receive;
  const double fits = both > whole ? whole / both : 1.0;
  return {
      .send = fits * send, .flight = std::max(Seconds{}, whole - both), .receive = fits * receive};
}

}  // namespace

InstanceCost::OverlappedStage::OverlappedStage(InstanceCost& cost, const Stage& stage, bool five)
    : cost_(cost), stage_(stage) {
  for (std::size_t m = 0; m < 2; ++m) {
    MicroBatch& half = cost.halves_[m];
    half.kind_times.resize(cost.kind_times_.size());
    cost.time_kinds(half.computed, stage, true, half.kind_times);
    for (KindTime& t : half.kind_times) {
      t.before_core = slowed(half.slow_down, t.before_core, t.attention);
      t.shared = slowed(half.slow_down, t.shared, t.feed_forward);
      slow_down(half.slow_down, t.attention);
      slow_down(half.slow_down, t.feed_forward);
      t.sum = t.attention.sum() + t.feed_forward.sum() + t.all_reduce.sum();
    }
    for (const Stretch& stretch : stage.stretches) {
      pieces_[m].push_back(pieces_of(half, stretch.layers_of_kind, five));
    }
    std::vector<std::int32_t> first(stage.layers_of_kind.size(), 0);
    ++first[stage.kind_of_moe_layer.front()];
    pieces_[m].push_back(pieces_of(half, first, five));
    if (half.hooks) set_ends(half, m);
  }
}

LayerWork InstanceCost::OverlappedStage::work(std::size_t m, std::size_t layer) const {
  const MicroBatch& half = cost_.halves_[m];
  const std::size_t ranks = half.batches.size();
  const auto first = static_cast<std::size_t>(stage_.moe_layers.front());
  const Pieces& p = layer == 0 ? pieces_[m].back() : pieces_[m][stage_.stretch_of_moe_layer[layer]];
  const ExpertLayerTime& t = half.layers[first + layer];
  return {
      .attention_in = p.attention_in,
      .attention_out = p.attention_out,
      .shared = p.shared,
      .experts = std::span(half.experts).subspan((first + layer) * ranks, ranks),
      .gather = p.gather,
      .dispatch =
          exchange_work(dispatch_ends_[m].send, dispatch_ends_[m].receive, t.dispatch.sum()),
      .combine = exchange_work(combine_ends_[m].send, combine_ends_[m].receive, t.combine.sum())};
}

/// `layers`: one MoE layer and the dense ones before it.
InstanceCost::OverlappedStage::Pieces InstanceCost::OverlappedStage::pieces_of(
    const MicroBatch& half, std::span<const std::int32_t> layers, bool five) const {
  const std::size_t kinds = layers.size();
  Pieces p;
  for (std::size_t r = 0; r < half.batches.size(); ++r) {
    Seconds before;
    KindTime moe;
    for (std::size_t k = 0; k < kinds; ++k) {
      if (layers[k] == 0) continue;
      const KindTime& t = half.kind_times[r * kinds + k];
      const bool exchanges = cost_.model_->kinds[k].moe;
      before += (layers[k] - (exchanges ? 1 : 0)) * t.sum;
      if (exchanges) moe = t;
    }
    const Seconds in = five ? std::min(moe.before_core, moe.attention.sum()) : Seconds{};
    p.attention_in.push_back(before + in);
    p.attention_out.push_back(std::max(Seconds{}, moe.sum - in - moe.shared - moe.gathering));
    p.shared.push_back(moe.shared);
    p.gather.push_back(moe.gathering);
  }
  return p;
}

/// Copying into and out of the buffers of messages: every copy is read once and written once.
void InstanceCost::OverlappedStage::set_ends(const MicroBatch& half, std::size_t m) {
  const Deployment& d = *cost_.deployment_;
  const double tokens =
      static_cast<double>(half.tokens) / static_cast<double>(half.tokens_of_rank.size());
  const double copies = tokens * static_cast<double>(cost_.top_k_);
  const Bytes own =
      tokens * static_cast<double>(expert_width(d.model)) * d.precision.activation_element;
  const Bytes there = copies * half.dispatch_copy;
  const Bytes back = copies * half.combine_copy;
  const auto pass = [&](Bytes bytes) {
    return operators::memory_pass_time(bytes, 1, d.cluster.gpu, d.efficiency.memory_pass).time;
  };
  dispatch_ends_[m] = {.send = pass(own + there), .receive = pass(2.0 * there)};
  combine_ends_[m] = {.send = pass(2.0 * back), .receive = pass(back + own)};
}

}  // namespace moesim::serving
