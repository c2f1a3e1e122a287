#include "serving/expert_plan.h"

#include <algorithm>
#include <bit>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "core/check.h"
#include "core/fingerprint.h"
#include "operators/all_to_all.h"
#include "routing/model_shape.h"
#include "serving/instance_cost.h"

namespace moesim::serving {
namespace {

/// Placements kept at a time: some 100 KB each.
constexpr std::size_t kMostPlacements = 1024;

std::uint64_t hash_of(const routing::TokenTrace& tokens) {
  Fingerprint hash;
  hash.add(tokens.tokens());
  hash.add(tokens.rows());
  for (const std::uint16_t expert : tokens.expert) hash.add(std::uint64_t{expert});
  return hash.value();
}

/// Everything that a strategy's answer depends on; bulk as 64-bit hashes.
std::string key_of(const placement::Problem& problem, const std::string& strategy,
                   const strategies::SearchOptions& options) {
  const placement::PlacementShape& shape = problem.shape;
  std::string key = fmt::format(
      "{} seed {} budget {} slack {} moved {} layers {} experts {} ranks {} slots {} "
      "groups {} of {} top {}",
      strategy, options.seed, options.budget, options.slack, options.most_moved, shape.moe_layers,
      shape.experts, shape.ranks, shape.slots_per_rank, shape.expert_groups,
      problem.routing.top_groups, problem.routing.top_k);
  if (options.price) {
    key += fmt::format(" price {} {}", options.price->seconds_per_balance,
                       options.price->seconds_per_copy);
  }
  Fingerprint bulk;
  for (const std::int32_t d : shape.domain_of_rank) bulk.add(std::int64_t{d});
  for (const placement::Workload& workload : problem.workloads) {
    for (const double load : workload.load) bulk.add(std::bit_cast<std::uint64_t>(load));
    bulk.add(hash_of(workload.tokens));
  }
  return key + fmt::format(" bulk {:016x}", bulk.value());
}

std::shared_ptr<const placement::Placement> make(const placement::Problem& problem,
                                                 const std::string& strategy,
                                                 const strategies::SearchOptions& options) {
  const auto maker = strategies::make_strategy(strategy);
  MOESIM_CHECK(maker != nullptr, "an unknown placement strategy passed the scenario's checks");
  return std::make_shared<const placement::Placement>(maker->place(problem, options));
}

}  // namespace

std::shared_ptr<const placement::Placement> ExpertPlanStore::placement(
    const placement::Problem& problem, const std::string& strategy,
    const strategies::SearchOptions& options) {
  const std::string key = key_of(problem, strategy, options);
  std::promise<std::shared_ptr<const placement::Placement>> promise;
  Shared result;
  {
    const std::lock_guard lock(guard_);
    const auto known = placements_.find(key);
    if (known != placements_.end()) {
      result = known->second;
    } else if (placements_.size() < kMostPlacements) {
      placements_.emplace(key, promise.get_future().share());
    }
  }
  if (result.valid()) return result.get();
  try {
    auto made = make(problem, strategy, options);
    promise.set_value(made);
    return made;
  } catch (...) {
    promise.set_exception(std::current_exception());
    throw;
  }
}

std::int64_t ExpertPlanStore::made() const {
  const std::lock_guard lock(guard_);
  return std::ssize(placements_);
}

std::vector<std::int32_t> expert_group_domains(const Deployment& deployment,
                                               const topology::Topology& topology) {
  const auto group = stage_groups(deployment.layout, 0).front();
  const operators::AllToAll exchange(topology, group);
  const std::span<const std::int32_t> domains = exchange.domain_of_rank();
  std::vector<std::int32_t> of_rank;
  const auto step = static_cast<std::size_t>(deployment.layout.expert_tp());
  for (std::size_t i = 0; i < domains.size(); i += step) of_rank.push_back(domains[i]);
  return of_rank;
}

placement::PlacementShape placement_shape(const Deployment& deployment,
                                          std::vector<std::int32_t> group_domains) {
  const auto routing = routing::routing_shape(deployment.model);
  MOESIM_CHECK(routing.has_value(), "routed layers that differ passed the checks");
  const std::int64_t ep = deployment.layout.ep;
  return {.moe_layers = routing->moe_layers,
          .experts = routing->experts,
          .ranks = ep,
          .slots_per_rank = (routing->experts + deployment.experts.redundant_experts) / ep,
          .expert_groups = routing->groups,
          .domain_of_rank = std::move(group_domains)};
}

std::optional<ExpertPlan> make_expert_plan(const Deployment& deployment,
                                           const topology::Topology& topology, std::uint64_t seed,
                                           ExpertPlanStore* store) {
  if (!deployment.model.is_moe()) return std::nullopt;
  const ExpertSettings& experts = deployment.experts;
  const placement::PlacementShape shape =
      placement_shape(deployment, expert_group_domains(deployment, topology));
  const routing::RoutingShape routing = *routing::routing_shape(deployment.model);
  routing::ExpertRouter router(routing, experts.popularity);
  if (experts.placement.given != nullptr) {
    placement::Placement given = *experts.placement.given;
    given.shape = shape;
    MOESIM_CHECK(placement::verify(given).empty(),
                 "a placement of another shape passed the scenario's checks");
    return ExpertPlan{.router = std::move(router),
                      .placement = std::make_shared<const placement::Placement>(std::move(given))};
  }
  const placement::Problem problem{
      .shape = shape,
      .routing = routing,
      .workloads = {{.name = experts.popularity.source, .load = experts.popularity.share}}};
  const strategies::SearchOptions options{
      .seed = seed, .budget = experts.placement.budget, .slack = experts.placement.slack};
  const std::string& strategy = experts.placement.strategy;
  return ExpertPlan{.router = std::move(router),
                    .placement = store != nullptr ? store->placement(problem, strategy, options)
                                                  : make(problem, strategy, options)};
}

}  // namespace moesim::serving
