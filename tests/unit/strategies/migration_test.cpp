#include "strategies/migration.h"

#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "placement/evaluation.h"
#include "tests/support/catch.h"
#include "tests/support/placements.h"

namespace moesim::strategies {
namespace {

using moesim::test::placed;
using placement::Placement;
using placement::PlacementShape;

PlacementShape two_nodes() {
  return {.moe_layers = 1,
          .experts = 4,
          .ranks = 4,
          .slots_per_rank = 2,
          .domain_of_rank = {0, 0, 1, 1}};
}

TEST_CASE("migration: a slot comes from its own node, then from whoever sends least",
          "[strategies][oracle]") {
  // Before: ranks hold 0 1 | 0 2 || 3 1 | 2 3. After: 0 2 | 0 3 || 3 1 | 1 2.
  // Rank 0 needs 2: rank 1 (its node) has it. Rank 1 needs 3: only ranks 2 and 3 have it, neither
  // has sent: rank 2. Rank 3 needs 1: rank 2 of its node, although rank 0 has sent nothing.
  const Placement from{
      .shape = two_nodes(), .expert_of_slot = {0, 1, 0, 2, 3, 1, 2, 3}, .strategy = {}};
  const Placement to{
      .shape = two_nodes(), .expert_of_slot = {2, 0, 3, 0, 1, 3, 1, 2}, .strategy = {}};
  const std::vector<Move> moves = moves_between(from, to);
  CHECK(moves == std::vector<Move>{{0, 2, 1, 0}, {0, 3, 2, 1}, {0, 1, 2, 3}});
  // Rank 2 sends twice: two rounds.
  CHECK(transfer_rounds(moves).size() == 2);
  const MigrationBytes bytes = migration_bytes(moves, two_nodes(), 44.0_MB);
  CHECK(bytes.total == 132.0_MB);
  CHECK(bytes.between_nodes == 44.0_MB);
  CHECK(bytes.busiest_sender == 88.0_MB);
  CHECK(bytes.busiest_receiver == 44.0_MB);
}

TEST_CASE("migration: nothing moves where only the order inside ranks differs", "[strategies]") {
  const Placement from{
      .shape = two_nodes(), .expert_of_slot = {0, 1, 0, 2, 3, 1, 2, 3}, .strategy = {}};
  const Placement to{
      .shape = two_nodes(), .expert_of_slot = {1, 0, 2, 0, 1, 3, 3, 2}, .strategy = {}};
  CHECK(moves_between(from, to).empty());
  CHECK(transfer_rounds({}).empty());
  CHECK(migration_bytes({}, two_nodes(), 44.0_MB).total == 0.0_MB);
}

TEST_CASE("migration: rounds are as few as the busiest rank allows", "[strategies][property]") {
  CHECK(rc::check([] {
    const auto ranks = *rc::gen::inRange<std::int32_t>(1, 9);
    const auto moves = *rc::gen::container<std::vector<Move>>(rc::gen::apply(
        [](std::int32_t from, std::int32_t to, std::int32_t expert) {
          return Move{.layer = 0, .expert = expert, .from_rank = from, .to_rank = to};
        },
        rc::gen::inRange(0, ranks), rc::gen::inRange(0, ranks), rc::gen::inRange(0, 50)));
    const auto rounds = transfer_rounds(moves);
    std::map<std::int32_t, std::size_t> sends;
    std::map<std::int32_t, std::size_t> receives;
    std::size_t most = 0;
    for (const Move& m : moves) {
      most = std::max({most, ++sends[m.from_rank], ++receives[m.to_rank]});
    }
    RC_ASSERT(rounds.size() == most);
    const auto key = [](const Move& m) { return std::tuple(m.from_rank, m.to_rank, m.expert); };
    std::multiset<std::tuple<std::int32_t, std::int32_t, std::int32_t>> left;
    for (const Move& m : moves) left.insert(key(m));
    for (const auto& round : rounds) {
      std::set<std::int32_t> senders;
      std::set<std::int32_t> receivers;
      for (const Move& m : round) {
        RC_ASSERT(senders.insert(m.from_rank).second);
        RC_ASSERT(receivers.insert(m.to_rank).second);
        RC_ASSERT(left.count(key(m)) > 0);
        left.erase(left.find(key(m)));
      }
    }
    RC_ASSERT(left.empty());
  }));
}

TEST_CASE("migration: as many moves as the judge counts, each from a holder of the expert",
          "[strategies][property]") {
  CHECK(rc::check([] {
    const PlacementShape shape{.moe_layers = 2,
                               .experts = 10,
                               .ranks = 6,
                               .slots_per_rank = 3,
                               .domain_of_rank = {0, 0, 0, 1, 1, 1}};
    const auto seed = *rc::gen::inRange<std::uint64_t>(0, 1000);
    const Placement from = placed("random", shape, {}, seed);
    const Placement to = placed("random", shape, {}, seed + 1);
    const auto moves = moves_between(from, to);
    std::vector<std::int64_t> per_layer(2, 0);
    const auto holds = [&](std::int32_t layer, std::int32_t rank, std::int32_t expert) {
      const auto first = from.expert_of_slot.begin() + layer * 18 + rank * 3;
      return std::find(first, first + 3, expert) != first + 3;
    };
    for (const Move& m : moves) {
      ++per_layer[static_cast<std::size_t>(m.layer)];
      RC_ASSERT(holds(m.layer, m.from_rank, m.expert));
      RC_ASSERT(!holds(m.layer, m.to_rank, m.expert));
      const bool near = m.from_rank / 3 == m.to_rank / 3;
      bool could = false;
      for (std::int32_t r = m.to_rank / 3 * 3; r < m.to_rank / 3 * 3 + 3; ++r) {
        could = could || holds(m.layer, r, m.expert);
      }
      RC_ASSERT(near == could);
    }
    RC_ASSERT(per_layer == placement::slots_moved(from, to));
  }));
}

}  // namespace
}  // namespace moesim::strategies
