#include <rapidcheck.h>

#include <array>
#include <cmath>
#include <vector>

#include "core/random.h"
#include "strategies/partition_copies.h"
#include "strategies/partition_tokens.h"
#include "tests/support/catch.h"

namespace moesim::strategies {
namespace {

LayerTokens nets(std::size_t experts, std::size_t top_k, const std::vector<std::uint16_t>& picks) {
  const std::vector<double> weight(picks.size() / top_k, 1.0);
  return make_nets(experts, top_k, picks, weight);
}

TEST_CASE("tokens: equal tokens are one net, whatever the order of their picks",
          "[partition][oracle]") {
  // {0,1} twice, {1,2} once: weights 2/3 and 1/3. Expert 1 is in both nets.
  const LayerTokens tokens = nets(3, 2, {1, 0, 1, 2, 0, 1});
  REQUIRE(tokens.nets() == 2);
  CHECK(tokens.pin == std::vector<std::uint16_t>{0, 1, 1, 2});
  CHECK_THAT(tokens.weight[0], test::WithinRel(2.0 / 3.0, 1e-12));
  CHECK(tokens.nets_of(1).size() == 2);
  CHECK(tokens.nets_of(0).size() == 1);
}

TEST_CASE("copies: one replica each, the remote nodes of a token in the mean over sources",
          "[partition][oracle]") {
  // Two equal nodes, each source on either with 1/2. Token {0,1}: both on node 0, remote half the
  // time: 1/2. Token {0,2}: nodes 0 and 1, one of them remote always: 1. Mean 3/4.
  const LayerTokens tokens = nets(3, 2, {0, 1, 0, 2});
  CopyModel copies(tokens, {0.5, 0.5});
  copies.assign(std::vector<std::int32_t>{0, 1, 2}, std::vector<std::int32_t>{0, 0, 1});
  CHECK_THAT(copies.cost(), test::WithinRel(0.75, 1e-12));
}

TEST_CASE("copies: a spread expert costs its chance at random, nothing where it is covered",
          "[partition][oracle]") {
  // Four equal nodes, u = 3/4. Token {0,1}; 1 lies on node 0; 0 has replicas on nodes 0 and 1.
  // Random: node 0 always (u), node 1 with 1/2 (u/2): 3/4 + 3/8 = 9/8. Locality first: node 0 holds
  // both: 3/4. Mean 15/16.
  const LayerTokens tokens = nets(2, 2, {0, 1});
  CopyModel copies(tokens, {0.75, 0.75, 0.75, 0.75});
  const std::vector<std::int32_t> expert = {0, 0, 1};
  copies.assign(expert, std::vector<std::int32_t>{0, 1, 0});
  CHECK_THAT(copies.cost(), test::WithinRel(15.0 / 16.0, 1e-12));
  // Replicas on nodes 1 and 2 instead. Random: u (1 + 1/2 + 1/2) = 3/2. Locality first: node 0 (u),
  // and one copy more unless the source is node 1 or 2 (1/2): 5/4. Mean 11/8.
  copies.assign(expert, std::vector<std::int32_t>{1, 2, 0});
  CHECK_THAT(copies.cost(), test::WithinRel(11.0 / 8.0, 1e-12));
}

/// Slots of some experts, each with a replica at least, on nodes by chance.
struct Slots {
  std::vector<std::int32_t> expert;
  std::vector<std::int32_t> node;
};

Slots random_slots(std::size_t experts, std::size_t nodes, std::size_t spare,
                   RandomStream& stream) {
  Slots slots;
  for (std::size_t s = 0; s < experts + spare; ++s) {
    slots.expert.push_back(static_cast<std::int32_t>(s < experts ? s : stream.below(experts)));
    slots.node.push_back(static_cast<std::int32_t>(stream.below(nodes)));
  }
  return slots;
}

LayerTokens random_nets(std::size_t experts, std::size_t top_k, RandomStream& stream) {
  std::vector<std::uint16_t> picks;
  for (int t = 0; t < 40; ++t) {
    std::vector<std::uint16_t> left(experts);
    for (std::size_t e = 0; e < experts; ++e) left[e] = static_cast<std::uint16_t>(e);
    for (std::size_t k = 0; k < top_k; ++k) {
      const auto at = static_cast<std::ptrdiff_t>(stream.below(left.size()));
      picks.push_back(left[static_cast<std::size_t>(at)]);
      left.erase(left.begin() + at);
    }
  }
  return nets(experts, top_k, picks);
}

TEST_CASE("copies: what is kept up to date equals what is computed anew, after any moves",
          "[partition][property]") {
  CHECK(rc::check([] {
    const auto experts = *rc::gen::inRange<std::size_t>(3, 12);
    const auto nodes = *rc::gen::inRange<std::size_t>(2, 6);
    RandomStream stream(*rc::gen::arbitrary<std::uint64_t>(), "copies test");
    const LayerTokens tokens = random_nets(experts, std::min<std::size_t>(3, experts), stream);
    const std::vector<double> remote(nodes, 1.0 - 1.0 / static_cast<double>(nodes));
    Slots slots = random_slots(experts, nodes, stream.below(6), stream);
    CopyModel kept(tokens, remote);
    kept.assign(slots.expert, slots.node);
    for (int move = 0; move < 20; ++move) {
      const std::size_t s = stream.below(slots.expert.size());
      const auto e = static_cast<std::size_t>(slots.expert[s]);
      const auto from = static_cast<std::size_t>(slots.node[s]);
      const std::size_t to = stream.below(nodes);
      const std::array<CopyModel::Change, 2> changes = {{{e, from, -1}, {e, to, 1}}};
      const double before = kept.cost();
      const double change = kept.propose(changes);
      if (stream.below(3) == 0) {
        kept.drop();
        RC_ASSERT(kept.cost() == before);
        continue;
      }
      kept.keep();
      slots.node[s] = static_cast<std::int32_t>(to);
      CopyModel anew(tokens, remote);
      anew.assign(slots.expert, slots.node);
      RC_ASSERT(std::abs(kept.cost() - anew.cost()) < 1e-12);
      RC_ASSERT(std::abs(before + change - anew.cost()) < 1e-12);
      for (std::size_t i = 0; i < experts; ++i) {
        for (std::size_t n = 0; n < nodes; ++n) {
          RC_ASSERT(std::abs(kept.marginal(i, n) - anew.marginal(i, n)) < 1e-12);
        }
      }
    }
  }));
}

TEST_CASE("copies: the table foretells exactly what a lone expert's move changes",
          "[partition][property]") {
  // With one replica each, both ways of choosing a replica are the same, and R is linear in p.
  CHECK(rc::check([] {
    RandomStream stream(*rc::gen::arbitrary<std::uint64_t>(), "copies test");
    const LayerTokens tokens = random_nets(8, 3, stream);
    const std::vector<double> remote(3, 2.0 / 3.0);
    const Slots slots = random_slots(8, 3, 0, stream);
    CopyModel copies(tokens, remote);
    copies.assign(slots.expert, slots.node);
    const std::size_t e = stream.below(8);
    const auto from = static_cast<std::size_t>(slots.node[e]);
    const std::size_t to = stream.below(3);
    const double estimate = copies.move_estimate(e, from, to);
    const std::array<CopyModel::Change, 2> changes = {{{e, from, -1}, {e, to, 1}}};
    RC_ASSERT(std::abs(copies.propose(changes) - estimate) < 1e-12);
  }));
}

}  // namespace
}  // namespace moesim::strategies
