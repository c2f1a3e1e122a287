// An iteration run as two micro-batches.
#include <algorithm>
#include <optional>

#include "serving/graph_padding.h"
#include "serving/instance_overlap.h"
#include "serving/micro_batches.h"

namespace moesim::serving {
void InstanceCost::count_split_layers(Stage& stage) {
  stage.leading.assign(stage.layers_of_kind.size(), 0);
  stage.split = stage.layers_of_kind;
  if (stage.stretch_of_moe_layer.empty()) return;
  stage.leading = stage.stretches[stage.stretch_of_moe_layer.front()].layers_of_kind;
  --stage.leading[stage.kind_of_moe_layer.front()];
  for (std::size_t k = 0; k < stage.split.size(); ++k) {
    stage.split[k] -= stage.leading[k] + stage.trailing[k];
  }
}

bool InstanceCost::splits(std::span<const RankBatch> ranks) const {
  const OverlapSettings& settings = deployment_->overlap;
  if (settings.mode != OverlapMode::TwoBatch || !experts_ || ranks.size() == 1) return false;
  bool any = false;
  for (const RankBatch& batch : ranks) {
    if (batch.tokens() == 0) continue;
    any = true;
    const std::int64_t least = batch.prefill_tokens > 0 ? settings.prefill_token_threshold
                                                        : settings.decode_token_threshold;
    if (batch.tokens() < std::max<std::int64_t>(2, least)) return false;
  }
  return any;
}

void InstanceCost::price_halves(std::span<const RankBatch> ranks, bool prefill, bool record) {
  for (MicroBatch& half : halves_) {
    half.batches.clear();
    half.tokens = 0;
  }
  for (const RankBatch& batch : ranks) {
    const auto parts = split_batch(batch);
    for (std::size_t m = 0; m < halves_.size(); ++m) {
      halves_[m].batches.push_back(parts[m]);
      halves_[m].tokens += parts[m].tokens();
    }
  }
  for (MicroBatch& half : halves_) {
    half.computed = half.batches;
    if (graph_ > 0) pad_to((graph_ + 1) / 2, half.computed);
  }
  spread_tokens(ranks, tokens_of_rank_);
  if (rebalancer_) begin_moves();
  for (MicroBatch& half : halves_) {
    half.tokens_of_rank.resize(tokens_of_rank_.size());
    spread_tokens(half.batches, half.tokens_of_rank);
    price_half(half, prefill, record);
  }
}

/// Experts and exchanges of all its layers.
void InstanceCost::price_half(MicroBatch& half, bool prefill, bool record) {
  const std::int64_t most =
      *std::max_element(half.tokens_of_rank.begin(), half.tokens_of_rank.end());
  const placement::Copies copies = experts_->copies(0, prefill, most);
  half.layers.clear();
  half.experts.clear();
  half.records.clear();
  if (samples(record)) {
    sample(half.batches, prefill);
    half.layers.assign(sampled_layers_.begin(), sampled_layers_.end());
    sampled_layers_ = {};
    for (const ExpertLayerTime& layer : half.layers) {
      half.experts.insert(half.experts.end(), half.batches.size(), layer.slowest);
    }
  } else {
    draw_half(half, prefill, record);
  }
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    for (const std::int64_t layer : stages_[s].moe_layers) {
      meet_caches_in(s, half.layers[static_cast<std::size_t>(layer)]);
    }
  }
  const OverlapSettings& settings = deployment_->overlap;
  const bool low_latency = copies == placement::Copies::PerPick;
  const std::int64_t taken = low_latency ? settings.low_latency_comm_sms : settings.comm_sms;
  const auto all = static_cast<double>(deployment_->cluster.gpu.sms);
  half.dispatch_copy = experts_->dispatch_copy(0, copies);
  half.combine_copy = experts_->combine_copy(0, copies);
  half.hooks = taken == 0;
  half.slow_down = taken == 0 ? 1.0 : all / (all - static_cast<double>(taken));
  const std::size_t ranks = half.batches.size();
  for (std::size_t l = 0; l < half.layers.size(); ++l) {
    ExpertLayerTime& layer = half.layers[l];
    for (std::size_t r = 0; r < ranks; ++r) {
      Seconds& own = half.experts[l * ranks + r];
      own = slowed(half.slow_down, own, layer.mean);
    }
    layer.slowest = slowed(half.slow_down, layer.slowest, layer.mean);
    slow_down(half.slow_down, layer.mean);
  }
}

