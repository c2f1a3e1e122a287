#include "routing/routing_statistics.h"

#include <cmath>
#include <vector>

#include "tests/support/catch.h"

namespace moesim::routing {
namespace {

using moesim::test::WithinAbs;
using moesim::test::WithinRel;

TEST_CASE("load_skew: by hand", "[routing][oracle]") {
  // Loads 1 1 2 4, mean 2: max/mean 2; deviations -1 -1 0 2 over 2: variance 6/4/4 = 0.375.
  // Gini: sum (2i - n - 1) x_i / (n^2 mean) = (-3 - 1 + 2 + 12) / (16 * 2) = 10 / 32.
  // log2: 0 0 1 2, mean 0.75, squares 0.5625 * 2 + 0.0625 + 1.5625 = 2.75; variance 0.6875;
  // groups {0, 0} and {1, 2}: means 0 and 1.5, between (0.75^2 * 2 * 2) / 4 = 0.5625.
  const std::vector<double> load = {1, 1, 2, 4};
  const LoadSkew skew = load_skew(load, 2);
  CHECK_THAT(skew.max_over_mean, WithinRel(2.0, 1e-12));
  CHECK_THAT(skew.cv, WithinRel(std::sqrt(0.375), 1e-12));
  CHECK_THAT(skew.gini, WithinRel(10.0 / 32.0, 1e-12));
  CHECK_THAT(skew.sigma_ln, WithinRel(std::sqrt(0.6875) * std::log(2.0), 1e-12));
  CHECK_THAT(skew.between_groups, WithinRel(0.5625 / 0.6875, 1e-12));
  CHECK(load_skew(load, 1).between_groups == 0.0);
  const LoadSkew part = load_skew(std::vector<double>{0, 3, 3, 0}, 1);
  CHECK(part.unused == 2.0);
  CHECK_THAT(part.sigma_ln, WithinAbs(0.0, 1e-12));
}

/// Four experts, two chosen: {0,1} and {2,3} in turn; the next layer chooses the other two.
TokenTrace alternating() {
  TokenTrace trace{.experts = 4, .top_k = 2, .layer = {0, 1}, .request = {}, .expert = {}};
  for (int layer = 0; layer < 2; ++layer) {
    for (int t = 0; t < 8; ++t) {
      const auto first = static_cast<std::uint16_t>((t + layer) % 2 == 0 ? 0 : 2);
      trace.expert.push_back(first);
      trace.expert.push_back(static_cast<std::uint16_t>(first + 1));
    }
  }
  for (std::uint64_t t = 0; t < 8; ++t) trace.request.push_back(t / 4);
  return trace;
}

TEST_CASE("pair_statistics: by hand", "[routing][oracle]") {
  // Pairs {0,1} and {2,3} have mass 1/2 each; independent: 1/6 each. TV = (2 * 1/3 + 4 * 1/6) / 2.
  // The top 5 % of 6 pairs is one pair.
  const PairStatistics pairs = pair_statistics(alternating(), 0);
  CHECK_THAT(pairs.top_share, WithinRel(0.5, 1e-6));
  CHECK_THAT(pairs.top_share_independent, WithinRel(1.0 / 6.0, 1e-6));
  CHECK_THAT(pairs.total_variation, WithinRel(2.0 / 3.0, 1e-6));
}

TEST_CASE("next_layer_statistics: by hand", "[routing][oracle]") {
  // {0,1} is followed by {2,3} and the other way round: always right. By load alone every expert
  // is alike, so the first two are guessed: right half the time. Joint: 8 of 16 cells at 1/8
  // each against 1/16: one bit.
  const NextLayerStatistics next = next_layer_statistics(alternating(), 0);
  CHECK_THAT(next.hit_rate, WithinRel(1.0, 1e-12));
  CHECK_THAT(next.hit_rate_chance, WithinRel(0.5, 1e-12));
  CHECK_THAT(next.mutual_information_bits, WithinRel(1.0, 1e-9));
}

TEST_CASE("adjacent_overlap: by hand", "[routing][oracle]") {
  // Neighbours never share an expert; by chance 2 * 4 * (1/4)^2 = 1/2.
  const auto adjacent = adjacent_overlap(alternating(), 0);
  REQUIRE(adjacent.has_value());
  CHECK(adjacent->overlap == 0.0);
  CHECK_THAT(adjacent->independent, WithinRel(0.5, 1e-12));
}

TEST_CASE("mean_statistics: means over the layers that have a figure", "[routing][oracle]") {
  const auto layers = token_statistics(alternating(), 2);
  REQUIRE(layers.size() == 2);
  CHECK(layers[0].next.has_value());
  CHECK_FALSE(layers[1].next.has_value());
  const LayerStatistics mean = mean_statistics(layers);
  CHECK(mean.layer == 2);
  CHECK_THAT(mean.next->hit_rate, WithinRel(1.0, 1e-12));
  CHECK_THAT(mean.load.max_over_mean, WithinRel(1.0, 1e-12));
  const auto loads = load_statistics(std::vector<double>{1, 3, 2, 2}, 2, 1);
  CHECK_THAT(loads[0].load.max_over_mean, WithinRel(1.5, 1e-12));
  CHECK_FALSE(mean_statistics(loads).pairs.has_value());
}

}  // namespace
}  // namespace moesim::routing
