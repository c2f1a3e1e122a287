#include "routing/marginal_fit.h"

#include <rapidcheck.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "routing/popularity.h"
#include "tests/support/catch.h"

namespace moesim::routing {
namespace {

using moesim::test::WithinAbs;
using moesim::test::WithinRel;

TEST_CASE("inclusion_probabilities: two of three experts by successive draws",
          "[routing][oracle]") {
  // Weights 1, 2, 3. P(first) = 1/6, 2/6, 3/6. Second draw from the rest:
  // P(a second) = 2/6 * 1/4 + 3/6 * 1/3 = 1/12 + 1/6 = 1/4;  P(a) = 1/6 + 1/4 = 5/12.
  // P(b second) = 1/6 * 2/5 + 3/6 * 2/3 = 1/15 + 1/3 = 2/5;  P(b) = 1/3 + 2/5 = 11/15.
  // P(c) = 2 - 5/12 - 11/15 = 51/60.
  const RoutingShape shape{.moe_layers = 1, .experts = 3, .top_k = 2};
  const std::vector<double> p = inclusion_probabilities(shape, std::vector{1.0, 2.0, 3.0});
  CHECK_THAT(p[0], WithinRel(5.0 / 12.0, 2e-5));
  CHECK_THAT(p[1], WithinRel(11.0 / 15.0, 2e-5));
  CHECK_THAT(p[2], WithinRel(51.0 / 60.0, 2e-5));
}

TEST_CASE("inclusion_probabilities: one expert of each kept group when k equals the groups kept",
          "[routing][oracle]") {
  // Two groups of two, one kept, one expert: group odds (3/5)^(5/3) : (7/5)^(5/3), i.e.
  // x = (3/7)^(5/3); P(group 0) = x / (1 + x); inside by weight 1 : 2 and 3 : 4.
  const RoutingShape shape{.moe_layers = 1, .experts = 4, .top_k = 1, .groups = 2, .top_groups = 1};
  const std::vector<double> p = inclusion_probabilities(shape, std::vector{1.0, 2.0, 3.0, 4.0});
  const double x = std::pow(3.0 / 7.0, 5.0 / 3.0);
  CHECK_THAT(p[0], WithinRel(x / (1 + x) / 3, 1e-12));
  CHECK_THAT(p[1], WithinRel(x / (1 + x) * 2 / 3, 1e-12));
  CHECK_THAT(p[2], WithinRel(1 / (1 + x) * 3 / 7, 1e-12));
  CHECK_THAT(p[3], WithinRel(1 / (1 + x) * 4 / 7, 1e-12));
}

TEST_CASE("inclusion_probabilities: all experts alike are chosen alike", "[routing][oracle]") {
  const RoutingShape shape{
      .moe_layers = 1, .experts = 256, .top_k = 8, .groups = 8, .top_groups = 4};
  for (const double p : inclusion_probabilities(shape, std::vector<double>(256, 5.0))) {
    CHECK_THAT(p, WithinRel(8.0 / 256.0, 2e-5));
  }
}

TEST_CASE("inclusion_probabilities: they add up to top_k", "[routing][property]") {
  CHECK(rc::check([] {
    const auto groups = *rc::gen::inRange<std::int64_t>(1, 6);
    const auto size = *rc::gen::inRange<std::int64_t>(1, 9);
    const auto kept = *rc::gen::inRange<std::int64_t>(1, groups + 1);
    const auto top_k = *rc::gen::inRange<std::int64_t>(kept, kept * size + 1);
    const RoutingShape shape{.moe_layers = 1,
                             .experts = groups * size,
                             .top_k = top_k,
                             .groups = groups,
                             .top_groups = kept};
    std::vector<double> weight;
    for (std::int64_t e = 0; e < shape.experts; ++e) {
      weight.push_back(*rc::gen::inRange(1, 20));
    }
    const std::vector<double> p = inclusion_probabilities(shape, weight);
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    RC_ASSERT(std::abs(sum - static_cast<double>(top_k)) < 2e-4 * static_cast<double>(top_k));
    for (const double x : p) RC_ASSERT(x > 0.0 && x < 1.0001);
  }));
}

TEST_CASE("fit_weights: reaches the prescribed shares", "[routing]") {
  struct Case {
    RoutingShape shape;
    double sigma;
  };
  const auto [shape, sigma] = GENERATE(values<Case>(
      {{{.moe_layers = 1, .experts = 256, .top_k = 8, .groups = 8, .top_groups = 4}, 0.9},
       {{.moe_layers = 1, .experts = 256, .top_k = 8}, 1.0},
       {{.moe_layers = 1, .experts = 160, .top_k = 6, .groups = 8, .top_groups = 3}, 0.7},
       {{.moe_layers = 1, .experts = 384, .top_k = 8}, 0.7},
       {{.moe_layers = 1, .experts = 8, .top_k = 2}, 0.3}}));
  const Popularity popularity = lognormal(shape, {.sigma = sigma}, 3);
  const FittedWeights fitted = fit_weights(shape, popularity.share);
  CHECK(fitted.deviation < 1e-3);
  const std::vector<double> p = inclusion_probabilities(shape, fitted.weight);
  for (std::size_t e = 0; e < p.size(); ++e) {
    CHECK_THAT(p[e], WithinRel(popularity.share[e] * static_cast<double>(shape.top_k), 1e-3));
  }
}

TEST_CASE("fit_weights: says how far an impossible share stays away", "[routing]") {
  // Two of three experts, one of them wanted 1.8 times per token: at best once.
  const RoutingShape shape{.moe_layers = 1, .experts = 3, .top_k = 2};
  const FittedWeights fitted = fit_weights(shape, std::vector{0.9, 0.05, 0.05});
  CHECK(fitted.deviation > 0.4);
}

}  // namespace
}  // namespace moesim::routing
