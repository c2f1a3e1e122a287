#include "serving/instance_cost.h"

#include <algorithm>
#include <utility>

#include "serving/step_overhead.h"

namespace moesim::serving {

InstanceCost::InstanceCost(const Deployment& deployment, ModelCost& model,
                           const topology::Topology& topology, const ExpertPlan* experts,
                           std::int64_t replica, std::uint64_t seed)
    : deployment_(&deployment), model_(&model) {
  const auto groups = stage_groups(deployment, replica);
  lay_out_stages(topology, groups);
  count_neighbours(topology, groups);
  if (experts != nullptr) {
    const auto number = static_cast<std::uint64_t>(deployment.first_instance + replica);
    top_k_ = experts->routing.top_k;
    experts_.emplace(deployment, model.kernels, *experts, topology, groups,
                     RandomStream(seed, "routing", number),
                     RandomStream(seed, "bank picks", number));
    if (deployment.experts.rebalancing) {
      rebalancer_ = std::make_unique<Rebalancer>(deployment, topology, groups, experts->routing,
                                                 experts->placement, seed);
    }
  }
  const auto ranks = static_cast<std::size_t>(deployment.layout.dp);
  kind_times_.resize(ranks * model.kinds.size());
  tokens_passed_.resize(ranks);
  tokens_of_rank_.resize(static_cast<std::size_t>(deployment.layout.ep));
  times_.resize(stages_.size());
}

void InstanceCost::expect_neighbours(std::size_t stage_index) {
  const double busy = busy_neighbours(stages_[stage_index]);
  if (busy > 0.0) experts_->set_neighbours(stage_index, busy);
}

std::span<const StepTime> InstanceCost::price(std::span<const RankBatch> ranks,
                                              IterationTimeline* drawn) {
  std::int64_t tokens = 0;
  bool prefill = false;
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    tokens += ranks[r].tokens();
    tokens_passed_[r] += ranks[r].tokens();
    prefill = prefill || ranks[r].prefill_tokens > 0;
  }
  sampled_layers_ = {};
  const std::span<const RankBatch> computed = padded(ranks);
  const bool split = splits(ranks);
  expect_caches(ranks, prefill);
  if (split) {
    price_halves(ranks, prefill, drawn != nullptr);
  } else {
    begin_experts(ranks, prefill, drawn != nullptr);
  }
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    StepTime& time = times_[s] = {};
    StageTimeline* const stage = drawn == nullptr ? nullptr : &drawn->stages.emplace_back();
    if (!moves_.empty()) add_moves(s, time);
    time_kinds(computed, stages_[s], false, kind_times_);
    if (split) {
      add_overlapped(ranks, s, prefill, stage, time);
    } else {
      add_stretches(ranks.size(), stages_[s], time);
      if (experts_) {
        expect_neighbours(s);
        add_experts(s, tokens, prefill, drawn != nullptr, time);
      }
    }
    add_ends(ranks, s, time);
    add_launches(ranks, stages_[s], time);
    add_engine_overhead(*deployment_, ranks, s == 0, stages_[s].layers(), time);
    add_swaps(ranks, time);
    if (stage != nullptr && !split) draw_stage(ranks, s, *stage);
    count_exchanges(ranks.size(), stages_[s], time);
    add_drafts(ranks, s, prefill, stage, time);
    stages_[s].passed += time.total;
    if (stage != nullptr) stage->length = time.total;
  }
  if (rebalancer_) rebalancer_->end_iteration();
  return times_;
}

void InstanceCost::begin_experts(std::span<const RankBatch> ranks, bool prefill, bool drawn) {
  if (samples(drawn)) {
    sample(ranks, prefill);
  } else if (experts_) {
    spread_tokens(ranks, tokens_of_rank_);
    experts_->begin_iteration(ranks);
    if (sampled_) count_exact(ranks, prefill);
  }
  if (!rebalancer_) return;
  begin_moves();
  watch_tokens();
}

void InstanceCost::time_kinds(std::span<const RankBatch> ranks, const Stage& stage, bool halves,
                              std::vector<KindTime>& times) const {
  const std::size_t kinds = model_->kinds.size();
  const bool reduces = deployment_->layout.tp > 1;
  const bool exchanges = deployment_->layout.dp > 1;
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    const RankBatch& batch = ranks[r];
    const Bytes activations = static_cast<double>(batch.tokens() * deployment_->model.hidden) *
                              deployment_->precision.activation_element;
    LimitedTime all_reduce;
    LimitedTime all_gather;
    if (reduces) {
      stage.all_reduce.add(activations, all_reduce);
      stage.all_gather.add(activations, all_gather);
    }
    for (std::size_t k = 0; k < kinds; ++k) {
      ModelCost::Kind& kind = model_->kinds[k];
      KindTime& time = times[r * kinds + k] = {};
      if (batch.tokens() == 0) continue;
      const TokenTimes& fixed = kind.tokens.at(batch.tokens());
      time.attention = fixed.attention;
      time.feed_forward = halves ? fixed.feed_forward : fixed.feed_forward_beside;
      kind.add_attention(batch, time.attention);
      time.shared = fixed.shared;
      time.before_core = kind.before_core(batch, fixed);
      // After attention, and after the feed-forward; tokens that came back from experts on other
      // attention ranks need only be gathered.
      if (kind.tokens.has_attention()) time.all_reduce.add(1.0, all_reduce);
      if (kind.tokens.has_feed_forward()) {
        const bool gathers = kind.moe && exchanges;
        time.all_reduce.add(1.0, gathers ? all_gather : all_reduce);
        if (gathers) time.gathering = all_gather.sum();
      }
      time.sum = time.attention.sum() + time.feed_forward.sum() + time.all_reduce.sum();
    }
  }
}

