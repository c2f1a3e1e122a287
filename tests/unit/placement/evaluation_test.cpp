#include "placement/evaluation.h"

#include <rapidcheck.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/random.h"
#include "tests/support/catch.h"
#include "tests/support/random_placement.h"

namespace moesim::placement {
namespace {

using moesim::test::random_world;
using moesim::test::RandomWorld;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

TEST_CASE("balance: a toy layer by hand", "[placement][oracle]") {
  // Loads 12, 6, 4, 2; expert 0 twice: 6 each. Ranks {0 1}: 6 + 6, {0 2}: 6 + 4, {3 1}? expert 1
  // twice too: 3 each. Ranks: {0,1} = 6+3 = 9, {0,2} = 6+4 = 10, {1,3} = 3+2 = 5: sum 24, mean 8.
  const std::vector<std::int32_t> slots = {0, 1, 0, 2, 1, 3};
  CHECK_THAT(balance(slots, std::vector<double>{12, 6, 4, 2}, 2), WithinRel(10.0 / 8.0, 1e-12));
}

/// Requests whose tokens start on rank 0 and on rank 2 of four.
std::uint64_t request_on(std::uint64_t rank) {
  std::uint64_t request = 0;
  while (mix64(request) % 4 != rank) ++request;
  return request;
}

TEST_CASE("evaluate: copies and batch of a toy by hand", "[placement][oracle]") {
  // Four nodes of one rank, two slots each; six experts, 0 on nodes 0 and 1, 1 on nodes 1 and 2:
  //   node 0: 0 2; node 1: 0 1; node 2: 1 3; node 3: 4 5.
  // Tokens (top-2):
  //   a  from node 0: {2, 3}: node 2 alone is remote: 1 copy, whatever the choice.
  //   b  from node 2: {4, 5}: both on node 3: 1 copy, 2 without de-duplication.
  //   c  from node 0: {0, 5}: locality takes expert 0 at home: 1 copy.
  //   d  from node 2: {0, 1}: locality takes expert 0 by hash (a remote node either way), expert 1
  //      at home: 1 copy.
  const Placement placement{.shape = {.moe_layers = 2,
                                      .experts = 6,
                                      .ranks = 4,
                                      .slots_per_rank = 2,
                                      .domain_of_rank = {0, 1, 2, 3}},
                            .expert_of_slot = {0, 2, 0, 1, 1, 3, 4, 5, 0, 2, 0, 1, 1, 3, 4, 5},
                            .strategy = "by hand"};
  REQUIRE(verify(placement).empty());
  Workload workload{.name = "toy", .load = {4, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1}};
  workload.tokens = {.experts = 6,
                     .top_k = 2,
                     .layer = {1},
                     .request = {request_on(0), request_on(2), request_on(0), request_on(2)},
                     .expert = {2, 3, 4, 5, 0, 5, 0, 1}};
  const Score score = evaluate(placement, workload, {.batch_optimal = true});
  REQUIRE(score.layers.size() == 2);
  // Layer 0: ranks 2+3, 2+2, 2+2, 2+1: max 5 of mean 4. Layer 1: 1.5, 1, 1.5, 2: max 2 of 1.5.
  CHECK_THAT(score.layers[0].balance, WithinRel(1.25, 1e-12));
  CHECK_THAT(score.layers[1].balance, WithinRel(4.0 / 3.0, 1e-12));
  CHECK_THAT(score.balance_mean, WithinRel((1.25 + 4.0 / 3.0) / 2.0, 1e-12));
  CHECK_THAT(score.balance_worst, WithinRel(4.0 / 3.0, 1e-12));
  CHECK_THAT(score.balancedness, WithinRel((0.8 + 0.75) / 2.0, 1e-12));
  CHECK_FALSE(score.layers[0].tokens.has_value());
  REQUIRE(score.tokens.has_value());
  CHECK_THAT(score.tokens->copies_locality, WithinRel(1.0, 1e-12));
  // By hash: token c's expert 0 and token d's two experts are on the first or the second node.
  const auto second = [](std::uint64_t token, std::uint64_t expert) {
    return mix64(token << 32 | std::uint64_t{1} << 16 | expert) % 2 == 1;
  };
  const int c = second(2, 0) ? 2 : 1;   // Node 3, and node 1 or home.
  const int d0 = second(3, 0) ? 1 : 0;  // Node of expert 0.
  const int d1 = second(3, 1) ? 2 : 1;  // Node of expert 1; 2 is home.
  const int d = d1 == 2 || d0 == d1 ? 1 : 2;
  CHECK_THAT(score.tokens->copies_random, WithinRel((2 + c + d) / 4.0, 1e-12));
  const int d_picks = 1 + (d1 == 2 ? 0 : 1);
  CHECK_THAT(score.tokens->copies_per_pick, WithinRel((1 + 2 + c + d_picks) / 4.0, 1e-12));
  CHECK_THAT(score.tokens->copies(), WithinRel(0.5 * (1.0 + score.tokens->copies_random), 1e-12));
  // Tokens per expert 2 1 1 1 1 2: node 3 gets 3 of 8 whatever the split: 3 / 2.
  CHECK_THAT(score.tokens->batch_optimal, WithinRel(1.5, 1e-12));
}

TEST_CASE("slots_moved: a toy by hand", "[placement][oracle]") {
  const PlacementShape shape{
      .moe_layers = 2, .experts = 4, .ranks = 2, .slots_per_rank = 2, .domain_of_rank = {0, 0}};
  const Placement from{.shape = shape, .expert_of_slot = {0, 1, 2, 3, 0, 1, 2, 3}, .strategy = ""};
  // Layer 0: order inside the ranks alone: nothing moves. Layer 1: 1 and 2 change ranks.
  const Placement to{.shape = shape, .expert_of_slot = {1, 0, 3, 2, 0, 2, 3, 1}, .strategy = ""};
  CHECK(slots_moved(from, to) == std::vector<std::int64_t>{0, 2});
}

TEST_CASE("balance_lower_bound: toys by hand", "[placement][oracle]") {
  // 8 1 1 1 1 on 4 ranks of 2 slots: three spare slots all go to expert 0: 2 each; mean 3: bound 1.
  CHECK_THAT(balance_lower_bound(std::vector<double>{8, 1, 1, 1, 1}, 4, 2), WithinRel(1.0, 1e-12));
  // One spare slot: 4 each over a mean of 12 / 6.
  CHECK_THAT(balance_lower_bound(std::vector<double>{8, 1, 1, 1, 1}, 6, 1), WithinRel(2.0, 1e-12));
  // Two ranks can hold at most two of expert 0; the spare slots beyond go elsewhere. 10 / 2 over
  // 12 / 2.
  CHECK_THAT(balance_lower_bound(std::vector<double>{10, 1, 1}, 2, 3), WithinRel(1.0, 1e-12));
}

TEST_CASE("balance_lower_bound: a heavy replica needs a light one beside it",
          "[placement][oracle]") {
  // Loads 6 6 3 3 on 2 ranks of 2 slots, one replica each: mean 9, and 9 is reached. 10 4 4 4: mean
  // 11, but 10 lies beside a 4: 14 / 11. The even split sees 1 (10 is below the mean).
  CHECK_THAT(balance_lower_bound(std::vector<double>{6, 6, 3, 3}, 2, 2), WithinRel(1.0, 1e-9));
  const std::vector<double> load = {10, 4, 4, 4};
  CHECK_THAT(even_split_bound(load, 2, 2), WithinRel(1.0, 1e-12));
  const double bound = balance_lower_bound(load, 2, 2);
  CHECK(bound <= 14.0 / 11.0);
  CHECK(bound > 0.95 * 14.0 / 11.0);  // Light is tried in steps of a 48th of the level.
}

/// All figures of two scores alike.
bool alike(const Score& a, const Score& b) {
  const auto near = [](double x, double y) {
    return std::abs(x - y) <= 1e-9 * (1.0 + std::abs(x));
  };
  return near(a.balance_mean, b.balance_mean) && near(a.balance_worst, b.balance_worst) &&
         near(a.balancedness, b.balancedness) &&
         near(a.tokens->batch_optimal, b.tokens->batch_optimal) &&
         near(a.tokens->copies_random, b.tokens->copies_random) &&
         near(a.tokens->copies_locality, b.tokens->copies_locality) &&
         near(a.tokens->copies_per_pick, b.tokens->copies_per_pick) &&
         near(a.tokens->batch_random, b.tokens->batch_random) &&
         near(a.tokens->batch_locality, b.tokens->batch_locality);
}

TEST_CASE("evaluate: renaming nodes leaves every figure as it is", "[placement][property]") {
  CHECK(rc::check([] {
    RandomWorld world = random_world(*rc::gen::inRange<std::uint64_t>(0, 1'000'000));
    const Score before = evaluate(world.placement, world.workload, {.batch_optimal = true});
    for (std::int32_t& d : world.placement.shape.domain_of_rank) d = 90 - 7 * d;
    RC_ASSERT(alike(before, evaluate(world.placement, world.workload, {.batch_optimal = true})));
  }));
}

TEST_CASE(
    "evaluate: the order of slots inside a rank leaves balance, optimal split and locality "
    "copies of lone replicas as they are",
    "[placement][property]") {
  CHECK(rc::check([] {
    RandomWorld world = random_world(*rc::gen::inRange<std::uint64_t>(0, 1'000'000));
    const Score before = evaluate(world.placement, world.workload, {.batch_optimal = true});
    const auto room = static_cast<std::ptrdiff_t>(world.placement.shape.slots_per_rank);
    auto& slots = world.placement.expert_of_slot;
    for (auto at = slots.begin(); at != slots.end(); at += room) std::reverse(at, at + room);
    // A rank never holds an expert twice, so even the order of replicas is the same.
    RC_ASSERT(alike(before, evaluate(world.placement, world.workload, {.batch_optimal = true})));
  }));
}

TEST_CASE(
    "evaluate: renaming experts leaves balance, optimal split and, without replicas, every "
    "figure as it is",
    "[placement][property]") {
  CHECK(rc::check([] {
    const auto seed = *rc::gen::inRange<std::uint64_t>(0, 1'000'000);
    const bool replicas = *rc::gen::arbitrary<bool>();
    RandomWorld world = random_world(seed, {.redundant = replicas ? 3 : 0});
    const Score before = evaluate(world.placement, world.workload, {.batch_optimal = true});
    const auto experts = static_cast<std::size_t>(world.placement.shape.experts);
    RandomStream stream(seed, "names");
    std::vector<std::size_t> name(experts);
    std::iota(name.begin(), name.end(), std::size_t{0});
    for (std::size_t i = experts; i > 1; --i) std::swap(name[i - 1], name[stream.below(i)]);
    const std::vector<double> load = world.workload.load;
    for (std::size_t i = 0; i < load.size(); ++i) {
      world.workload.load[i / experts * experts + name[i % experts]] = load[i];
    }
    for (auto& e : world.placement.expert_of_slot) {
      e = static_cast<std::int32_t>(name[static_cast<std::size_t>(e)]);
    }
    for (auto& e : world.workload.tokens.expert) e = static_cast<std::uint16_t>(name[e]);
    const Score after = evaluate(world.placement, world.workload, {.batch_optimal = true});
    // Replicas are chosen by a hash of the expert's number: those figures may change.
    RC_ASSERT(std::abs(after.balance_mean - before.balance_mean) < 1e-9);
    RC_ASSERT(after.tokens->batch_optimal == before.tokens->batch_optimal);
    if (!replicas) RC_ASSERT(alike(before, after));
  }));
}

TEST_CASE(
    "evaluate: exchanging the ranks of a node leaves balance, optimal split and, without "
    "replicas, every figure as it is",
    "[placement][property]") {
  CHECK(rc::check([] {
    const auto seed = *rc::gen::inRange<std::uint64_t>(0, 1'000'000);
    const bool replicas = *rc::gen::arbitrary<bool>();
    RandomWorld world = random_world(seed, {.redundant = replicas ? 3 : 0});
    const Score before = evaluate(world.placement, world.workload, {.batch_optimal = true});
    const PlacementShape& shape = world.placement.shape;
    const auto room = static_cast<std::size_t>(shape.slots_per_rank);
    for (std::size_t rank = 0; rank + 1 < static_cast<std::size_t>(shape.ranks); ++rank) {
      if (shape.domain_of_rank[rank] != shape.domain_of_rank[rank + 1]) continue;
      for (std::int64_t l = 0; l < shape.moe_layers; ++l) {
        auto at =
            world.placement.expert_of_slot.begin() +
            static_cast<std::ptrdiff_t>(static_cast<std::size_t>(l * shape.slots()) + rank * room);
        std::swap_ranges(at, at + shape.slots_per_rank, at + shape.slots_per_rank);
      }
    }
    const Score after = evaluate(world.placement, world.workload, {.batch_optimal = true});
    RC_ASSERT(std::abs(after.balance_mean - before.balance_mean) < 1e-9);
    RC_ASSERT(after.tokens->batch_optimal == before.tokens->batch_optimal);
    if (!replicas) RC_ASSERT(alike(before, after));
  }));
}

TEST_CASE("evaluate: what holds between the figures of any placement", "[placement][property]") {
  CHECK(rc::check([] {
    const RandomWorld world = random_world(*rc::gen::inRange<std::uint64_t>(0, 1'000'000));
    const PlacementShape& shape = world.placement.shape;
    const Score score = evaluate(world.placement, world.workload, {.batch_optimal = true});
    RC_ASSERT(score.balance_mean >= 1.0 - 1e-12);
    RC_ASSERT(score.balance_worst >= score.balance_mean - 1e-12);
    RC_ASSERT(score.balancedness * score.balance_mean >= 1.0 - 1e-9);  // Means' inequality.
    for (std::size_t l = 0; l < score.layers.size(); ++l) {
      const auto experts = static_cast<std::size_t>(shape.experts);
      const double bound =
          balance_lower_bound(std::span(world.workload.load).subspan(l * experts, experts),
                              shape.ranks, shape.slots_per_rank);
      RC_ASSERT(score.layers[l].balance >= bound - 1e-9);
      if (!score.layers[l].tokens) continue;
      const TokenScore& tokens = *score.layers[l].tokens;
      RC_ASSERT(tokens.copies_random <= tokens.copies_per_pick + 1e-12);
      // Locality never takes a replica on a new remote node where home or a node in use has one;
      // but by hash a later pick may fall on an earlier one's node, so it is not always fewer.
      RC_ASSERT(tokens.copies_locality <= static_cast<double>(world.workload.tokens.top_k));
      RC_ASSERT(tokens.copies_locality >= 0.0);
      RC_ASSERT(tokens.batch_optimal <= tokens.batch_random + 1e-9);
      RC_ASSERT(tokens.batch_optimal <= tokens.batch_locality + 1e-9);
      RC_ASSERT(tokens.batch_optimal >= 1.0 - 1e-9);
    }
  }));
}

TEST_CASE("evaluate: on one node there are no copies", "[placement][property]") {
  CHECK(rc::check([] {
    RandomWorld world = random_world(*rc::gen::inRange<std::uint64_t>(0, 1'000'000));
    for (std::int32_t& d : world.placement.shape.domain_of_rank) d = 4;
    const Score score = evaluate(world.placement, world.workload);
    RC_ASSERT(score.tokens->copies() == 0.0);
    RC_ASSERT(score.tokens->copies_per_pick == 0.0);
  }));
}

TEST_CASE("slots_moved: a distance between placements", "[placement][property]") {
  CHECK(rc::check([] {
    const auto seed = *rc::gen::inRange<std::uint64_t>(0, 1'000'000);
    const RandomWorld world = random_world(seed);
    const Placement& a = world.placement;
    const Placement b = moesim::test::random_placement(a.shape, seed + 1);
    const Placement c = moesim::test::random_placement(a.shape, seed + 2);
    const auto ab = slots_moved(a, b);
    const auto ba = slots_moved(b, a);
    const auto bc = slots_moved(b, c);
    const auto ac = slots_moved(a, c);
    RC_ASSERT(slots_moved(a, a) == std::vector<std::int64_t>(ab.size(), 0));
    RC_ASSERT(ab == ba);  // A rank's slots are a set of fixed size: as many come as go.
    for (std::size_t l = 0; l < ab.size(); ++l) {
      RC_ASSERT(ac[l] <= ab[l] + bc[l]);
      RC_ASSERT(ab[l] <= a.shape.slots());
    }
  }));
}

}  // namespace
}  // namespace moesim::placement
