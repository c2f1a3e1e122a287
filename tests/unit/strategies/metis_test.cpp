#include <rapidcheck.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "placement/evaluation.h"
#include "strategies/co_activation.h"
#include "strategies/metis_partition.h"
#include "strategies/node_layout.h"
#include "strategies/strategy.h"
#include "tests/support/bench_problem.h"
#include "tests/support/catch.h"
#include "tests/support/random_placement.h"

namespace moesim::strategies {
namespace {

using moesim::test::random_world;
using moesim::test::RandomWorld;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;
using placement::Placement;
using placement::Problem;

TEST_CASE("CoActivation: pairs of a toy by hand", "[strategies][oracle]") {
  // Tokens {0 1 2} and {0 2 3}, together worth 0.5: each 0.25. 0 and 2 meet twice, others once.
  CoActivation pairs(4);
  const std::vector<std::uint16_t> tokens = {0, 1, 2, 3, 0, 2};
  pairs.add(tokens, 3, 0.5);
  CHECK(pairs(0, 2) == 0.5F);
  CHECK(pairs(2, 0) == 0.5F);
  CHECK(pairs(0, 1) == 0.25F);
  CHECK(pairs(1, 3) == 0.0F);
  CHECK(pairs(0, 0) == 0.0F);
}

/// Workloads with tokens in layer 1 of two, for four experts, top-2.
Problem two_workloads() {
  Problem problem{.shape = {.moe_layers = 2,
                            .experts = 4,
                            .ranks = 2,
                            .slots_per_rank = 2,
                            .domain_of_rank = {0, 1}},
                  .routing = {.moe_layers = 2, .experts = 4, .top_k = 2},
                  .workloads = {{.name = "a", .weight = 3.0, .load = {9, 9, 1, 1, 4, 4, 0, 0}},
                                {.name = "b", .weight = 1.0, .load = {1, 1, 9, 9, 0, 0, 8, 8}}}};
  problem.workloads[0].tokens = {.experts = 4,
                                 .top_k = 2,
                                 .layer = {1},
                                 .request = {1, 2, 3, 4},
                                 .expert = {0, 1, 0, 1, 0, 1, 0, 1}};
  problem.workloads[1].tokens = {
      .experts = 4, .top_k = 2, .layer = {1}, .request = {1, 2}, .expert = {2, 3, 2, 3}};
  return problem;
}

TEST_CASE("CoActivationSource: workloads by weight, untraced layers drawn from their load",
          "[strategies][oracle]") {
  const Problem problem = two_workloads();
  const CoActivationSource source(problem, 1);
  const CoActivation traced = source.layer(1);
  CHECK_THAT(static_cast<double>(traced(0, 1)), WithinRel(0.75, 1e-6));
  CHECK_THAT(static_cast<double>(traced(2, 3)), WithinRel(0.25, 1e-6));
  CHECK(traced(0, 2) == 0.0F);
  const CoActivation drawn = source.layer(0);
  float sum = 0.0F;
  for (std::size_t e = 0; e < 4; ++e) {
    for (std::size_t f = 0; f < e; ++f) sum += drawn(e, f);
  }
  CHECK_THAT(static_cast<double>(sum), WithinRel(1.0, 1e-4));  // One pair per token.
  CHECK(drawn(0, 1) > drawn(2, 3));                            // The heavier workload's experts.
  CHECK(drawn(0, 1) > 0.5F);
}

TEST_CASE("metis_partition: two rings joined by one edge fall apart there", "[strategies]") {
  // Vertices 0..3 and 4..7, complete inside with weight 10; 3-4 with weight 1.
  WeightedGraph graph{
      .first = {0}, .end = {}, .weight = {}, .load = std::vector<std::int32_t>(8, 5)};
  for (std::int32_t v = 0; v < 8; ++v) {
    for (std::int32_t w = 0; w < 8; ++w) {
      const bool bridge = (v == 3 && w == 4) || (v == 4 && w == 3);
      if (v == w || (v / 4 != w / 4 && !bridge)) continue;
      graph.end.push_back(w);
      graph.weight.push_back(bridge ? 1 : 10);
    }
    graph.first.push_back(static_cast<std::int32_t>(graph.end.size()));
  }
  const std::vector<double> halves = {0.5, 0.5};
  const std::vector<std::int32_t> part = metis_partition(graph, halves, 0.03, 7);
  for (std::size_t v = 0; v < 8; ++v) CHECK(part[v] == part[v / 4 * 4]);
  CHECK(part[0] != part[4]);
  CHECK(metis_partition(graph, halves, 0.03, 7) == part);
}

/// A start as bad as it gets: every replica on node 0.
TEST_CASE("NodeLayout: exact slots, even nodes and a lower cut from any start",
          "[strategies][property]") {
  CHECK(rc::check([] {
    const auto seed = *rc::gen::inRange<std::uint64_t>(0, 1'000'000);
    const RandomWorld world = random_world(seed);
    const placement::PlacementShape& shape = world.placement.shape;
    const std::int64_t nodes = shape.domain_of_rank.back() + 1;
    const std::int64_t ranks = shape.ranks / nodes;
    const auto slots = static_cast<std::size_t>(shape.slots());
    NodeRoom room{.slots = std::vector<std::int64_t>(static_cast<std::size_t>(nodes),
                                                     ranks * shape.slots_per_rank),
                  .ranks = std::vector<std::int64_t>(static_cast<std::size_t>(nodes), ranks)};
    CoActivation pairs(shape.experts);
    pairs.add(world.workload.tokens.experts_of(0), world.workload.tokens.top_k, 1.0);
    const std::vector<std::int32_t> expert(
        world.placement.expert_of_slot.begin(),
        world.placement.expert_of_slot.begin() + static_cast<std::ptrdiff_t>(slots));
    const auto load = std::span(world.workload.load).first(static_cast<std::size_t>(shape.experts));
    NodeLayout layout(pairs, load, room, expert, std::vector<std::int32_t>(slots, 0));
    RC_ASSERT(layout.cut() < 1e-6);
    layout.fill_exactly();
    const auto exact = [&] {
      std::vector<std::int64_t> used(static_cast<std::size_t>(nodes), 0);
      for (const std::int32_t n : layout.nodes()) ++used[static_cast<std::size_t>(n)];
      return used == room.slots;
    };
    RC_ASSERT(exact());
    layout.even_out(0.02);
    RC_ASSERT(exact());
    const double before = layout.cut();
    layout.lower_cut(0.02, 3);
    RC_ASSERT(exact());
    RC_ASSERT(layout.cut() <= before + 1e-6);
    // The running sums agree with a layout built afresh.
    const NodeLayout again(pairs, load, room, expert, layout.nodes());
    RC_ASSERT(std::abs(again.cut() - layout.cut()) < 1e-5);
  }));
}

TEST_CASE("metis: places any world soundly, the same for the same seed", "[strategies][property]") {
  CHECK(rc::check([] {
    const auto seed = *rc::gen::inRange<std::uint64_t>(0, 1'000'000);
    RandomWorld world = random_world(seed);
    const bool traced = *rc::gen::arbitrary<bool>();
    if (!traced) world.workload.tokens = {};
    // Nodes of unequal size, their ranks anywhere.
    for (std::int32_t& d : world.placement.shape.domain_of_rank) d = *rc::gen::inRange(0, 3);
    const Problem problem{
        .shape = world.placement.shape, .routing = world.routing, .workloads = {world.workload}};
    RC_ASSERT(verify(problem).empty());
    const Placement placement = make_strategy("metis")->place(problem, {.seed = seed});
    RC_ASSERT(verify(placement).empty());
    RC_ASSERT(placement.expert_of_slot ==
              make_strategy("metis")->place(problem, {.seed = seed}).expert_of_slot);
  }));
}

TEST_CASE("metis: as few copies as the benchmark's METIS, at its balance", "[strategies][oracle]") {
  if (!moesim::test::has_placement_bench()) {
    WARN("skipped: no placement benchmark beside the checkout");
    return;
  }
  // Rows metisB of baseline_results.csv (EPLB replicas, METIS to nodes), w01: balance of the 16
  // traced layers on the planned load; copies with random and locality-first replicas.
  struct Row {
    std::int64_t ranks;
    double balance;
    double copies;
  };
  const placement::Workload train =
      moesim::test::traced_layers_only(moesim::test::bench_workload("w01_calibrated", "train"));
  const placement::Workload eval =
      moesim::test::traced_layers_only(moesim::test::bench_workload("w01_calibrated", "eval"));
  for (const Row& row : {Row{.ranks = 32, .balance = 1.0520, .copies = 0.5 * (2.0008 + 1.9772)},
                         Row{.ranks = 72, .balance = 1.0881, .copies = 0.5 * (3.4529 + 3.3670)}}) {
    INFO(row.ranks << " ranks");
    placement::PlacementShape shape = moesim::test::bench_shape(row.ranks, 288);
    shape.moe_layers = 16;
    const Placement placement =
        make_strategy("metis")->place(moesim::test::bench_problem(shape, train), {});
    REQUIRE(verify(placement).empty());
    CHECK(evaluate(placement, train).balance_mean <= row.balance);
    CHECK(evaluate(placement, eval).tokens->copies() <= 1.01 * row.copies);
  }
}

}  // namespace
}  // namespace moesim::strategies