void InstanceCost::draw_half(MicroBatch& half, bool prefill, bool record) {
  const auto tp = static_cast<std::size_t>(deployment_->layout.tp);
  experts_->begin_iteration(half.batches);
  if (rebalancer_) watch_tokens();
  if (sampled_) count_exact(half.batches, prefill);
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    expect_neighbours(s);
    for (const std::int64_t layer : stages_[s].moe_layers) {
      half.layers.push_back(experts_->price(layer, s, half.tokens_of_rank, prefill,
                                            record ? &half.records.emplace_back() : nullptr));
      if (rebalancer_) watch_layer(layer);
      // The tp GPUs of an attention rank go on together.
      const std::span<const Seconds> times = experts_->rank_times();
      for (std::size_t r = 0; r < half.batches.size(); ++r) {
        const auto own = times.subspan(r * tp, tp);
        half.experts.push_back(*std::max_element(own.begin(), own.end()));
      }
    }
  }
}

void InstanceCost::add_overlapped(std::span<const RankBatch> ranks, std::size_t stage_index,
                                  bool prefill, StageTimeline* drawn, StepTime& time) {
  const Stage& stage = stages_[stage_index];
  time.split = true;
  std::optional<StageDrawing> drawing;
  if (drawn != nullptr) drawing.emplace(begin_drawing(ranks, stage_index, *drawn));
  const auto draw_whole = [&](bool leading) {
    if (drawing) draw_whole_layers(ranks, stage_index, leading, *drawing);
  };
  if (stage.moe_layers.empty()) {
    add_stretches(ranks.size(), stage, time);
    draw_whole(true);
  } else {
    add_layers(ranks.size(), stage.leading, 1.0, time);
    draw_whole(true);
    std::optional<OverlapDrawing> observer;
    if (drawing) observer.emplace(*this, stage, *drawing, *drawn);
    const bool five = !prefill && deployment_->overlap.splits_attention;
    const OverlappedStage overlapped(*this, stage, five);
    const TwoBatchTime run = run_two_batches(
        ranks.size(), stage.moe_layers.size(), five ? StagesOfLayer::Five : StagesOfLayer::Three,
        [&](std::size_t half, std::size_t layer) { return overlapped.work(half, layer); }, streams_,
        observer ? &*observer : nullptr);
    book_halves(stage, run, time);
    if (drawing) drawing->meet(-1, static_cast<std::size_t>(deployment_->layout.tp));
    add_layers(ranks.size(), stage.trailing, 1.0, time);
    draw_whole(false);
  }
  if (drawing && stage_index + 1 == stages_.size()) {
    draw_ends(ranks, stage_index == 0, true, *drawing);
  }
}

/// Everything a rank did in the schedule, in the mean; the rest is waiting.
void InstanceCost::book_halves(const Stage& stage, const TwoBatchTime& run, StepTime& time) const {
  const std::size_t kinds = model_->kinds.size();
  StepTime own;
  LimitedTime dispatch;
  LimitedTime combine;
  for (const MicroBatch& half : halves_) {
    const double share = 1.0 / static_cast<double>(half.batches.size());
    for (std::size_t i = 0; i < half.kind_times.size(); ++i) {
      const double times = share * stage.split[i % kinds];
      own.add(StepPart::Attention, times, half.kind_times[i].attention);
      own.add(StepPart::FeedForward, times, half.kind_times[i].feed_forward);
      own.add(StepPart::AllReduce, times, half.kind_times[i].all_reduce);
    }
    for (const std::int64_t layer : stage.moe_layers) {
      const ExpertLayerTime& t = half.layers[static_cast<std::size_t>(layer)];
      own.add(StepPart::Experts, 1.0, t.mean);
      dispatch.add(1.0, t.dispatch);
      combine.add(1.0, t.combine);
    }
  }
  const Seconds all = dispatch.sum() + combine.sum();
  // Work at the ends of an exchange is never hidden.
  const Seconds ends = all - run.flights;
  const auto shown = [&](const LimitedTime& whole, Seconds exposed) {
    return all > Seconds{} && whole.sum() > Seconds{}
               ? std::min(1.0, (exposed + ends * (whole.sum() / all)) / whole.sum())
               : 0.0;
  };
  const double dispatch_shown = shown(dispatch, run.exposed_dispatch);
  const double combine_shown = shown(combine, run.exposed_combine);
  own.add(StepPart::Dispatch, dispatch_shown, dispatch);
  own.add(StepPart::Combine, combine_shown, combine);
  time.hidden.add(1.0 - dispatch_shown, dispatch);
  time.hidden.add(1.0 - combine_shown, combine);
  Seconds booked;
  for (std::size_t p = 0; p < kStepParts; ++p) {
    booked += own.parts[p];
    time.parts[p] += own.parts[p];
    time.limits[p].add(1.0, own.limits[p]);
  }
  time[StepPart::Waiting] += std::max(Seconds{}, run.total - booked);
  time.total += run.total;
}

}  // namespace moesim::serving
