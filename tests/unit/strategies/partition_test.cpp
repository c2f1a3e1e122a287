#include <rapidcheck.h>

#include <algorithm>
#include <vector>

#include "placement/evaluation.h"
#include "strategies/partition_layer.h"
#include "strategies/strategy.h"
#include "tests/support/catch.h"
#include "tests/support/exact_placement.h"
#include "tests/support/random_placement.h"

namespace moesim::strategies {
namespace {

using placement::Placement;
using placement::PlacementShape;
using placement::Problem;
using placement::Workload;

Placement planned(const std::string& strategy, const Problem& problem,
                  const SearchOptions& options = {}) {
  return make_strategy(strategy)->place(problem, options);
}

/// Experts of one layer without replicas on `nodes` nodes of one rank each, all alike in load;
/// tokens pick the experts of `picks`, `top_k` each.
Problem even_problem(std::int64_t experts, std::int64_t nodes, std::int64_t top_k,
                     const std::vector<std::uint16_t>& picks) {
  Problem problem{
      .shape = {.moe_layers = 1,
                .experts = experts,
                .ranks = nodes,
                .slots_per_rank = experts / nodes,
                .domain_of_rank = {}},
      .routing = {.moe_layers = 1, .experts = experts, .top_k = top_k},
      .workloads = {{.name = "even",
                     .load = std::vector<double>(static_cast<std::size_t>(experts), 1.0),
                     .tokens = {}}}};
  for (std::int32_t n = 0; n < nodes; ++n) problem.shape.domain_of_rank.push_back(n);
  routing::TokenTrace& tokens = problem.workloads[0].tokens;
  tokens = {.experts = experts, .top_k = top_k, .layer = {0}, .request = {}, .expert = picks};
  tokens.request.resize(picks.size() / static_cast<std::size_t>(top_k));
  for (std::size_t t = 0; t < tokens.request.size(); ++t) tokens.request[t] = t;
  return problem;
}

Problem random_problem(std::uint64_t seed) {
  test::RandomWorld world = test::random_world(seed);
  return {.shape = world.placement.shape,
          .routing = world.routing,
          .workloads = {std::move(world.workload)}};
}

TEST_CASE("partition: experts that meet lie on one node", "[partition][oracle]") {
  // Tokens {0,2}, {1,3}, {4,6}, {5,7}: two nodes of four hold both of every token's experts.
  const Problem problem = even_problem(8, 2, 2, {0, 2, 1, 3, 4, 6, 5, 7});
  const Placement placement = planned("partition", problem, {.budget = 0.1});
  std::vector<std::int32_t> node(8);
  for (std::size_t s = 0; s < 8; ++s) {
    node[static_cast<std::size_t>(placement.expert_of_slot[s])] = static_cast<std::int32_t>(s / 4);
  }
  for (const auto& [a, b] : {std::pair{0, 2}, {1, 3}, {4, 6}, {5, 7}}) {
    CHECK(node[static_cast<std::size_t>(a)] == node[static_cast<std::size_t>(b)]);
  }
}

/// Distinct nodes per token, in the mean.
double nodes_per_token(const Problem& problem, std::span<const std::int32_t> slots) {
  std::vector<std::int64_t> node(static_cast<std::size_t>(problem.shape.experts));
  for (std::size_t s = 0; s < slots.size(); ++s) {
    node[static_cast<std::size_t>(slots[s])] =
        static_cast<std::int64_t>(s) / problem.shape.slots_per_rank;
  }
  const auto picks = problem.workloads[0].tokens.experts_of(0);
  const auto k = static_cast<std::size_t>(problem.routing.top_k);
  double sum = 0.0;
  for (std::size_t t = 0; t < picks.size(); t += k) {
    std::vector<std::int64_t> touched;
    for (std::size_t i = t; i < t + k; ++i) touched.push_back(node[picks[i]]);
    std::sort(touched.begin(), touched.end());
    sum += static_cast<double>(std::unique(touched.begin(), touched.end()) - touched.begin());
  }
  return sum / static_cast<double>(picks.size() / k);
}

TEST_CASE("partition: tiny layers reach the exact optimum", "[partition][property]") {
  CHECK(rc::check([] {
    RandomStream stream(*rc::gen::arbitrary<std::uint64_t>(), "exact test");
    std::vector<std::uint16_t> picks;
    for (int t = 0; t < 25; ++t) {
      std::vector<std::uint16_t> left = {0, 1, 2, 3, 4, 5, 6, 7};
      for (int k = 0; k < 3; ++k) {
        const auto at = static_cast<std::ptrdiff_t>(stream.below(left.size()));
        picks.push_back(left[static_cast<std::size_t>(at)]);
        left.erase(left.begin() + at);
      }
    }
    const Problem problem = even_problem(8, stream.below(2) == 0 ? 2 : 4, 3, picks);
    const Placement placement = planned("partition", problem, {.budget = 0.05});
    const auto nodes = [&](std::span<const std::int32_t> slots) {
      return nodes_per_token(problem, slots);
    };
    const test::ExactPlacement exact = test::ExactSearch(problem.shape, nodes, true).run();
    RC_ASSERT(nodes(placement.expert_of_slot) <= exact.value + 1e-12);
  }));
}

TEST_CASE("partition: any plan verifies and no layer is less balanced than the balancer's",
          "[partition][property]") {
  CHECK(rc::check([] {
    const Problem problem = random_problem(*rc::gen::arbitrary<std::uint64_t>());
    const Placement placement = planned("partition", problem, {.budget = 0.02});
    RC_ASSERT(placement::verify(placement).empty());
    const auto ours = placement::evaluate(placement, problem.workloads[0]);
    const auto theirs = placement::evaluate(planned("eplb_global", problem), problem.workloads[0]);
    for (std::size_t l = 0; l < ours.layers.size(); ++l) {
      RC_ASSERT(ours.layers[l].balance <= theirs.layers[l].balance * (1.0 + 1e-9));
    }
  }));
}

TEST_CASE("partition: the slack is kept, and so is an absolute cap", "[partition][property]") {
  CHECK(rc::check([] {
    const Problem problem = random_problem(*rc::gen::arbitrary<std::uint64_t>());
    const auto theirs = placement::evaluate(planned("eplb_global", problem), problem.workloads[0]);
    const auto slack = placement::evaluate(
        planned("partition", problem, {.budget = 0.02, .slack = 0.1}), problem.workloads[0]);
    const auto cap =
        placement::evaluate(planned("partition", problem, {.budget = 0.02, .max_imbalance = 1.5}),
                            problem.workloads[0]);
    for (std::size_t l = 0; l < theirs.layers.size(); ++l) {
      RC_ASSERT(slack.layers[l].balance <= theirs.layers[l].balance * 1.1 * (1.0 + 1e-9));
      RC_ASSERT(cap.layers[l].balance <= std::max(1.5, theirs.layers[l].balance) * (1.0 + 1e-9));
    }
  }));
}

TEST_CASE("partition: the same seed gives the same slots", "[partition][property]") {
  CHECK(rc::check([] {
    const Problem problem = random_problem(*rc::gen::arbitrary<std::uint64_t>());
    const SearchOptions options{.seed = 3, .budget = 0.02};
    RC_ASSERT(planned("partition", problem, options).expert_of_slot ==
              planned("partition", problem, options).expert_of_slot);
  }));
}

TEST_CASE("partition: more work never costs copies", "[partition][property]") {
  CHECK(rc::check([] {
    const Problem problem = random_problem(*rc::gen::arbitrary<std::uint64_t>());
    const Cluster cluster(problem.shape);
    const auto experts = static_cast<std::size_t>(problem.shape.experts);
    const StartPlan start =
        start_plan(problem, 0, std::span(problem.workloads[0].load).first(experts));
    const LayerTask task{.problem = problem, .cluster = cluster, .start = start};
    double last = 1e300;
    for (const std::int64_t work : {1'000'000, 3'000'000, 9'000'000}) {
      const LayerPlan plan = plan_layer(task, start.cap, work, nullptr);
      RC_ASSERT(plan.copies <= last);
      last = plan.copies;
    }
  }));
}

TEST_CASE("partition: several workloads, the worst of them is balanced", "[partition][oracle]") {
  // Eight experts on four ranks of two slots. Each workload has four experts at 3 and four at 1; a
  // plan for all puts a 3 beside a 1 in both workloads wherever it can: experts 0,1 hot in both,
  // 2,3 in the first, 4,5 in the second, 6,7 in none. Pairs {0,6} {1,7} {2,4} {3,5} give 4 = the
  // mean.
  Problem problem = even_problem(8, 4, 2, {0, 1, 2, 3, 4, 5, 6, 7});
  problem.workloads.push_back(problem.workloads[0]);
  problem.workloads[0].load = {3, 3, 3, 3, 1, 1, 1, 1};
  problem.workloads[1].load = {3, 3, 1, 1, 3, 3, 1, 1};
  problem.over = placement::Over::Worst;
  const Placement placement = planned("partition", problem, {.budget = 0.05});
  for (const Workload& workload : problem.workloads) {
    CHECK_THAT(placement::evaluate(placement, workload).balance_worst, test::WithinRel(1.0, 1e-9));
  }
}

TEST_CASE("partition: a price on copies buys slack, a price on balance none", "[partition]") {
  const Problem problem = random_problem(11);
  const auto score = [&](const LayerPrice& price) {
    const SearchOptions options{.budget = 0.2, .slack = 0.5, .price = price};
    return placement::evaluate(planned("partition", problem, options), problem.workloads[0]);
  };
  const auto dear_copies = score({.seconds_per_balance = 0.0, .seconds_per_copy = 1.0});
  const auto dear_balance = score({.seconds_per_balance = 1.0, .seconds_per_copy = 0.0});
  CHECK(dear_copies.tokens->copies() <= dear_balance.tokens->copies());
  CHECK(dear_balance.balance_mean <= dear_copies.balance_mean);
}

TEST_CASE("partition: what cannot share a node shares a rack", "[partition][oracle]") {
  // Four nodes of one expert each, two racks. Tokens {0,2} and {1,3} always cross nodes; only the
  // racks can keep them together.
  Problem problem = even_problem(4, 4, 2, {0, 2, 1, 3});
  problem.shape.rack_of_domain = {0, 0, 1, 1};
  const Placement placement = planned("partition", problem, {.budget = 0.05});
  std::vector<std::size_t> rack(4);
  for (std::size_t s = 0; s < 4; ++s) {
    rack[static_cast<std::size_t>(placement.expert_of_slot[s])] = s / 2;
  }
  CHECK(rack[0] == rack[2]);
  CHECK(rack[1] == rack[3]);
}

/// What the GPUs of a layer hold, whichever GPU holds it.
std::vector<std::vector<std::int32_t>> gpu_contents(const Placement& placement) {
  const auto room = static_cast<std::ptrdiff_t>(placement.shape.slots_per_rank);
  std::vector<std::vector<std::int32_t>> gpus;
  for (auto at = placement.expert_of_slot.begin(); at != placement.expert_of_slot.end();
       at += room) {
    gpus.emplace_back(at, at + room);
    std::sort(gpus.back().begin(), gpus.back().end());
  }
  std::sort(gpus.begin(), gpus.end());
  return gpus;
}

TEST_CASE("partition: without recorded tokens GPUs hold what the balancer gave them",
          "[partition][property]") {
  CHECK(rc::check([] {
    Problem problem = random_problem(*rc::gen::arbitrary<std::uint64_t>());
    const auto experts = static_cast<std::size_t>(problem.shape.experts);
    problem.shape.moe_layers = problem.routing.moe_layers = 1;
    problem.workloads[0].load.resize(experts);
    problem.workloads[0].tokens = {};
    RC_ASSERT(gpu_contents(planned("partition", problem, {.budget = 0.02})) ==
              gpu_contents(planned("eplb_global", problem)));
  }));
}

TEST_CASE("partition: one node leaves nothing to search", "[partition]") {
  Problem problem = even_problem(4, 2, 2, {0, 2, 1, 3});
  problem.shape.domain_of_rank = {0, 0};
  CHECK(placement::verify(planned("partition", problem)).empty());
}

}  // namespace
}  // namespace moesim::strategies
