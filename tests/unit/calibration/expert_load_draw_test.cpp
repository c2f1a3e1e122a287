#include "calibration/expert_load_draw.h"

#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "strategies/eplb.h"
#include "tests/support/catch.h"

namespace moesim::calibration {
namespace {

using moesim::test::WithinAbs;

using Tokens = std::vector<std::int32_t>;

std::int64_t sum_of(const Tokens& load) {
  return std::accumulate(load.begin(), load.end(), std::int64_t{0});
}

TEST_CASE("balanced_load: neighbouring tokens take neighbouring experts, a stride apart",
          "[calibration][oracle]") {
  // E = 8, k = 2: stride 4. Tokens 0 to 3 start there, 4 starts at 4 and takes 4 and 8 mod 8 = 0.
  CHECK(balanced_load({.tokens = 5, .experts = 8, .topk = 2}) == Tokens{2, 1, 1, 1, 2, 1, 1, 1});
  // Two tokens of four starts: 0 and 2.
  CHECK(balanced_load({.tokens = 2, .experts = 8, .topk = 2}) == Tokens{1, 0, 1, 0, 1, 0, 1, 0});
  // Eight tokens go once around both halves.
  CHECK(balanced_load({.tokens = 8, .experts = 8, .topk = 2}) == Tokens(8, 2));
  // k = 3: stride 3. Token 0 takes 0, 3, 6; token 1: 1, 4, 7; token 2: 2, 5, 8 mod 8 = 0.
  CHECK(balanced_load({.tokens = 3, .experts = 8, .topk = 3}) == Tokens{2, 1, 1, 1, 1, 1, 1, 1});
}

TEST_CASE("hot_rank: the rank with the largest sum, its experts most loaded first",
          "[calibration][oracle]") {
  // Two experts a rank: sums 4 and 5.
  const Tokens load{3, 1, 2, 3};
  const HotRank rank = hot_rank(load, {.tokens = 3, .experts = 4, .topk = 3, .ranks = 2});
  CHECK(rank.tokens == Tokens{3, 2});
  CHECK(rank.pairs == 5);
  // Falling order: expert 0 on places 0-2, 3 on 3-5, 2 on 6-7: token = place mod 3, all three.
  CHECK(rank.distinct == 3);
}

TEST_CASE("hot_rank: tokens of two experts on one rank count once", "[calibration][oracle]") {
  // T = 6. Falling order: expert 0 on places 0-3, 1 on 4-6, 2 on 7-9, 3 on 10-11.
  // Rank 0 holds 0 and 1: tokens 0-3 and 4, 5, 0: six distinct of seven pairs.
  const HotRank rank =
      hot_rank(Tokens{4, 3, 3, 2}, {.tokens = 6, .experts = 4, .topk = 2, .ranks = 2});
  CHECK(rank.pairs == 7);
  CHECK(rank.distinct == 6);
}

TEST_CASE("hot_rank: a spare slot halves the hottest expert", "[calibration][oracle]") {
  // Loads 8 2 2 2 over three ranks of two slots: the two spare slots go to expert 0 (8, then 4 a
  // replica), so shares 8/3, 8/3, 8/3, 2, 2, 2: each rank one of both kinds. Whole tokens: 3 + 2.
  const HotRank rank =
      hot_rank(Tokens{8, 2, 2, 2},
               {.tokens = 8, .experts = 4, .topk = 2, .ranks = 3, .slots = 6, .rebalanced = true});
  CHECK(rank.tokens == Tokens{3, 2});
  CHECK(rank.pairs == 5);
}

TEST_CASE("power_law_load: the rest is spread over ranks or piled on the last",
          "[calibration][oracle]") {
  // One token, 8 of 256 experts: each weight, at most 2 of a sum near 95, rounds to nothing, so all
  // eight pairs are rest.
  LoadDrawSpec spec{.tokens = 1, .experts = 256, .topk = 8, .ranks = 32, .exponent = 1.01};
  ExpertLoadDraws draws(1);
  CHECK(draws.of(spec).at(0).pairs == 1);
  spec.rest = RestOrder::ByIndex;
  CHECK(draws.of(spec).at(0).pairs == 8);
  spec.ranks = 256;
  CHECK(draws.of(spec).at(0).pairs == 1);
}

TEST_CASE("power_law_load: weights follow the density", "[calibration][oracle]") {
  // Density 1/x on [1, H], H = 0.8 * 16384: the share of weights within a factor 100 of the largest
  // possible is ln 100 / ln H = 4.605 / 9.481 = 0.486. The largest of 256 lies about 4 % below H,
  // which adds 0.004.
  const LoadDrawSpec spec{.tokens = 16384, .experts = 256, .topk = 8, .exponent = 1.0};
  RandomStream stream(7, "density");
  std::int64_t near = 0;
  constexpr std::int64_t kDraws = 100;
  for (std::int64_t d = 0; d < kDraws; ++d) {
    const Tokens load = power_law_load(spec, stream);
    const double most = *std::max_element(load.begin(), load.end());
    near += std::count_if(load.begin(), load.end(), [&](double n) { return n >= most / 100; });
  }
  CHECK_THAT(static_cast<double>(near) / (256.0 * kDraws), WithinAbs(0.490, 0.01));
}

TEST_CASE("expert loads: every pair lands, no expert meets a token twice",
          "[calibration][property]") {
  CHECK(rc::check([] {
    const auto ranks = std::int64_t{1} << *rc::gen::inRange(0, 6);
    LoadDrawSpec spec{.tokens = *rc::gen::inRange<std::int64_t>(1, 3000),
                      .experts = 64,
                      .topk = *rc::gen::inRange<std::int64_t>(1, 12),
                      .ranks = ranks};
    spec.rest = *rc::gen::element(RestOrder::Spread, RestOrder::ByIndex);
    RC_ASSERT(sum_of(balanced_load(spec)) == spec.tokens * spec.topk);
    spec.exponent = *rc::gen::inRange(10, 250) / 100.0;
    RandomStream stream(*rc::gen::arbitrary<std::uint64_t>(), "property");
    const Tokens load = power_law_load(spec, stream);
    RC_ASSERT(sum_of(load) == spec.tokens * spec.topk);
    RC_ASSERT(*std::min_element(load.begin(), load.end()) >= 0);
    RC_ASSERT(*std::max_element(load.begin(), load.end()) <= spec.tokens);
    const HotRank rank = hot_rank(load, spec);
    RC_ASSERT(rank.pairs * ranks >= spec.tokens * spec.topk);
    RC_ASSERT(rank.distinct >= rank.tokens.front());
    RC_ASSERT(rank.distinct <= std::min<std::int64_t>(rank.pairs, spec.tokens));
  }));
}

TEST_CASE("ExpertLoadDraws: replicas and placement lighten the hottest rank on average",
          "[calibration][property]") {
  ExpertLoadDraws draws(50);
  for (const std::int64_t ranks : {4, 16, 32}) {
    LoadDrawSpec spec{.tokens = 512, .experts = 256, .topk = 8, .ranks = ranks, .exponent = 1.2};
    const auto mean_pairs = [&] {
      const std::vector<HotRank>& all = draws.of(spec);
      return std::accumulate(all.begin(), all.end(), 0.0,
                             [](double sum, const HotRank& r) { return sum + r.pairs; });
    };
    const double plain = mean_pairs();
    spec.rebalanced = true;
    const double placed = mean_pairs();
    spec.slots = 288;
    const double replicated = mean_pairs();
    CHECK(placed < plain);
    CHECK(replicated <= 1.02 * placed);  // Replicas share whole tokens: a few too many.
  }
}

TEST_CASE("hot_rank: replicas lie where the product's balancer puts them",
          "[calibration][property]") {
  CHECK(rc::check([] {
    // Different loads, multiples of every number of replicas (1 to 9): no ties, nothing to round.
    constexpr std::int64_t kExperts = 16;
    constexpr std::int32_t kUnit = 720720;
    constexpr std::int32_t kCommonMultiple = 2520;
    LoadDrawSpec spec{.tokens = 64 * kUnit, .experts = kExperts, .topk = 1, .ranks = 4};
    spec.slots = *rc::gen::element<std::int64_t>(16, 20, 24);
    spec.rebalanced = true;
    Tokens load(kExperts);
    for (std::size_t e = 0; e < load.size(); ++e) {
      load[e] = kCommonMultiple * (*rc::gen::inRange(1, 500) * 16 + static_cast<std::int32_t>(e));
    }
    const std::vector<double> exact(load.begin(), load.end());
    const std::vector<std::int32_t> expert_of_slot = strategies::eplb_layer(
        exact, {.slots = spec.slots, .groups = 1, .nodes = 1, .ranks = spec.ranks});
    std::vector<double> replicas(load.size(), 0);
    for (const std::int32_t e : expert_of_slot) replicas[static_cast<std::size_t>(e)] += 1;
    std::vector<double> sums(4, 0);
    for (std::size_t s = 0; s < expert_of_slot.size(); ++s) {
      const auto e = static_cast<std::size_t>(expert_of_slot[s]);
      sums[s / (expert_of_slot.size() / 4)] += exact[e] / replicas[e];
    }
    const double most = *std::max_element(sums.begin(), sums.end());
    RC_ASSERT(std::abs(hot_rank(load, spec).pairs / most - 1) < 1e-9);
  }));
}

TEST_CASE("ExpertLoadDraws: the order of the questions does not matter", "[calibration]") {
  const LoadDrawSpec one{.tokens = 64, .experts = 64, .topk = 4, .ranks = 8, .exponent = 1.2};
  LoadDrawSpec other = one;
  other.tokens = 128;
  ExpertLoadDraws forward(3);
  ExpertLoadDraws backward(3);
  const Tokens first = forward.of(one).at(2).tokens;
  (void)forward.of(other);
  const Tokens later = backward.of(other).at(2).tokens;
  CHECK(backward.of(one).at(2).tokens == first);
  CHECK(forward.of(other).at(2).tokens == later);
  CHECK(&forward.of(one) == &forward.of(one));
}

}  // namespace
}  // namespace moesim::calibration
