#include "serving/placement_price.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <variant>

#include "core/check.h"
#include "routing/expert_router_draw.h"
#include "routing/model_shape.h"
#include "routing/popularity.h"
#include "serving/expert_plan.h"
#include "serving/instance_cost.h"

namespace moesim::serving {
namespace {

/// Batches of one layer after another: experts of each token, ranks in order.
class BatchSource {
 public:
  BatchSource(const routing::RoutingShape& shape, const placement::Workload& workload,
              const PriceBatch& batch, std::int64_t ranks)
      : shape_(shape),
        tokens_(&workload.tokens),
        batch_(batch),
        ranks_(ranks),
        stream_(batch.seed, "placement price") {
    bool all_traced = !tokens_->empty();
    for (std::int64_t layer = 0; layer < shape.moe_layers; ++layer) {
      all_traced = all_traced && tokens_->row_of(layer).has_value();
    }
    if (all_traced) return;
    std::vector<std::vector<double>> rows;
    for (std::int64_t layer = 0; layer < shape.moe_layers; ++layer) {
      const auto first = workload.load.begin() + layer * shape.experts;
      rows.emplace_back(first, first + shape.experts);
    }
    auto popularity = routing::recorded(shape, rows, workload.name);
    MOESIM_CHECK(std::holds_alternative<routing::Popularity>(popularity),
                 "loads are checked before they are priced");
    router_.emplace(shape, std::get<routing::Popularity>(popularity));
  }

  /// Valid until the next call.
  std::span<const std::uint16_t> next(std::int64_t layer) {
    experts_.clear();
    const std::int64_t tokens = ranks_ * batch_.tokens_per_rank;
    const auto top_k = static_cast<std::ptrdiff_t>(shape_.top_k);
    const auto keep = [&](const std::uint16_t* chosen) {
      experts_.insert(experts_.end(), chosen, chosen + top_k);
    };
    const auto row = tokens_->row_of(layer);
    if (tokens_->empty() || !row) {
      router_->draw(layer, tokens, stream_, keep);
      return experts_;
    }
    const std::span<const std::uint16_t> traced = tokens_->experts_of(*row);
    const auto stock = static_cast<std::uint64_t>(tokens_->tokens());
    std::uint64_t at = 0;
    for (std::int64_t t = 0; t < tokens; ++t) {
      const bool follows = batch_.prefill && t % batch_.tokens_per_rank != 0;
      at = follows ? (at + 1) % stock : stream_.below(stock);
      keep(traced.data() + at * static_cast<std::uint64_t>(shape_.top_k));
    }
    return experts_;
  }
  std::uint64_t replica_seed() { return stream_.next(); }

