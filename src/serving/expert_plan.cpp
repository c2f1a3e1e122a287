#include "serving/expert_plan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "core/check.h"
#include "core/fingerprint.h"
#include "operators/all_to_all.h"
#include "routing/model_shape.h"
#include "serving/instance_cost.h"
#include "serving/placement_price.h"

namespace moesim::serving {
namespace {

/// Kept at a time: placements of some 100 KB, banks of 15 MB unless asked for more.
constexpr std::size_t kMostPlacements = 1024;
constexpr std::size_t kMostBanks = 16;

/// Tokens of the planned law that a strategy is given.
constexpr std::int64_t kPlannedTokens = routing::kFitTokens;
/// They are others than those of the run: a plan must not know the very tokens it will meet. (A
/// recorded trace is planned for as it is: docs/formats/scenario.md.)
constexpr std::uint64_t kPlannedSample = 1;

std::uint64_t hash_of(const routing::TokenTrace& tokens) {
  Fingerprint hash;
  hash.add(tokens.tokens());
  hash.add(tokens.rows());
  for (const std::int32_t layer : tokens.layer) hash.add(std::int64_t{layer});
  for (const std::uint64_t request : tokens.request) hash.add(request);
  for (const std::uint16_t expert : tokens.expert) hash.add(std::uint64_t{expert});
  return hash.value();
}

/// Everything that a strategy's answer depends on; bulk as 64-bit hashes.
std::string key_of(const placement::Problem& problem, const std::string& strategy,
                   const strategies::SearchOptions& options) {
  MOESIM_CHECK(!problem.current && !options.max_imbalance && options.move_price == 0.0,
               "plans that are remembered start afresh");
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
  for (const std::int32_t r : shape.rack_of_domain) bulk.add(std::int64_t{r});
  bulk.add(std::int64_t{problem.over == placement::Over::Worst ? 1 : 0});
  for (const placement::Workload& workload : problem.workloads) {
    for (const double load : workload.load) bulk.add(std::bit_cast<std::uint64_t>(load));
    bulk.add(std::bit_cast<std::uint64_t>(workload.weight));
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

/// What many ask for at once is made by the first and awaited by the others. What finds no room is
/// made each time.
template <class T, class Make>
std::shared_ptr<const T> ExpertPlanStore::recall(Known<T>& known, std::size_t most,
                                                 const std::string& key, const Make& make) {
  std::promise<std::shared_ptr<const T>> promise;
  std::shared_future<std::shared_ptr<const T>> result;
  {
    const std::lock_guard lock(guard_);
    if (const auto found = known.find(key); found != known.end()) {
      result = found->second;
    } else if (known.size() < most) {
      known.emplace(key, promise.get_future().share());
    }
  }
  if (result.valid()) return result.get();
  try {
    auto made = make();
    promise.set_value(made);
    return made;
  } catch (...) {
    promise.set_exception(std::current_exception());
    throw;
  }
}

std::shared_ptr<const placement::Placement> ExpertPlanStore::placement(
    const placement::Problem& problem, const std::string& strategy,
    const strategies::SearchOptions& options) {
  return recall(placements_, kMostPlacements, key_of(problem, strategy, options),
                [&] { return make(problem, strategy, options); });
}

std::shared_ptr<const routing::TokenBank> ExpertPlanStore::bank(
    const routing::RoutingShape& shape, const routing::Popularity& popularity,
    const AffinitySettings& affinity, std::uint64_t seed, std::uint64_t sample) {
  const routing::AffinityParameters& p = affinity.parameters;
  Fingerprint loads;
  for (const double share : popularity.share) loads.add(std::bit_cast<std::uint64_t>(share));
  const std::string key = fmt::format(
      "seed {} sample {} tokens {} layers {} experts {} top {} groups {} of {} loads {:016x}; {} "
      "{} "
      "{} {} {} {}",
      seed, sample, affinity.bank_tokens, shape.moe_layers, shape.experts, shape.top_k,
      shape.top_groups, shape.groups, loads.value(), p.dimensions, p.strength, p.topic_share,
      p.classes, p.topics, p.request_tokens);
  return recall(banks_, kMostBanks, key, [&] {
    return std::make_shared<const routing::TokenBank>(
        routing::draw_tokens(shape, popularity, p, affinity.bank_tokens, seed, sample));
  });
}

std::int64_t ExpertPlanStore::made() const {
  const std::lock_guard lock(guard_);
  return std::ssize(placements_);
}

bool plans_by_tokens(const std::string& strategy) {
  constexpr std::array kByLoad = {"contiguous", "round_robin", "random", "eplb", "eplb_global"};
  return std::find(kByLoad.begin(), kByLoad.end(), strategy) == kByLoad.end();
}

std::vector<std::int32_t> expert_group_domains(const Deployment& deployment,
                                               const topology::Topology& topology) {
  const auto group = stage_groups(deployment, 0).front();
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
                                           ExpertPlanStore* shared) {
  if (!deployment.model.is_moe()) return std::nullopt;
  ExpertPlanStore own;
  ExpertPlanStore& store = shared != nullptr ? *shared : own;
  const ExpertSettings& experts = deployment.experts;
  const placement::PlacementShape shape =
      placement_shape(deployment, expert_group_domains(deployment, topology));
  ExpertPlan plan{.routing = *routing::routing_shape(deployment.model), .placement = nullptr};
  if (experts.recorded != nullptr) {
    plan.bank = experts.recorded;
  } else if (experts.affinity) {
    plan.bank = store.bank(plan.routing, experts.popularity, *experts.affinity, seed, 0);
  } else {
    plan.router = std::make_shared<const routing::ExpertRouter>(plan.routing, experts.popularity);
  }
  if (experts.placement.given != nullptr) {
    placement::Placement given = *experts.placement.given;
    given.shape = shape;
    MOESIM_CHECK(placement::verify(given).empty(),
                 "a placement of another shape passed the scenario's checks");
    plan.placement = std::make_shared<const placement::Placement>(std::move(given));
    return plan;
  }
  placement::Problem problem{
      .shape = shape,
      .routing = plan.routing,
      .workloads = {{.name = experts.popularity.source, .load = experts.popularity.share}}};
  const std::string& strategy = experts.placement.strategy;
  if (experts.recorded != nullptr && plans_by_tokens(strategy)) {
    problem.workloads.front().tokens = experts.recorded->trace();
  } else if (experts.affinity && plans_by_tokens(strategy)) {
    AffinitySettings planned = *experts.affinity;
    planned.bank_tokens = kPlannedTokens;
    problem.workloads.front().tokens =
        store.bank(plan.routing, experts.popularity, planned, seed, kPlannedSample)->trace();
  }
  strategies::SearchOptions options{
      .seed = seed, .budget = experts.placement.budget, .slack = experts.placement.slack};
  if (options.slack > 0.0) {
    options.price = layer_price(deployment, topology, usual_batch(deployment), false);
  }
  plan.placement = store.placement(problem, strategy, options);
  return plan;
}

}  // namespace moesim::serving
