#include "placement/copies_bound.h"

#include <rapidcheck.h>

#include <vector>

#include "core/random.h"
#include "placement/evaluation.h"
#include "tests/support/bench_problem.h"
#include "tests/support/catch.h"
#include "tests/support/exact_placement.h"
#include "tests/support/random_placement.h"

namespace moesim::placement {
namespace {

using moesim::test::random_world;
using moesim::test::RandomWorld;
using moesim::test::WithinRel;

/// A request whose tokens start on `rank` of `ranks`.
std::uint64_t request_on(std::uint64_t rank, std::uint64_t ranks) {
  std::uint64_t request = 0;
  while (mix64(request) % ranks != rank) ++request;
  return request;
}

TEST_CASE("copies_lower_bound: toys by hand", "[placement][oracle]") {
  // Three nodes of one slot, three experts, top-2; all tokens start on node 0 and take {0 1} or
  // {0 2}. No pair fits on a node: U = 0; at home at best expert 0: M = 1. A token with one expert
  // at home has one copy: the bound is 1, which the placement 0 | 1 | 2 reaches.
  const PlacementShape shape{
      .moe_layers = 1, .experts = 3, .ranks = 3, .slots_per_rank = 1, .domain_of_rank = {0, 1, 2}};
  const std::uint64_t request = request_on(0, 3);
  const routing::TokenTrace tokens{.experts = 3,
                                   .top_k = 2,
                                   .layer = {0},
                                   .request = {request, request},
                                   .expert = {0, 1, 0, 2}};
  CHECK_THAT(copies_lower_bound(tokens, 0, shape), WithinRel(1.0, 1e-6));
  const Placement placement{.shape = shape, .expert_of_slot = {0, 1, 2}, .strategy = ""};
  const Workload workload{.name = "toy", .load = {2, 1, 1}, .tokens = tokens};
  CHECK_THAT(evaluate(placement, workload).tokens->copies(), WithinRel(1.0, 1e-12));

  // With all on one node nothing is remote.
  PlacementShape one = shape;
  one.domain_of_rank = {5, 5, 5};
  CHECK(copies_lower_bound(tokens, 0, one) == 0.0);
}

TEST_CASE("copies_lower_bound: below every placement and every choice of replicas",
          "[placement][property]") {
  CHECK(rc::check([] {
    const RandomWorld world = random_world(*rc::gen::inRange<std::uint64_t>(0, 1'000'000));
    const Score score = evaluate(world.placement, world.workload);
    for (std::size_t l = 0; l < score.layers.size(); ++l) {
      const double bound = copies_lower_bound(world.workload.tokens, static_cast<std::int64_t>(l),
                                              world.placement.shape);
      RC_ASSERT(bound <= score.layers[l].tokens->copies_random + 1e-9);
      RC_ASSERT(bound <= score.layers[l].tokens->copies_locality + 1e-9);
    }
  }));
}

TEST_CASE("copies_lower_bound: below the exact optimum of tiny layers, and not by nothing",
          "[placement][oracle]") {
  double bounds = 0.0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    RandomStream stream(seed, "tiny tokens");
    const PlacementShape shape{.moe_layers = 1,
                               .experts = 5,
                               .ranks = 3,
                               .slots_per_rank = 2,
                               .domain_of_rank = {0, 1, 2}};
    Workload workload{.name = "tiny", .load = {1, 1, 1, 1, 1}};
    workload.tokens = {.experts = 5, .top_k = 3, .layer = {0}, .request = {}, .expert = {}};
    for (std::uint64_t t = 0; t < 30; ++t) {
      workload.tokens.request.push_back(seed + t);
      const std::uint64_t skipped = stream.below(5);
      const std::uint64_t also = (skipped + 1 + stream.below(4)) % 5;
      for (std::uint64_t e = 0; e < 5; ++e) {
        if (e != skipped && e != also) {
          workload.tokens.expert.push_back(static_cast<std::uint16_t>(e));
        }
      }
    }
    moesim::test::ExactSearch search(
        shape,
        [&](auto slots) {
          const Score score = evaluate(
              Placement{
                  .shape = shape, .expert_of_slot = {slots.begin(), slots.end()}, .strategy = ""},
              workload);
          return std::min(score.tokens->copies_locality, score.tokens->copies_random);
        },
        false);
    const double bound = copies_lower_bound(workload.tokens, 0, shape);
    CHECK(bound <= search.run().value + 1e-9);
    bounds += bound;
  }
  CHECK(bounds / 10.0 > 0.3);
}

TEST_CASE("copies_lower_bound: says something on the benchmark", "[placement]") {
  if (!moesim::test::has_placement_bench()) {
    WARN("skipped: no placement benchmark beside the checkout");
    return;
  }
  const Workload eval = moesim::test::bench_workload("w01_calibrated", "eval");
  const double four = copies_lower_bound(eval.tokens, 0, moesim::test::bench_shape(32, 288));
  const double forty = copies_lower_bound(eval.tokens, 0, moesim::test::bench_shape(320, 320));
  CHECK(four > 0.3);
  CHECK(forty > 1.5);
  CHECK(forty < 5.25);  // Copies of the best placement published for it.
}

}  // namespace
}  // namespace moesim::placement
