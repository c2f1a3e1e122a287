#include "placement/replica_shares.h"

#include <rapidcheck.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/random_placement.h"

namespace moesim::placement {
namespace {

using moesim::test::random_world;
using moesim::test::RandomWorld;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

std::vector<double> rank_loads(std::span<const std::int32_t> expert_of_slot,
                               std::span<const double> load, std::span<const double> share,
                               std::size_t room) {
  std::vector<double> loads(expert_of_slot.size() / room, 0.0);
  for (std::size_t s = 0; s < expert_of_slot.size(); ++s) {
    loads[s / room] += share[s] * load[static_cast<std::size_t>(expert_of_slot[s])];
  }
  return loads;
}

/// The largest load by its dual: over all sets of ranks, load that can go nowhere else, per rank.
double by_all_sets_of_ranks(std::span<const std::int32_t> expert_of_slot,
                            std::span<const double> load, std::size_t room) {
  const std::size_t ranks = expert_of_slot.size() / room;
  std::vector<unsigned> held_by(load.size(), 0);
  for (std::size_t s = 0; s < expert_of_slot.size(); ++s) {
    held_by[static_cast<std::size_t>(expert_of_slot[s])] |= 1U << (s / room);
  }
  double largest = 0.0;
  for (unsigned set = 1; set < 1U << ranks; ++set) {
    double sum = 0.0;
    int members = 0;
    for (std::size_t r = 0; r < ranks; ++r) members += (set >> r & 1U) != 0 ? 1 : 0;
    for (std::size_t e = 0; e < load.size(); ++e) sum += (held_by[e] & ~set) == 0 ? load[e] : 0.0;
    largest = std::max(largest, sum / members);
  }
  return largest;
}

TEST_CASE("optimal_split: a toy by hand", "[placement][oracle]") {
  // Ranks {0 1}, {0 2}, {3 4}; loads 8, 5, 1, 3, 2. Expert 0 gives x to rank 0: 5 + x = 1 + 8 - x:
  // x = 2: 7 each on ranks 0 and 1, 5 on rank 2. Forced by ranks 0 and 1: 8 + 5 + 1 over 2.
  const ReplicaSplit split = optimal_split(std::vector<std::int32_t>{0, 1, 0, 2, 3, 4},
                                           std::vector<double>{8, 5, 1, 3, 2}, 2);
  CHECK_THAT(split.largest, WithinRel(7.0, 1e-12));
  CHECK_THAT(split.share[0], WithinAbs(0.25, 1e-9));
  CHECK_THAT(split.share[2], WithinAbs(0.75, 1e-9));
  CHECK(split.share[1] == 1.0);
  CHECK(split.bottleneck.experts == std::vector<std::int32_t>{0, 1, 2});
  CHECK(split.bottleneck.ranks == std::vector<std::int32_t>{0, 1});
}

TEST_CASE("optimal_split: an expert without a choice can be the bottleneck",
          "[placement][oracle]") {
  // Rank 1 alone holds expert 2 with 9: the rest, 2 + 2, stays on rank 0.
  const ReplicaSplit split =
      optimal_split(std::vector<std::int32_t>{0, 1, 0, 2}, std::vector<double>{2, 2, 9}, 2);
  CHECK_THAT(split.largest, WithinRel(9.0, 1e-12));
  CHECK(split.bottleneck.experts == std::vector<std::int32_t>{2});
  CHECK(split.bottleneck.ranks == std::vector<std::int32_t>{1});
  CHECK_THAT(split.share[0], WithinAbs(1.0, 1e-9));
}

TEST_CASE("optimal_split: experts without load are split evenly", "[placement]") {
  const ReplicaSplit split =
      optimal_split(std::vector<std::int32_t>{0, 1, 0, 2}, std::vector<double>{0, 1, 3}, 2);
  CHECK(split.share == std::vector<double>{0.5, 1.0, 0.5, 1.0});
  CHECK_THAT(split.largest, WithinRel(3.0, 1e-12));
}

TEST_CASE("optimal_split: reaches the bound over all sets of ranks", "[placement][property]") {
  CHECK(rc::check([] {
    const RandomWorld world = random_world(*rc::gen::inRange<std::uint64_t>(0, 1'000'000));
    const PlacementShape& shape = world.placement.shape;
    const auto room = static_cast<std::size_t>(shape.slots_per_rank);
    const auto slots =
        std::span(world.placement.expert_of_slot).first(static_cast<std::size_t>(shape.slots()));
    const auto load = std::span(world.workload.load).first(static_cast<std::size_t>(shape.experts));
    const ReplicaSplit split = optimal_split(slots, load, shape.slots_per_rank);
    const double bound = by_all_sets_of_ranks(slots, load, room);
    RC_ASSERT(std::abs(split.largest - bound) <= 1e-9 * bound);
    const std::vector<double> loads = rank_loads(slots, load, split.share, room);
    RC_ASSERT(*std::max_element(loads.begin(), loads.end()) <= bound * (1.0 + 1e-9));
    std::vector<double> sum(load.size(), 0.0);
    for (std::size_t s = 0; s < slots.size(); ++s) {
      RC_ASSERT(split.share[s] >= 0.0);
      sum[static_cast<std::size_t>(slots[s])] += split.share[s];
    }
    for (const double x : sum) RC_ASSERT(std::abs(x - 1.0) < 1e-9);
    // The proof: the bottleneck's experts lie nowhere else, and fill its ranks to the optimum.
    const std::set<std::int32_t> experts(split.bottleneck.experts.begin(),
                                         split.bottleneck.experts.end());
    const std::set<std::int32_t> ranks(split.bottleneck.ranks.begin(),
                                       split.bottleneck.ranks.end());
    double inside = 0.0;
    for (const std::int32_t e : experts) inside += load[static_cast<std::size_t>(e)];
    for (std::size_t s = 0; s < slots.size(); ++s) {
      if (experts.count(slots[s]) > 0) {
        RC_ASSERT(ranks.count(static_cast<std::int32_t>(s / room)) > 0);
      }
    }
    RC_ASSERT(std::abs(inside / static_cast<double>(ranks.size()) - bound) <= 1e-9 * bound);
  }));
}

TEST_CASE("replica_of_source: a toy by hand", "[placement][oracle]") {
  // Nodes {0 1}, {2 3}, one slot each + one: ranks hold 0: {0 1}, 1: {2 3}, 2: {0 4}, 3: {5 6}.
  // Expert 0 (load 8, 2 from each rank): ranks 0 and 2 serve themselves; rank 1 has it on its node
  // (rank 0), rank 3 too (rank 2). All others have one replica.
  const PlacementShape shape{.moe_layers = 1,
                             .experts = 7,
                             .ranks = 4,
                             .slots_per_rank = 2,
                             .domain_of_rank = {0, 0, 1, 1}};
  const std::vector<std::int32_t> slots = {0, 1, 2, 3, 0, 4, 5, 6};
  const std::vector<std::int32_t> table =
      replica_of_source(shape, slots, std::vector<double>{8, 1, 1, 1, 1, 1, 1});
  for (std::size_t r = 0; r < 4; ++r) {
    CHECK(table[r * 7 + 0] == (r < 2 ? 0 : 4));
    CHECK(table[r * 7 + 1] == 1);
    CHECK(table[r * 7 + 5] == 6);
  }
}

TEST_CASE("replica_of_source: sources without a near replica even out the ranks",
          "[placement][oracle]") {
  // Six nodes of one rank, two slots; expert 0 (load 6: 1 from each) on ranks 0 and 1, which serve
  // themselves: 1 each. Rank 0 also holds expert 1 with 5, rank 1 expert 2 with 1; the other four
  // sources' tokens all go to rank 1: 1 + 1 + 4 = 6 = 5 + 1.
  const PlacementShape shape{.moe_layers = 1,
                             .experts = 11,
                             .ranks = 6,
                             .slots_per_rank = 2,
                             .domain_of_rank = {0, 1, 2, 3, 4, 5}};
  const std::vector<std::int32_t> slots = {0, 1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  const std::vector<std::int32_t> table =
      replica_of_source(shape, slots, std::vector<double>{6, 5, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  CHECK(table[0] == 0);
  for (std::size_t r = 1; r < 6; ++r) CHECK(table[r * 11] == 2);
}

TEST_CASE("replica_of_source: own rank, else own node, else any, and a replica of the expert",
          "[placement][property]") {
  CHECK(rc::check([] {
    const RandomWorld world = random_world(*rc::gen::inRange<std::uint64_t>(0, 1'000'000));
    const PlacementShape& shape = world.placement.shape;
    const auto experts = static_cast<std::size_t>(shape.experts);
    const auto room = static_cast<std::size_t>(shape.slots_per_rank);
    const auto slots =
        std::span(world.placement.expert_of_slot).first(static_cast<std::size_t>(shape.slots()));
    const std::vector<std::int32_t> table =
        replica_of_source(shape, slots, std::span(world.workload.load).first(experts));
    RC_ASSERT(table.size() == static_cast<std::size_t>(shape.ranks) * experts);
    for (std::size_t r = 0; r < static_cast<std::size_t>(shape.ranks); ++r) {
      for (std::size_t e = 0; e < experts; ++e) {
        const auto slot = static_cast<std::size_t>(table[r * experts + e]);
        RC_ASSERT(static_cast<std::size_t>(slots[slot]) == e);
        bool own = false;
        bool near = false;
        for (std::size_t s = 0; s < slots.size(); ++s) {
          if (static_cast<std::size_t>(slots[s]) != e) continue;
          own = own || s / room == r;
          near = near || shape.domain_of_rank[s / room] == shape.domain_of_rank[r];
        }
        if (own) RC_ASSERT(slot / room == r);
        if (near) RC_ASSERT(shape.domain_of_rank[slot / room] == shape.domain_of_rank[r]);
      }
    }
  }));
}

}  // namespace
}  // namespace moesim::placement