void InstanceCost::spread_tokens(std::span<const RankBatch> ranks,
                                 std::vector<std::int32_t>& of_rank) const {
  std::fill(of_rank.begin(), of_rank.end(), 0);
  if (ranks.size() == 1) {
    // Every rank holds every token: replicas are chosen as if each token belonged to one of them.
    const std::size_t ep = of_rank.size();
    const auto tokens = static_cast<std::size_t>(ranks[0].tokens());
    for (std::size_t r = 0; r < ep; ++r) {
      of_rank[r] = static_cast<std::int32_t>(tokens / ep + (r < tokens % ep ? 1 : 0));
    }
    return;
  }
  // The tp ranks that share an attention rank each send an even part of its tokens. Ranks that
  // split experts between them count as one.
  const auto tp = static_cast<std::size_t>(deployment_->layout.tp);
  const auto expert_tp = static_cast<std::size_t>(deployment_->layout.expert_tp());
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    const auto tokens = static_cast<std::size_t>(ranks[r].tokens());
    for (std::size_t t = 0; t < tp; ++t) {
      of_rank[(r * tp + t) / expert_tp] +=
          static_cast<std::int32_t>(tokens / tp + (t < tokens % tp ? 1 : 0));
    }
  }
}

void InstanceCost::add_stretches(std::size_t ranks, const Stage& stage, StepTime& time) const {
  for (const Stretch& stretch : stage.stretches) {
    add_layers(ranks, stretch.layers_of_kind, stretch.times, time);
  }
}

void InstanceCost::add_layers(std::size_t ranks, std::span<const std::int32_t> layers_of_kind,
                              double times, StepTime& time) const {
  const std::size_t kinds = model_->kinds.size();
  const double share = 1.0 / static_cast<double>(ranks);
  Seconds slowest;
  Seconds sum;
  for (std::size_t r = 0; r < ranks; ++r) {
    Seconds own;
    for (std::size_t k = 0; k < kinds; ++k) {
      const double n = layers_of_kind[k];
      if (n == 0.0) continue;
      const KindTime& t = kind_times_[r * kinds + k];
      time.add(StepPart::Attention, times * share * n, t.attention);
      time.add(StepPart::FeedForward, times * share * n, t.feed_forward);
      time.add(StepPart::AllReduce, times * share * n, t.all_reduce);
      own += n * t.sum;
    }
    sum += own;
    slowest = std::max(slowest, own);
  }
  time[StepPart::Waiting] += times * std::max(Seconds{}, slowest - share * sum);
  time.total += times * slowest;
}

void InstanceCost::add_experts(std::size_t stage_index, std::int64_t tokens, bool prefill,
                               bool record, StepTime& time) {
  if (tokens == 0) return;
  for (const std::int64_t layer : stages_[stage_index].moe_layers) {
    add_expert_layer(layer, stage_index, prefill, record, time);
    if (rebalancer_) watch_layer(layer);
  }
}

void InstanceCost::add_expert_layer(std::int64_t layer, std::size_t stage_index, bool prefill,
                                    bool record, StepTime& time) {
  ExpertLayerTime t = sampled_layers_.empty()
                          ? experts_->price(layer, stage_index, tokens_of_rank_, prefill,
                                            record ? &expert_records_.emplace_back() : nullptr)
                          : sampled_layers_[static_cast<std::size_t>(layer)];
  meet_caches_in(stage_index, t);
  t.add_to(time);
}

void InstanceCost::add_ends(std::span<const RankBatch> ranks, std::size_t stage_index,
                            StepTime& time) {
  const bool last = stage_index + 1 == stages_.size();
  const double share = 1.0 / static_cast<double>(ranks.size());
  Seconds slowest;
  Seconds sum;
  for (const RankBatch& batch : ranks) {
    LimitedTime own;
    if (stage_index == 0) own.add(model_->head.embedding(batch.tokens()));
    if (last) own.add(1.0, model_->head.head(batch.logit_rows));
    time.add(StepPart::Head, share, own);
    slowest = std::max(slowest, own.sum());
    sum += own.sum();
  }
  time[StepPart::Waiting] += std::max(Seconds{}, slowest - share * sum);
  time.total += slowest;
}

Seconds InstanceCost::send(std::size_t stage, std::int64_t tokens) {
  const Seconds time =
      stages_[stage].to_next.time(static_cast<double>(tokens * deployment_->model.hidden) *
                                  deployment_->precision.activation_element);
  stages_[stage].exchanging += time;
  return time;
}

}  // namespace moesim::serving