 private:
  routing::RoutingShape shape_;
  const routing::TokenTrace* tokens_;
  PriceBatch batch_;
  std::int64_t ranks_;
  RandomStream stream_;
  std::optional<routing::ExpertRouter> router_;
  std::vector<std::uint16_t> experts_;
};

/// The first instance's first expert group, and what prices it.
struct PricedGroup {
  PricedGroup(const Deployment& deployment, const topology::Topology& topology,
              const placement::Placement& placement)
      : kernels(deployment),
        plan{.routing = *routing::routing_shape(deployment.model),
             .placement = std::make_shared<const placement::Placement>(placement)},
        cost(deployment, kernels, plan, topology, {stage_groups(deployment, 0).front()},
             RandomStream(0, "unused"), RandomStream(0, "unused")),
        tokens_of_rank(static_cast<std::size_t>(deployment.layout.ep)) {}
  Kernels kernels;
  ExpertPlan plan;
  ExpertCost cost;
  std::vector<std::int32_t> tokens_of_rank;
};

void check_shape(const Deployment& deployment, const placement::Placement& placement,
                 const placement::Workload& workload) {
  MOESIM_CHECK(deployment.model.is_moe(), "a dense model has no placement");
  const auto shape = routing::routing_shape(deployment.model);
  MOESIM_CHECK(shape.has_value() && placement.shape.moe_layers == shape->moe_layers &&
                   placement.shape.experts == shape->experts &&
                   placement.shape.ranks == deployment.layout.ep,
               "the placement is another deployment's");
  MOESIM_CHECK(std::ssize(workload.load) == shape->moe_layers * shape->experts,
               "a load for each expert of each layer");
  MOESIM_CHECK(workload.tokens.empty() || (workload.tokens.experts == shape->experts &&
                                           workload.tokens.top_k == shape->top_k),
               "the tokens are another model's");
}

}  // namespace

PlacementPrice price_placement(const Deployment& deployment, const topology::Topology& topology,
                               const placement::Placement& placement,
                               const placement::Workload& workload, const PriceBatch& batch) {
  check_shape(deployment, placement, workload);
  MOESIM_CHECK(batch.tokens_per_rank >= 1 && batch.batches >= 1, "batches without tokens");
  PricedGroup group(deployment, topology, placement);
  std::fill(group.tokens_of_rank.begin(), group.tokens_of_rank.end(),
            static_cast<std::int32_t>(batch.tokens_per_rank));
  BatchSource source(group.plan.routing, workload, batch, placement.shape.ranks);
  PlacementPrice price;
  const double share = 1.0 / static_cast<double>(batch.batches);
  for (std::int64_t layer = 0; layer < placement.shape.moe_layers; ++layer) {
    LayerTimes& times = price.layers.emplace_back();
    for (std::int64_t b = 0; b < batch.batches; ++b) {
      const std::uint64_t seed = source.replica_seed();
      const ExpertLayerTime t = group.cost.price_given(layer, 0, group.tokens_of_rank,
                                                       source.next(layer), seed, batch.prefill);
      times.dispatch += share * t.dispatch.sum();
      times.slowest += share * t.slowest;
      times.mean += share * t.mean.sum();
      times.combine += share * t.combine.sum();
    }
    price.per_pick = group.cost.last_copies() == placement::Copies::PerPick;
    price.all.dispatch += times.dispatch;
    price.all.slowest += times.slowest;
    price.all.mean += times.mean;
    price.all.combine += times.combine;
  }
  return price;
}

std::int64_t usual_batch(const Deployment& deployment) {
  constexpr std::int64_t kMost = 256;
  const plan::Layout& layout = deployment.layout;
  const std::int64_t sequences = deployment.scheduler.max_num_seqs * layout.dp;
  return std::clamp<std::int64_t>(sequences / layout.ep, 1, kMost);
}

strategies::LayerPrice layer_price(const Deployment& deployment, const topology::Topology& topology,
                                   std::int64_t tokens_per_rank, bool prefill) {
  MOESIM_CHECK(deployment.model.is_moe() && tokens_per_rank >= 1, "nothing to price");
  constexpr double kMore = 1.25;
  const auto routing = *routing::routing_shape(deployment.model);
  const placement::PlacementShape shape =
      placement_shape(deployment, expert_group_domains(deployment, topology));
  const placement::Workload workload{.name = deployment.experts.popularity.source,
                                     .load = deployment.experts.popularity.share};
  const placement::Placement balanced = strategies::make_strategy("eplb")->place(
      {.shape = shape, .routing = routing, .workloads = {workload}}, {});
  PricedGroup group(deployment, topology, balanced);
  std::fill(group.tokens_of_rank.begin(), group.tokens_of_rank.end(),
            static_cast<std::int32_t>(tokens_per_rank));
  const PriceBatch batch{.tokens_per_rank = tokens_per_rank, .prefill = prefill};
  BatchSource source(routing, workload, batch, shape.ranks);
  placement::Dispatcher counter(routing, balanced);
  placement::LayerTraffic nodes = counter.make_traffic();
  Seconds by_balance;
  Seconds by_copies;
  double imbalance = 0.0;
  double copies = 0.0;
  for (std::int64_t layer = 0; layer < shape.moe_layers; ++layer) {
    const std::uint64_t seed = source.replica_seed();
    const std::span<const std::uint16_t> experts = source.next(layer);
    const ExpertLayerTime now =
        group.cost.price_given(layer, 0, group.tokens_of_rank, experts, seed, prefill);
    by_balance +=
        group.cost.price_scaled(layer, 0, group.tokens_of_rank, kMore, 1.0).slowest - now.slowest;
    const ExpertLayerTime sent =
        group.cost.price_scaled(layer, 0, group.tokens_of_rank, 1.0, kMore);
    by_copies += sent.dispatch.sum() + sent.combine.sum() - now.dispatch.sum() - now.combine.sum();
    counter.count(layer, group.tokens_of_rank, experts, seed, nodes);
    std::int64_t busiest = 0;
    std::int64_t pairs = 0;
    for (std::int64_t r = 0; r < shape.ranks; ++r) {
      std::int64_t own = 0;
      for (const std::int32_t n : counter.slots_of(nodes, r)) own += n;
      busiest = std::max(busiest, own);
      pairs += own;
    }
    imbalance += static_cast<double>(busiest * shape.ranks) / static_cast<double>(pairs);
    copies += static_cast<double>(nodes.token_copies_between_nodes) /
              static_cast<double>(tokens_per_rank * shape.ranks);
  }
  strategies::LayerPrice price;
  price.seconds_per_balance = std::max(0.0, by_balance / kSecond / ((kMore - 1.0) * imbalance));
  if (copies > 0.0) {
    price.seconds_per_copy = std::max(0.0, by_copies / kSecond / ((kMore - 1.0) * copies));
  }
  return price;
}

}  // namespace moesim::serving
