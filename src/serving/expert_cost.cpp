#include "serving/expert_cost.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "routing/model_shape.h"

namespace moesim::serving {

std::int64_t expert_width(const catalog::Model& model) {
  for (const catalog::LayerKind& kind : model.kinds) {
    if (kind.feed_forward.is_moe() && kind.feed_forward.expert_hidden > 0) {
      return kind.feed_forward.expert_hidden;
    }
  }
  return model.hidden;
}

std::optional<ExpertPlan> make_expert_plan(const Deployment& deployment,
                                           std::vector<std::int32_t> group_domains,
                                           std::uint64_t seed) {
  if (!deployment.model.is_moe()) return std::nullopt;
  const auto shape_of_layers = routing::routing_shape(deployment.model);
  MOESIM_CHECK(shape_of_layers.has_value(), "routed layers that differ passed the checks");
  const routing::RoutingShape& routing = *shape_of_layers;
  const std::int64_t ep = deployment.layout.ep;
  const placement::PlacementShape shape{
      .moe_layers = routing.moe_layers,
      .experts = routing.experts,
      .ranks = ep,
      .slots_per_rank = (routing.experts + deployment.experts.redundant_experts) / ep,
      .expert_groups = routing.groups,
      .domain_of_rank = std::move(group_domains)};
  const auto strategy = placement::make_strategy(deployment.experts.placement_strategy);
  MOESIM_CHECK(strategy != nullptr, "an unknown placement strategy passed the scenario's checks");
  return ExpertPlan{.router = routing::ExpertRouter(routing, deployment.experts.popularity),
                    .placement = strategy->place(shape, deployment.experts.popularity.share, seed)};
}

ExpertCost::ExpertCost(const Deployment& deployment, const ExpertPlan& plan,
                       const topology::Topology& topology,
                       const std::vector<std::vector<GpuId>>& groups, RandomStream stream)
    : exchanges_(deployment.layout.dp > 1),
      dispatch_copy_(static_cast<double>(expert_width(deployment.model)) *
                     deployment.precision.dispatch_element),
      combine_copy_(static_cast<double>(expert_width(deployment.model)) *
                    deployment.precision.combine_element),
      dispatcher_(plan.router, plan.placement),
      traffic_(dispatcher_.make_traffic()),
      loads_(static_cast<std::size_t>(deployment.layout.ep)),
      stream_(stream) {
  const catalog::Model& model = deployment.model;
  for (const catalog::LayerRun& run : model.runs) {
    const catalog::FeedForward& block =
        model.kinds[static_cast<std::size_t>(run.kind)].feed_forward;
    if (!block.is_moe()) continue;
    const operators::ExpertShape shape{
        .hidden = expert_width(model),
        .intermediate = block.expert_intermediate / deployment.layout.expert_tp(),
        .matrices = block.matrices};
    const operators::ExpertTimer timer(shape, deployment.precision.routed_experts,
                                       deployment.precision.activation_element,
                                       deployment.cluster.gpu, deployment.efficiency.grouped_gemm);
    timer_of_layer_.insert(timer_of_layer_.end(), static_cast<std::size_t>(run.count), timer);
  }
  if (exchanges_) {
    for (const std::vector<GpuId>& group : groups) all_to_all_.emplace_back(topology, group);
  }
  statistics_.mean_load.assign(timer_of_layer_.size(), 0.0);
  statistics_.max_load.assign(timer_of_layer_.size(), 0.0);
}

ExpertLayerTime ExpertCost::price(std::int64_t layer, std::size_t stage,
                                  std::span<const std::int32_t> tokens_of_rank) {
  const auto l = static_cast<std::size_t>(layer);
  dispatcher_.run(layer, tokens_of_rank, stream_, traffic_);
  dispatcher_.rank_loads(traffic_, loads_);
  ExpertLayerTime time;
  std::int64_t tokens = 0;
  std::int64_t largest = 0;
  for (const placement::RankLoad& load : loads_) {
    const Seconds t = timer_of_layer_[l]
                          .time({.tokens = load.tokens,
                                 .experts_touched = load.experts_touched,
                                 .max_tokens = load.max_tokens})
                          .time;
    time.slowest = std::max(time.slowest, t);
    time.mean += t;
    tokens += load.tokens;
    largest = std::max(largest, load.tokens);
  }
  const auto ranks = static_cast<double>(loads_.size());
  time.mean /= ranks;
  statistics_.mean_load[l] += static_cast<double>(tokens) / ranks;
  statistics_.max_load[l] += static_cast<double>(largest);
  for (const std::int32_t t : tokens_of_rank) statistics_.token_layers += t;
  if (exchanges_) {
    operators::AllToAll& exchange = all_to_all_[stage];
    const operators::TokenTraffic moved{.ranks = static_cast<std::int64_t>(loads_.size()),
                                        .nodes = exchange.domains(),
                                        .to_node = traffic_.to_node,
                                        .scale_up_in = traffic_.scale_up_in,
                                        .scale_up_out = traffic_.scale_up_out};
    // Combine is the same traffic backwards: the busiest link is found once for both.
    const double busiest = exchange.busiest_seconds_per_byte(moved);
    time.dispatch = exchange.latency() + dispatch_copy_ / kByte * busiest * kSecond;
    time.combine = exchange.latency() + combine_copy_ / kByte * busiest * kSecond;
    statistics_.copies_between_nodes += static_cast<double>(traffic_.token_copies_between_nodes);
  }
  return time;
}

}  // namespace moesim::serving
