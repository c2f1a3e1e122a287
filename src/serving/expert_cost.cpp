#include "serving/expert_cost.h"

#include <algorithm>
#include <numeric>
#include <utility>
namespace moesim::serving {
namespace {

std::int64_t sum_of(std::span<const std::int32_t> counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

}  // namespace

std::int64_t expert_width(const catalog::Model& model) {
  for (const catalog::LayerKind& kind : model.kinds) {
    if (kind.feed_forward.is_moe() && kind.feed_forward.expert_hidden > 0) {
      return kind.feed_forward.expert_hidden;
    }
  }
  return model.hidden;
}

ExpertCost::ExpertCost(const Deployment& deployment, Kernels& kernels, const ExpertPlan& plan,
                       const topology::Topology& topology,
                       const std::vector<std::vector<GpuId>>& groups, RandomStream stream,
                       RandomStream picks)
    : exchanges_(deployment.layout.dp > 1),
      dispatcher_(plan.routing, *plan.placement),
      traffic_(dispatcher_.make_traffic()),
      stream_(stream) {
  if (plan.router != nullptr) dispatcher_.draw_from(*plan.router);
  if (plan.bank != nullptr) picker_.emplace(*plan.bank, picks);
  const catalog::Model& model = deployment.model;
  const TokensCome tokens =
      exchanges_ ? way_of_tokens(deployment, topology, groups.front()) : TokensCome::NotSent;
  for (const catalog::LayerRun& run : model.runs) {
    const catalog::FeedForward& block =
        model.kinds[static_cast<std::size_t>(run.kind)].feed_forward;
    if (!block.is_moe()) continue;
    const operators::ExpertShape shape{
        .hidden = expert_width(model),
        .intermediate = block.expert_intermediate / deployment.layout.expert_tp(),
        .matrices = block.matrices};
    const auto kernels_for = [&](operators::ExpertLayout layout) {
      return kernels.experts(shape, plan.placement->shape.slots_per_rank, block.top_k, tokens,
                             layout);
    };
    timer_of_layer_.insert(timer_of_layer_.end(), static_cast<std::size_t>(run.count),
                           timers_.size());
    timers_.push_back({.contiguous = kernels_for(operators::ExpertLayout::Contiguous),
                       .masked = kernels_for(operators::ExpertLayout::Masked)});
  }
  const routing::RoutingShape& shape = plan.routing;
  for (const std::vector<GpuId>& group : groups) {
    if (!exchanges_) break;
    exchange_of_stage_.emplace_back(deployment, kernels, topology, group, shape.top_k,
                                    shape.experts);
    if (exchange_of_stage_.back().counts_pairs()) {
      traffic_.between_ranks.assign(group.size() * group.size(), 0);
    }
  }
  domain_of_gpu_ = plan.placement->shape.domain_of_rank;
  if (exchanges_ && deployment.layout.expert_tp() > 1) {
    split_ = deployment.layout.expert_tp();
    const operators::AllToAll links(topology, groups.front());
    domain_of_gpu_.assign(links.domain_of_rank().begin(), links.domain_of_rank().end());
    const std::size_t gpus = domain_of_gpu_.size();
    tokens_of_gpu_.resize(gpus);
    gathered_.to_node.resize(gpus * static_cast<std::size_t>(links.domains()));
    gathered_.scale_up_in.resize(gpus);
    gathered_.scale_up_out.resize(gpus);
    gathered_.network_in.resize(gpus);
  }
  sent_ = std::make_shared<std::vector<ExchangeTotals>>();
  for (std::size_t i = 0; i < 2 * exchange_of_stage_.size(); ++i) {
    sent_->push_back(
        {.copies = i % 2 == 1 ? placement::Copies::PerPick : placement::Copies::Deduplicated});
  }
  statistics_ = no_statistics();
}

void ExpertStatistics::add(double times, const ExpertStatistics& other) {
  for (std::size_t l = 0; l < mean_load.size(); ++l) {
    mean_load[l] += times * other.mean_load[l];
    max_load[l] += times * other.max_load[l];
  }
  copies_between_nodes += times * other.copies_between_nodes;
  token_layers += times * other.token_layers;
}

ExpertStatistics ExpertCost::no_statistics() const {
  ExpertStatistics none;
  none.mean_load.assign(timer_of_layer_.size(), 0.0);
  none.max_load.assign(timer_of_layer_.size(), 0.0);
  return none;
}

void ExpertCost::time_ranks(const operators::ExpertKernels& kernels, std::size_t layer,
                            std::span<const std::int32_t> tokens_of_rank, ExpertLayerTime& time) {
  std::int64_t group_tokens = 0;
  for (const std::int32_t t : tokens_of_rank) group_tokens += t;
  const std::size_t ranks = tokens_of_rank.size();
  rank_times_.resize(ranks);
  const double share = 1.0 / static_cast<double>(ranks);
  std::int64_t pairs = 0;
  std::int64_t largest = 0;
  for (std::size_t r = 0; r < ranks; ++r) {
    const std::span<const std::int32_t> slots =
        dispatcher_.slots_of(traffic_, static_cast<std::int64_t>(r));
    const operators::OperatorTime t = time_of(kernels, slots, group_tokens);
    rank_times_[r] = t.time;
    time.slowest = std::max(time.slowest, t.time);
    time.mean[LimitedTime::limit_of(t.bound)] += share * t.time;
    const std::int64_t load = sum_of(slots);
    pairs += load;
    largest = std::max(largest, load);
  }
  statistics_.mean_load[layer] += static_cast<double>(pairs) * share;
  statistics_.max_load[layer] += static_cast<double>(largest);
  statistics_.token_layers += static_cast<double>(group_tokens);
}

operators::OperatorTime ExpertCost::time_of(const operators::ExpertKernels& kernels,
                                            std::span<const std::int32_t> slots,
                                            std::int64_t group_tokens) {
  if (passes_ == 1) return kernels.time(slots, group_tokens);
  pass_slots_.assign(slots.begin(), slots.end());
  for (std::int32_t& n : pass_slots_) {
    n = static_cast<std::int32_t>((n + passes_ - 1) / passes_);
  }
  operators::OperatorTime t = kernels.time(pass_slots_, (group_tokens + passes_ - 1) / passes_);
  t.time = static_cast<double>(passes_) * t.time;
  return t;
}

/// The same again, rank by rank.
void ExpertCost::record_ranks(const operators::ExpertKernels& kernels,
                              std::span<const std::int32_t> tokens_of_rank,
                              ExpertLayerRecord& record) {
  const auto group_tokens =
      std::accumulate(tokens_of_rank.begin(), tokens_of_rank.end(), std::int64_t{0});
  for (std::int64_t r = 0; r < std::ssize(tokens_of_rank); ++r) {
    const std::span<const std::int32_t> slots = dispatcher_.slots_of(traffic_, r);
    record.experts.push_back(time_of(kernels, slots, group_tokens));
    record.pairs.push_back(sum_of(slots));
  }
}

void ExpertCost::begin_iteration(std::span<const RankBatch> ranks) {
  if (picker_) bank_tokens_ = picker_->pick(ranks);
}

void ExpertCost::choose_copies(std::size_t stage, std::span<const std::int32_t> tokens_of_rank,
                               bool prefill) {
  if (!exchanges_) return;
  const std::int64_t most = *std::max_element(tokens_of_rank.begin(), tokens_of_rank.end());
  copies_ = exchange_of_stage_[stage].copies(prefill, most);
  passes_ = exchange_of_stage_[stage].passes(most);
}

void ExpertCost::draw(std::int64_t layer, std::span<const std::int32_t> tokens_of_rank) {
  if (picker_) {
    dispatcher_.count(layer, tokens_of_rank, picker_->bank(), bank_tokens_, stream_.next(),
                      traffic_, copies_);
  } else {
    dispatcher_.run(layer, tokens_of_rank, stream_, traffic_, copies_);
  }
}

ExpertLayerTime ExpertCost::price(std::int64_t layer, std::size_t stage,
                                  std::span<const std::int32_t> tokens_of_rank, bool prefill,
                                  ExpertLayerRecord* record) {
  choose_copies(stage, tokens_of_rank, prefill);
  draw(layer, tokens_of_rank);
  const ExpertLayerTime time = price_drawn(layer, stage, tokens_of_rank);
  if (record != nullptr) {
    record_ranks(kernels_of(layer), tokens_of_rank, *record);
    record->dispatch = time.dispatch;
    record->combine = time.combine;
    if (exchanges_) record->traffic = exchange_of_stage_[stage].last_traffic(carried(), copies_);
  }
  return time;
}

ExpertLayerTime ExpertCost::price_given(std::int64_t layer, std::size_t stage,
                                        std::span<const std::int32_t> tokens_of_rank,
                                        std::span<const std::uint16_t> experts,
                                        std::uint64_t replica_seed, bool prefill) {
  choose_copies(stage, tokens_of_rank, prefill);
  dispatcher_.count(layer, tokens_of_rank, experts, replica_seed, traffic_, copies_);
  return price_drawn(layer, stage, tokens_of_rank);
}

ExpertLayerTime ExpertCost::price_scaled(std::int64_t layer, std::size_t stage,
                                         std::span<const std::int32_t> tokens_of_rank, double pairs,
                                         double copies) {
  const placement::LayerTraffic drawn = traffic_;
  const auto scale = [](std::span<std::int32_t> counts, double factor) {
    for (std::int32_t& n : counts) n = static_cast<std::int32_t>(factor * n + 0.5);
  };
  std::int64_t busiest = 0;
  for (std::int64_t r = 1; r < std::ssize(tokens_of_rank); ++r) {
    if (sum_of(dispatcher_.slots_of(drawn, r)) > sum_of(dispatcher_.slots_of(drawn, busiest))) {
      busiest = r;
    }
  }
  const std::size_t slots = drawn.slot_tokens.size() / tokens_of_rank.size();
  scale(std::span(traffic_.slot_tokens).subspan(static_cast<std::size_t>(busiest) * slots, slots),
        pairs);
  scale(traffic_.to_node, copies);
  scale(traffic_.network_in, copies);
  scale(traffic_.between_ranks, copies);
  const ExpertLayerTime time = price_drawn(layer, stage, tokens_of_rank);
  traffic_ = drawn;
  return time;
}

const operators::ExpertKernels& ExpertCost::kernels_of(std::int64_t layer) const {
  // Low-latency dispatch leaves room for every token of each expert, the normal one packs them.
  const Timers& timers = timers_[timer_of_layer_[static_cast<std::size_t>(layer)]];
  return copies_ == placement::Copies::PerPick ? timers.masked : timers.contiguous;
}

ExpertLayerTime ExpertCost::price_drawn(std::int64_t layer, std::size_t stage,
                                        std::span<const std::int32_t> tokens_of_rank) {
  ExpertLayerTime time;
  time_ranks(kernels_of(layer), static_cast<std::size_t>(layer), tokens_of_rank, time);
  if (exchanges_) {
    const std::int64_t most = *std::max_element(tokens_of_rank.begin(), tokens_of_rank.end());
    TokenExchange& exchange = exchange_of_stage_[stage];
    if (exchange.gathers()) {
      gather(exchange, tokens_of_rank, time);
    } else {
      exchange.add(traffic_, copies_, most, time.dispatch, time.combine);
    }
    (*sent_)[2 * stage + (copies_ == placement::Copies::PerPick ? 1 : 0)].add(carried());
    statistics_.copies_between_nodes += static_cast<double>(carried().token_copies_between_nodes);
  }
  return time;
}

void ExpertCost::gather(TokenExchange& exchange, std::span<const std::int32_t> tokens_of_rank,
                        ExpertLayerTime& time) {
  if (split_ == 1) {
    GatheredTokens::count(domain_of_gpu_, tokens_of_rank, traffic_);
  } else {
    // Of the tokens of a rank of the expert group each of its GPUs brings an even part.
    for (std::size_t g = 0; g < tokens_of_gpu_.size(); ++g) {
      const auto gpu = static_cast<std::int64_t>(g);
      const std::int64_t tokens = tokens_of_rank[static_cast<std::size_t>(gpu / split_)];
      tokens_of_gpu_[g] =
          static_cast<std::int32_t>(tokens / split_ + (gpu % split_ < tokens % split_ ? 1 : 0));
    }
    GatheredTokens::count(domain_of_gpu_, tokens_of_gpu_, gathered_);
  }
  exchange.add_gathered(carried(), sum_of(tokens_of_rank), time.dispatch, time.combine);
}

std::vector<Seconds> ExpertCost::probe_exchanges() {
  std::vector<Seconds> times;
  if (!exchanges_) return times;
  const std::size_t ranks = domain_of_gpu_.size();
  placement::LayerTraffic probe = split_ > 1 ? gathered_ : dispatcher_.make_traffic();
  const std::size_t domains = probe.to_node.size() / ranks;
  for (std::size_t hot = 0; hot < ranks; ++hot) {
    for (std::size_t r = 0; r < ranks; ++r) {
      const std::int32_t copies = r == hot ? 64 : 2;
      const auto own = static_cast<std::size_t>(domain_of_gpu_[r]);
      for (std::size_t d = 0; d < domains; ++d) {
        probe.to_node[r * domains + d] = d == own ? 0 : copies + static_cast<std::int32_t>(d % 3);
      }
      probe.scale_up_in[r] = probe.scale_up_out[r] = copies;
      if (!probe.network_in.empty()) probe.network_in[r] = domains > 1 ? 4 * copies : 0;
    }
    for (TokenExchange& exchange : exchange_of_stage_) {
      if (exchange.feels_neighbours()) continue;  // Those do not only depend on how they lie.
      for (const bool prefill : {false, true}) {
        LimitedTime dispatch;
        LimitedTime combine;
        exchange.add(probe, exchange.copies(prefill, 64), 64, dispatch, combine);
        times.insert(times.end(), dispatch.by.begin(), dispatch.by.end());
        times.insert(times.end(), combine.by.begin(), combine.by.end());
      }
    }
  }
  return times;
}

void ExpertCost::add_traffic(std::size_t stage, StageTraffic& traffic) const {
  if (!exchanges_) return;
  traffic.domain_of_rank = domain_of_gpu_;
  for (std::size_t i = 2 * stage; i < 2 * stage + 2; ++i) {
    if ((*sent_)[i].to_node.empty()) continue;
    ExchangeTotals& to = traffic.exchanges.emplace_back((*sent_)[i]);
    to.dispatch_copy = exchange_of_stage_[stage].dispatch_copy(to.copies);
    to.combine_copy = exchange_of_stage_[stage].combine_copy(to.copies);
  }
}

}  // namespace moesim::serving
