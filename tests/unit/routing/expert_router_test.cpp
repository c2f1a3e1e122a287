#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/math.h"
#include "routing/expert_router_draw.h"
#include "routing/marginal_fit.h"
#include "routing/popularity.h"
#include "tests/support/catch.h"

namespace moesim::routing {
namespace {

constexpr RoutingShape kDeepSeekV3{
    .moe_layers = 2, .experts = 256, .top_k = 8, .groups = 8, .top_groups = 4};

std::vector<std::uint16_t> draw_all(const ExpertRouter& router, std::int64_t layer,
                                    std::int64_t tokens, RandomStream& stream) {
  std::vector<std::uint16_t> all;
  router.draw(layer, tokens, stream, [&](const std::uint16_t* experts) {
    all.insert(all.end(), experts, experts + router.shape().top_k);
  });
  return all;
}

/// Largest |z| of the counts of `n` tokens against expectations with variance q (1 - q).
double largest_z(const std::vector<double>& count, const std::vector<double>& probability,
                 double n) {
  double largest = 0.0;
  for (std::size_t e = 0; e < count.size(); ++e) {
    const double q = probability[e];
    largest = std::max(largest, std::abs(count[e] - n * q) / std::sqrt(n * q * (1.0 - q)));
  }
  return largest;
}

/// The law of docs/models/routing.md, term by term: groups in one linear scan over all choices,
/// then experts by linear scans over what is left. Shares no code with the router but its weights.
std::vector<double> slow_reference(const RoutingShape& shape, std::span<const double> weight,
                                   std::int64_t tokens) {
  RandomStream stream(99, "reference");
  const auto groups = static_cast<std::size_t>(shape.groups);
  const std::size_t size = weight.size() / groups;
  std::vector<double> odds(groups, 0.0);
  for (std::size_t e = 0; e < weight.size(); ++e) odds[e / size] += weight[e];
  for (double& o : odds) o = std::pow(o, 5.0 / 3.0);
  std::vector<double> count(weight.size(), 0.0);
  for (std::int64_t t = 0; t < tokens; ++t) {
    // Independent coins of odds `odds`, until exactly top_groups show heads: the law of a set of
    // groups in proportion to the product of its odds.
    std::vector<bool> kept(groups);
    const double scale = 1.0 / std::pow(1.0 / static_cast<double>(groups), 5.0 / 3.0);
    do {
      for (std::size_t g = 0; g < groups; ++g) {
        const double o = odds[g] * scale;
        kept[g] = stream.uniform() < o / (1.0 + o);
      }
    } while (std::count(kept.begin(), kept.end(), true) != shape.top_groups);
    std::vector<double> left(weight.begin(), weight.end());
    const auto pick = [&](std::size_t begin, std::size_t end) {
      double sum = 0.0;
      for (std::size_t e = begin; e < end; ++e) sum += kept[e / size] ? left[e] : 0.0;
      double x = stream.uniform() * sum;
      std::size_t chosen = begin;
      for (std::size_t e = begin; e < end && x >= 0.0; ++e) {
        if (!kept[e / size] || left[e] == 0.0) continue;
        chosen = e;
        x -= left[e];
      }
      left[chosen] = 0.0;
      count[chosen] += 1.0;
    };
    for (std::size_t g = 0; g < groups; ++g) {
      if (kept[g]) pick(g * size, (g + 1) * size);
    }
    for (std::int64_t i = shape.top_groups; i < shape.top_k; ++i) pick(0, weight.size());
  }
  return count;
}

TEST_CASE("ExpertRouter: tokens get top_k distinct experts from at most top_groups groups",
          "[routing][property]") {
  CHECK(rc::check([] {
    const auto groups = *rc::gen::inRange<std::int64_t>(1, 9);
    const auto size = *rc::gen::inRange<std::int64_t>(1, 40);
    const auto kept = *rc::gen::inRange<std::int64_t>(1, groups + 1);
    const auto most = std::min<std::int64_t>(kept * size, 12);
    RC_PRE(most >= kept);
    const auto top_k = *rc::gen::inRange<std::int64_t>(kept, most + 1);
    const RoutingShape shape{.moe_layers = 1,
                             .experts = groups * size,
                             .top_k = top_k,
                             .groups = groups,
                             .top_groups = kept};
    const ExpertRouter router(shape, lognormal(shape, {.sigma = 0.8}, 5));
    RandomStream stream(*rc::gen::arbitrary<std::uint64_t>(), "test");
    const std::int64_t tokens = 50;
    std::vector<std::uint16_t> all = draw_all(router, 0, tokens, stream);
    RC_ASSERT(std::ssize(all) == tokens * top_k);
    for (auto token = all.begin(); token != all.end(); token += top_k) {
      std::sort(token, token + top_k);
      RC_ASSERT(std::adjacent_find(token, token + top_k) == token + top_k);
      RC_ASSERT(*(token + top_k - 1) < shape.experts);
      std::int64_t used = 1;
      for (auto e = token + 1; e != token + top_k; ++e) used += *e / size != *(e - 1) / size;
      RC_ASSERT(used <= kept);
    }
  }));
}

TEST_CASE("ExpertRouter: loads match the prescribed popularity", "[routing]") {
  const auto shape = GENERATE(values<RoutingShape>(
      {kDeepSeekV3,
       {.moe_layers = 1, .experts = 256, .top_k = 8},
       {.moe_layers = 1, .experts = 160, .top_k = 6, .groups = 8, .top_groups = 3},
       {.moe_layers = 1, .experts = 8, .top_k = 2},
       {.moe_layers = 1, .experts = 128, .top_k = 4}}));
  const double sigma = shape.experts == 8 ? 0.3 : 0.8;
  const Popularity popularity = lognormal(shape, {.sigma = sigma}, 21);
  const ExpertRouter router(shape, popularity);
  CHECK(router.deviation() < 1e-3);
  RandomStream stream(4, "test");
  const std::int64_t tokens = 200'000;
  std::vector<double> count(static_cast<std::size_t>(shape.experts), 0.0);
  for (const std::uint16_t e : draw_all(router, 0, tokens, stream)) count[e] += 1.0;
  std::vector<double> wanted;
  for (std::size_t e = 0; e < count.size(); ++e) {
    wanted.push_back(popularity.share[e] * static_cast<double>(shape.top_k));
  }
  // The largest of 256 standard normals exceeds 4.5 once in 600 tries; the fit may add 0.2.
  CHECK(largest_z(count, wanted, static_cast<double>(tokens)) < 4.7);
}

TEST_CASE("ExpertRouter: same law as a slow reference", "[routing]") {
  const auto shape = GENERATE(values<RoutingShape>(
      {{.moe_layers = 1, .experts = 64, .top_k = 8, .groups = 8, .top_groups = 4},
       {.moe_layers = 1, .experts = 30, .top_k = 5}}));
  const ExpertRouter router(shape, lognormal(shape, {.sigma = 0.7}, 8));
  const std::int64_t tokens = 100'000;
  const std::vector<double> expected = slow_reference(shape, router.weights(0), tokens);
  RandomStream stream(4, "test");
  std::vector<double> count(expected.size(), 0.0);
  for (const std::uint16_t e : draw_all(router, 0, tokens, stream)) count[e] += 1.0;
  double largest = 0.0;
  for (std::size_t e = 0; e < count.size(); ++e) {
    const double q = (count[e] + expected[e]) / 2.0 / static_cast<double>(tokens);
    const double sd = std::sqrt(2.0 * static_cast<double>(tokens) * q * (1.0 - q));
    largest = std::max(largest, std::abs(count[e] - expected[e]) / sd);
  }
  CHECK(largest < 4.3);  // Largest of 64 standard normals: exceeded once in 900 tries.
}

TEST_CASE("ExpertRouter: experts of one group per token are as many as by the published rule",
          "[routing]") {
  // The published rule on independent Gumbel scores, computed here: keep the 4 groups of the
  // largest sums of two best scores, then the 8 best. Both laws give a kept group 0, 1, 2, ...
  // experts.
  RandomStream noise(5, "scores");
  const std::size_t tokens = 4'000;
  std::array<double, 9> published{};
  for (std::size_t t = 0; t < tokens; ++t) {
    std::array<std::pair<double, std::size_t>, 8> group;
    std::vector<std::pair<double, std::size_t>> score;
    for (std::size_t g = 0; g < 8; ++g) {
      std::array<double, 32> own;
      for (double& s : own) s = -math::log(noise.exponential());
      std::sort(own.begin(), own.end(), std::greater<>());
      group[g] = {own[0] + own[1], g};
      for (const double s : own) score.emplace_back(s, g);
    }
    std::sort(group.begin(), group.end(), std::greater<>());
    std::sort(score.begin(), score.end(), std::greater<>());
    std::array<int, 8> in_group{};
    int chosen = 0;
    for (const auto& [s, g] : score) {
      const bool kept = std::any_of(group.begin(), group.begin() + 4,
                                    [g = g](const auto& x) { return x.second == g; });
      if (!kept || chosen == 8) continue;
      ++in_group[g];
      ++chosen;
    }
    for (std::size_t i = 0; i < 4; ++i) {
      published[static_cast<std::size_t>(in_group[group[i].second])] += 0.25 / tokens;
    }
  }
  const ExpertRouter router(kDeepSeekV3, uniform(kDeepSeekV3));
  RandomStream stream(1, "test");
  std::array<double, 9> ours{};
  router.draw(0, 40'000, stream, [&](const std::uint16_t* experts) {
    std::array<std::size_t, 8> in_group{};
    for (std::size_t i = 0; i < 8; ++i) ++in_group[experts[i] / 32];
    for (const std::size_t n : in_group) ours[n] += n > 0 ? 0.25 / 40'000 : 0.0;
  });
  for (std::size_t n = 0; n < 9; ++n) {
    CAPTURE(n, published[n], ours[n]);
    CHECK(std::abs(published[n] - ours[n]) < 0.06);
  }
}

TEST_CASE("ExpertRouter: same seed, same experts, also with the shape known when compiling",
          "[routing]") {
  const ExpertRouter router(kDeepSeekV3, lognormal(kDeepSeekV3, {}, 3));
  RandomStream a(7, "test");
  RandomStream b(7, "test");
  RandomStream c(7, "test");
  const std::vector<std::uint16_t> first = draw_all(router, 1, 1000, a);
  CHECK(first == draw_all(router, 1, 1000, b));
  std::vector<std::uint16_t> generic;
  router.draw_known<AnyShape>(1, 1000, c, [&](const std::uint16_t* experts) {
    generic.insert(generic.end(), experts, experts + 8);
  });
  CHECK(first == generic);
  CHECK(a.next() == b.next());
}

TEST_CASE("ExpertRouter: renaming groups and experts inside them renames the loads",
          "[routing][property]") {
  // The law knows experts by weight and group only: fitted weights follow the renaming.
  const Popularity popularity = lognormal(kDeepSeekV3, {.sigma = 0.8}, 2);
  CHECK(rc::check([&] {
    const auto shift_group = *rc::gen::inRange<std::size_t>(0, 8);
    const auto shift = *rc::gen::inRange<std::size_t>(0, 32);
    const auto renamed = [&](std::size_t e) {
      return (e / 32 + shift_group) % 8 * 32 + (e % 32 + shift) % 32;
    };
    std::vector<double> share(256);
    for (std::size_t e = 0; e < 256; ++e) share[renamed(e)] = popularity.share[e];
    const FittedWeights plain = fit_weights(kDeepSeekV3, std::span(popularity.share).first(256));
    const FittedWeights moved = fit_weights(kDeepSeekV3, share);
    for (std::size_t e = 0; e < 256; ++e) {
      RC_ASSERT(std::abs(moved.weight[renamed(e)] / plain.weight[e] - 1.0) < 1e-6);
    }
  }));
}

TEST_CASE("ExpertRouter: a token may take every expert there is", "[routing]") {
  const RoutingShape shape{.moe_layers = 1, .experts = 6, .top_k = 6, .groups = 2, .top_groups = 2};
  const ExpertRouter router(shape, uniform(shape));
  RandomStream stream(1, "test");
  std::vector<std::uint16_t> all = draw_all(router, 0, 1, stream);
  std::sort(all.begin(), all.end());
  CHECK(all == std::vector<std::uint16_t>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("ExpertRouter: an expert a million times rarer is still found when it is needed",
          "[routing]") {
  const RoutingShape shape{.moe_layers = 1, .experts = 3, .top_k = 3};
  const ExpertRouter router(shape, {.source = "toy", .share = {0.5 - 1e-9, 0.5 - 1e-9, 2e-9}});
  RandomStream stream(1, "test");
  std::vector<std::uint16_t> all = draw_all(router, 0, 1, stream);
  std::sort(all.begin(), all.end());
  CHECK(all == std::vector<std::uint16_t>{0, 1, 2});
}

TEST_CASE("shape_errors: names what cannot be routed", "[routing]") {
  using moesim::test::contains_text;
  CHECK(shape_errors(kDeepSeekV3).empty());
  RoutingShape shape = kDeepSeekV3;
  shape.groups = 7;
  CHECK_THAT(shape_errors(shape).front(), contains_text("divide evenly"));
  shape = kDeepSeekV3;
  shape.top_k = 3;
  CHECK_THAT(shape_errors(shape).front(), contains_text("at least one expert per group"));
  shape = kDeepSeekV3;
  shape.top_k = 0;
  CHECK_THAT(shape_errors(shape).front(), contains_text("experts per token"));
  shape = kDeepSeekV3;
  shape.top_groups = 9;
  CHECK_THAT(shape_errors(shape).front(), contains_text("groups kept"));
  shape = {.moe_layers = 1, .experts = 32, .top_k = 16, .groups = 32, .top_groups = 16};
  CHECK_THAT(shape_errors(shape).front(), contains_text("too many ways"));
}

}  // namespace
}  // namespace moesim::routing
