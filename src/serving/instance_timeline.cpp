#include <algorithm>
#include <utility>

#include "serving/instance_cost.h"
#include "serving/step_overhead.h"

namespace moesim::serving {

StageDrawing InstanceCost::begin_drawing(std::span<const RankBatch> ranks, std::size_t stage_index,
                                         StageTimeline& drawn) {
  const plan::Layout& layout = deployment_->layout;
  StageDrawing drawing(static_cast<std::size_t>(layout.tp * layout.dp), drawn,
                       kernel_stretch(*deployment_));
  const bool last = stage_index + 1 == stages_.size();
  const LimitedTime& moving =
      times_[stage_index].limits[static_cast<std::size_t>(StepPart::Migration)];
  // Two micro-batches are drawn while they are scheduled, before the overhead is booked.
  const Seconds overhead = std::max(
      times_[stage_index][StepPart::Overhead],
      engine_host_time(*deployment_, ranks, stage_index == 0, stages_[stage_index].layers()));
  for (std::size_t r = 0; r < drawing.ranks(); ++r) {
    drawing.add(r, {.part = StepPart::Migration, .by = moving, .length = moving.sum()});
    const LimitedTime swap = swap_time(ranks[r / static_cast<std::size_t>(layout.tp)]);
    drawing.add(r, {.part = StepPart::Swap, .by = swap, .length = swap.sum()});
    drawing.add(r, {.part = StepPart::Overhead, .length = overhead});
  }
  if (stage_index == 0 && !last) draw_ends(ranks, true, false, drawing);
  return drawing;
}

void InstanceCost::draw_whole_layers(std::span<const RankBatch> ranks, std::size_t stage_index,
                                     bool leading, StageDrawing& drawing) {
  const catalog::Model& model = deployment_->model;
  const plan::StageLayers layers = plan::split_layers(model, deployment_->layout)[stage_index];
  const auto is_moe = [&](std::int64_t layer) { return model.layer(layer).feed_forward.is_moe(); };
  std::int64_t first = layers.first;
  std::int64_t last = layers.last;
  if (leading) {
    for (last = first; last < layers.last && !is_moe(last);) ++last;
  } else {
    for (first = last; first > layers.first && !is_moe(first - 1);) --first;
  }
  for (std::int64_t layer = first; layer < last; ++layer) {
    draw_layer(ranks, stages_[stage_index], layer,
               static_cast<std::size_t>(&model.layer(layer) - model.kinds.data()), drawing);
  }
  drawing.meet(-1, static_cast<std::size_t>(deployment_->layout.tp));
}

void InstanceCost::draw_stage(std::span<const RankBatch> ranks, std::size_t stage_index,
                              StageTimeline& drawn) {
  const plan::Layout& layout = deployment_->layout;
  const bool last = stage_index + 1 == stages_.size();
  StageDrawing drawing = begin_drawing(ranks, stage_index, drawn);
  const plan::StageLayers layers = plan::split_layers(deployment_->model, layout)[stage_index];
  std::size_t moe = 0;
  for (std::int64_t layer = layers.first; layer < layers.last; ++layer) {
    const std::size_t kind = static_cast<std::size_t>(&deployment_->model.layer(layer) -
                                                      deployment_->model.kinds.data());
    draw_layer(ranks, stages_[stage_index], layer, kind, drawing);
    if (!model_->kinds[kind].moe) continue;
    draw_experts(static_cast<std::int32_t>(layer), expert_records_[moe++], drawn, drawing);
    if (layout.dp == 1) draw_reduction(ranks, stages_[stage_index], layer, false, drawing);
  }
  drawing.meet(-1, static_cast<std::size_t>(layout.tp));
  if (last) draw_ends(ranks, stage_index == 0, true, drawing);
  expert_records_.clear();
}

void InstanceCost::draw_layer(std::span<const RankBatch> ranks, const Stage& stage,
                              std::int64_t layer, std::size_t kind, StageDrawing& drawing) {
  const auto tp = static_cast<std::size_t>(deployment_->layout.tp);
  const ModelCost::Kind& k = model_->kinds[kind];
  const auto add = [&](StepPart part, const LimitedTime& (*of)(const KindTime&)) {
    for (std::size_t g = 0; g < drawing.ranks(); ++g) {
      drawing.add(g, {.layer = static_cast<std::int32_t>(layer),
                      .part = part,
                      .by = of(kind_times_[g / tp * model_->kinds.size() + kind]),
                      .tokens = ranks[g / tp].tokens()});
    }
  };
  add(StepPart::Attention, [](const KindTime& t) -> const LimitedTime& { return t.attention; });
  if (k.tokens.has_attention()) draw_reduction(ranks, stage, layer, false, drawing);
  add(StepPart::FeedForward,
      [](const KindTime& t) -> const LimitedTime& { return t.feed_forward; });
  if (!k.tokens.has_feed_forward()) return;
  const bool exchanges = deployment_->layout.dp > 1;
  // Without an exchange what the experts give is summed after them.
  if (!k.moe || exchanges) draw_reduction(ranks, stage, layer, k.moe, drawing);
}

void InstanceCost::draw_reduction(std::span<const RankBatch> ranks, const Stage& stage,
                                  std::int64_t layer, bool gather, StageDrawing& drawing) const {
  const auto tp = static_cast<std::size_t>(deployment_->layout.tp);
  if (tp == 1) return;
  const GroupCollective& collective = gather ? stage.all_gather : stage.all_reduce;
  for (std::size_t g = 0; g < drawing.ranks(); ++g) {
    const std::int64_t tokens = ranks[g / tp].tokens();
    if (tokens == 0) continue;
    const Bytes message = static_cast<double>(tokens * deployment_->model.hidden) *
                          deployment_->precision.activation_element;
    LimitedTime time;
    collective.add(message, time);
    drawing.add(g, {.layer = static_cast<std::int32_t>(layer),
                    .part = StepPart::AllReduce,
                    .all_gather = gather,
                    .by = time,
                    .tokens = tokens,
                    .sent = message,
                    .link_use = collective.link_use(message)});
  }
}

void InstanceCost::draw_experts(std::int32_t layer, ExpertLayerRecord& record, StageTimeline& drawn,
                                StageDrawing& drawing) const {
  const auto tp = static_cast<std::size_t>(deployment_->layout.tp);
  const auto expert_tp = static_cast<std::size_t>(deployment_->layout.expert_tp());
  const bool exchanged = record.traffic.has_value();
  // GPUs that split experts between them bring even parts.
  std::vector<std::int32_t> tokens(drawing.ranks());
  for (std::size_t g = 0; exchanged && g < tokens.size(); ++g) {
    const auto of_rank = static_cast<std::size_t>(tokens_of_rank_[g / expert_tp]);
    tokens[g] = static_cast<std::int32_t>(of_rank / expert_tp +
                                          (g % expert_tp < of_rank % expert_tp ? 1 : 0));
  }
  if (exchanged) {
    drawing.meet(layer, tp);
    drawn.traffic.push_back(std::move(*record.traffic));
    drawing.exchange(StepPart::Dispatch, layer, record.dispatch, tokens);
  }
  for (std::size_t g = 0; g < drawing.ranks(); ++g) {
    const std::size_t e = g / expert_tp;
    TimelineSpan span{.layer = layer, .part = StepPart::Experts, .tokens = record.pairs[e]};
    span.by.add(record.experts[e]);
    drawing.add(g, span);
  }
  drawing.meet(layer, expert_tp);
  if (exchanged) drawing.exchange(StepPart::Combine, layer, record.combine, tokens);
}

void InstanceCost::draw_ends(std::span<const RankBatch> ranks, bool first, bool last,
                             StageDrawing& drawing) {
  const auto tp = static_cast<std::size_t>(deployment_->layout.tp);
  for (std::size_t g = 0; g < drawing.ranks(); ++g) {
    const RankBatch& batch = ranks[g / tp];
    TimelineSpan span{.part = StepPart::Head, .tokens = last ? batch.logit_rows : batch.tokens()};
    if (first) span.by.add(model_->head.embedding(batch.tokens()));
    if (last) span.by.add(1.0, model_->head.head(batch.logit_rows));
    drawing.add(g, span);
  }
  drawing.meet(-1, tp);
}

}  // namespace moesim::serving
