// The model's own multi-token-prediction module, which drafts tokens after each pass of the model.
//
// It is one more layer of the last kind with a projection of two hidden states before it and the
// head behind it. The first pass takes every token of the iteration, so that the module's cache
// follows the model's; each further draft is one token of each decoding sequence.
// Source: DeepSeek-V3 report, section 2.2 (2024); how engines run it: docs/models/speculative.md.
#include <algorithm>
#include <optional>

#include "serving/instance_cost.h"

namespace moesim::serving {

void InstanceCost::batches_of_draft(std::span<const RankBatch> ranks, std::int32_t draft) {
  draft_batches_.assign(ranks.begin(), ranks.end());
  for (RankBatch& batch : draft_batches_) {
    const std::int32_t prompts = batch.logit_rows - batch.decode_tokens();
    if (draft == 0) {
      batch.logit_rows = batch.decode_sequences + prompts;
      continue;
    }
    RankBatch next;
    next.decode_sequences = batch.decode_sequences;
    next.decode_context = batch.decode_context;
    next.logit_rows = batch.decode_sequences;
    batch = next;
  }
}

void InstanceCost::add_drafts(std::span<const RankBatch> ranks, std::size_t stage_index,
                              bool prefill, StageTimeline* drawn, StepTime& time) {
  const Speculation& speculation = deployment_->scheduler.speculation;
  if (speculation.method != DraftMethod::Mtp || stage_index + 1 != stages_.size()) return;
  const auto exchanged = [&] { return time[StepPart::Dispatch] + time[StepPart::Combine]; };
  const Seconds before = exchanged();
  for (std::int32_t draft = 0; draft < speculation.window(); ++draft) {
    batches_of_draft(ranks, draft);
    const bool any = std::any_of(draft_batches_.begin(), draft_batches_.end(),
                                 [](const RankBatch& batch) { return batch.tokens() > 0; });
    if (any) add_draft(stage_index, prefill && draft == 0, drawn, time);
  }
  stages_[stage_index].exchanging += exchanged() - before;
}

void InstanceCost::add_draft(std::size_t stage_index, bool prefill, StageTimeline* drawn,
                             StepTime& time) {
  const Stage& stage = stages_[stage_index];
  const std::span<const RankBatch> ranks = draft_batches_;
  const catalog::Model& model = deployment_->model;
  const std::int64_t number = model.layers();
  const auto kind = static_cast<std::size_t>(&model.layer(number - 1) - model.kinds.data());
  std::optional<StageDrawing> drawing;
  if (drawn != nullptr) {
    drawing.emplace(stage.group.size(), *drawn);
    drawing->start_at(time.total);
  }
  time_kinds(ranks, stage, false, kind_times_);
  std::vector<std::int32_t> layers(model_->kinds.size(), 0);
  layers[kind] = 1;
  add_layers(ranks.size(), layers, 1.0, time);
  if (drawing) draw_layer(ranks, stage, number, kind, *drawing);
  if (model_->kinds[kind].moe && samples(drawing.has_value())) {
    ExpertLayerTime sampled = sample_draft(ranks, stage_index, prefill);
    meet_caches_in(stage_index, sampled);
    sampled.add_to(time);
  } else if (model_->kinds[kind].moe) {
    spread_tokens(ranks, tokens_of_rank_);
    experts_->begin_iteration(ranks);
    // Of the last layer: the module's own routing is not known.
    add_expert_layer(stage.moe_layers.back(), stage_index, prefill, drawing.has_value(), time);
    if (drawing) {
      draw_experts(static_cast<std::int32_t>(number), expert_records_.back(), *drawn, *drawing);
      if (ranks.size() == 1) draw_reduction(ranks, stage, number, false, *drawing);
      expert_records_.clear();
    }
  }
  const double share = 1.0 / static_cast<double>(ranks.size());
  Seconds slowest;
  Seconds sum;
  if (drawing) drawing->meet(-1, static_cast<std::size_t>(deployment_->layout.tp));
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    LimitedTime own;
    if (ranks[r].tokens() > 0) own = model_->draft_ends(ranks[r]);
    time.add(StepPart::Head, share, own);
    slowest = std::max(slowest, own.sum());
    sum += own.sum();
    for (std::int64_t t = 0; drawing && t < deployment_->layout.tp; ++t) {
      drawing->add(
          r * static_cast<std::size_t>(deployment_->layout.tp) + static_cast<std::size_t>(t),
          {.part = StepPart::Head, .by = own, .tokens = ranks[r].logit_rows});
    }
  }
  if (drawing) drawing->meet(-1, static_cast<std::size_t>(deployment_->layout.tp));
  time[StepPart::Waiting] += std::max(Seconds{}, slowest - share * sum);
  time.total += slowest;
}

}  // namespace moesim::serving
