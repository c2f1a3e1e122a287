// Tokens with affinity: the law, the fit, and what a token keeps through all layers.
#include "routing/affinity_model.h"

#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "routing/expert_race.h"
#include "routing/popularity.h"
#include "routing/routing_statistics.h"
#include "tests/support/catch.h"

namespace moesim::routing {
namespace {

using moesim::test::WithinAbs;

constexpr RoutingShape kDeepSeekV3{
    .moe_layers = 3, .experts = 256, .top_k = 8, .groups = 8, .top_groups = 4};

Popularity skewed(const RoutingShape& shape, double sigma) {
  return lognormal(shape, {.sigma = sigma}, 5);
}

/// Experts ascending and distinct, in at most top_groups groups.
bool well_formed(const RoutingShape& shape, const TokenTrace& tokens) {
  const auto k = static_cast<std::size_t>(shape.top_k);
  const auto size = static_cast<std::uint16_t>(shape.experts / shape.groups);
  for (std::size_t i = 0; i < tokens.expert.size(); i += k) {
    std::set<int> groups;
    for (std::size_t a = 0; a < k; ++a) {
      const std::uint16_t e = tokens.expert[i + a];
      if (e >= shape.experts || (a > 0 && tokens.expert[i + a - 1] >= e)) return false;
      groups.insert(e / size);
    }
    if (std::ssize(groups) > shape.top_groups) return false;
  }
  return true;
}

TEST_CASE("draw_tokens: experts are distinct, in the kept groups, and loaded as prescribed",
          "[routing][property]") {
  CHECK(rc::check([] {
    const auto groups = *rc::gen::element<std::int64_t>(1, 2, 4, 8);
    const auto size = *rc::gen::inRange<std::int64_t>(3, 12);
    RoutingShape shape{.moe_layers = 1, .experts = groups * size, .groups = groups};
    shape.top_groups = *rc::gen::inRange<std::int64_t>(1, groups + 1);
    shape.top_k = *rc::gen::inRange<std::int64_t>(
        shape.top_groups, std::min<std::int64_t>(shape.top_groups * size, 9));
    RC_PRE(shape_errors(shape).empty());
    const AffinityParameters parameters{.dimensions = *rc::gen::inRange(1, 9),
                                        .strength = *rc::gen::inRange(0, 7) * 1.0,
                                        .topic_share = *rc::gen::inRange(0, 5) * 0.25,
                                        .classes = *rc::gen::inRange(1, 200),
                                        .topics = *rc::gen::inRange(1, 9),
                                        .request_tokens = *rc::gen::inRange(1, 100)};
    const TokenTrace tokens = draw_tokens(shape, uniform(shape), parameters, 300, 7);
    RC_ASSERT(tokens.tokens() == 300);
    RC_ASSERT(well_formed(shape, tokens));
  }));
}

TEST_CASE("draw_tokens: loads of the drawn tokens are the prescribed ones", "[routing]") {
  // The fit ends once the mean error weighted by share is below 0.4 %; it is a count of whole
  // tokens, so a mean expert (512 of 16,384 tokens) is within a few of them.
  for (const double strength : {0.0, 4.5, 6.0}) {
    const AffinityParameters parameters{.strength = strength};
    const Popularity popularity = skewed(kDeepSeekV3, 0.7);
    const TokenTrace tokens = draw_tokens(kDeepSeekV3, popularity, parameters, 16384, 1);
    CHECK(well_formed(kDeepSeekV3, tokens));
    CHECK(load_deviation(tokens, popularity) < 0.005);
  }
}

TEST_CASE("draw_tokens: without affinity two experts race by their rates", "[routing][oracle]") {
  // Two experts, one of them chosen: with shares 0.8 and 0.2 each token is an independent trial,
  // so pairs of neighbours repeat with probability 0.68 (sd 0.0052 of 8,191 pairs; 4 sd).
  const RoutingShape shape{.moe_layers = 1, .experts = 2, .top_k = 1};
  const Popularity popularity{.source = "toy", .share = {0.8, 0.2}};
  const TokenTrace tokens =
      draw_tokens(shape, popularity, find_affinity_preset("none")->parameters, 8192, 3);
  const auto overlap = adjacent_overlap(tokens, 0);
  REQUIRE(overlap.has_value());
  CHECK_THAT(overlap->overlap, WithinAbs(0.68, 0.021));
  CHECK(load_deviation(tokens, popularity) < 0.005);
}

TEST_CASE("draw_tokens: one class and one topic leave only noise between tokens",
          "[routing][oracle]") {
  // u is the same for all tokens, so scores differ from the popularity's by an offset that the fit
  // takes back: pairs are as independent as without affinity (8 of 256 in groups: TV about 0.1).
  const AffinityParameters same{.strength = 4.5, .classes = 1, .topics = 1};
  const Popularity popularity = uniform(kDeepSeekV3);
  const TokenTrace one = draw_tokens(kDeepSeekV3, popularity, same, 16384, 2);
  const TokenTrace none = draw_tokens(kDeepSeekV3, popularity, {.strength = 0.0}, 16384, 2);
  CHECK_THAT(pair_statistics(one, 0).total_variation,
             WithinAbs(pair_statistics(none, 0).total_variation, 0.01));
  CHECK(next_layer_statistics(one, 0).mutual_information_bits < 0.05);
}

TEST_CASE("draw_tokens: same seed, same tokens; another seed or sample, others", "[routing]") {
  const Popularity popularity = skewed(kDeepSeekV3, 0.6);
  const TokenTrace a = draw_tokens(kDeepSeekV3, popularity, {}, 256, 9);
  CHECK(a.expert == draw_tokens(kDeepSeekV3, popularity, {}, 256, 9).expert);
  CHECK(a.expert != draw_tokens(kDeepSeekV3, popularity, {}, 256, 10).expert);
  CHECK(a.expert != draw_tokens(kDeepSeekV3, popularity, {}, 256, 9, 1).expert);
  CHECK(a.layer == std::vector<std::int32_t>{0, 1, 2});
  CHECK(a.request[63] == 0);
  CHECK(a.request[64] == 1);
}

TEST_CASE("draw_tokens: few tokens are the first of those that are fitted", "[routing]") {
  const Popularity popularity = skewed(kDeepSeekV3, 0.6);
  const TokenTrace all = draw_tokens(kDeepSeekV3, popularity, {}, kFitTokens, 9);
  const TokenTrace few = draw_tokens(kDeepSeekV3, popularity, {}, 100, 9);
  for (std::int64_t row = 0; row < 3; ++row) {
    const auto expected = all.experts_of(row).first(800);
    const auto got = few.experts_of(row);
    CHECK(std::equal(expected.begin(), expected.end(), got.begin(), got.end()));
  }
}

TEST_CASE("draw_tokens: a token keeps its class and topic in all layers", "[routing]") {
  // Layer l+1 tells of layer l only through what the token keeps.
  const TokenTrace kept = draw_tokens(kDeepSeekV3, uniform(kDeepSeekV3), {}, 16384, 4);
  CHECK(next_layer_statistics(kept, 0).mutual_information_bits > 0.3);
  CHECK(next_layer_statistics(kept, 0).hit_rate > 5 * 8.0 / 256);
  // Tokens of a request share a topic, others do not.
  AffinityParameters alone;
  alone.request_tokens = 1;
  alone.topics = 4096;
  const TokenTrace single = draw_tokens(kDeepSeekV3, uniform(kDeepSeekV3), alone, 16384, 4);
  CHECK(adjacent_overlap(kept, 0)->overlap > 2.0 * 8 / 256);
  CHECK_FALSE(adjacent_overlap(single, 0).has_value());
}

TEST_CASE("draw_tokens: a drifted popularity moves loads, not the tokens", "[routing]") {
  const Popularity before = skewed(kDeepSeekV3, 0.6);
  const Popularity after = drifted(kDeepSeekV3, before, 0.33, 1);
  const TokenTrace a = draw_tokens(kDeepSeekV3, before, {}, 8192, 9);
  const TokenTrace b = draw_tokens(kDeepSeekV3, after, {}, 8192, 9);
  CHECK(load_deviation(b, after) < 0.005);
  CHECK(load_deviation(b, before) > 0.1);
  std::int64_t same = 0;
  for (std::size_t i = 0; i < a.expert.size(); i += 8) {
    for (std::size_t x = 0; x < 8; ++x) {
      same += std::count(b.expert.begin() + static_cast<std::ptrdiff_t>(i),
                         b.expert.begin() + static_cast<std::ptrdiff_t>(i + 8), a.expert[i + x]);
    }
  }
  CHECK(static_cast<double>(same) > 0.75 * static_cast<double>(a.expert.size()));
}

TEST_CASE("ExpertRace: chooses what a literal reading of the rule chooses", "[routing][oracle]") {
  CHECK(rc::check([] {
    const auto groups = *rc::gen::element<std::int64_t>(1, 3, 8);
    const auto size = *rc::gen::inRange<std::int64_t>(2, 35);
    const auto top_groups = *rc::gen::inRange<std::int64_t>(1, groups + 1);
    const auto top_k =
        *rc::gen::inRange<std::int64_t>(1, std::min<std::int64_t>(top_groups * size, kMaxTopK) + 1);
    const RoutingShape shape{.moe_layers = 1,
                             .experts = groups * size,
                             .top_k = top_k,
                             .groups = groups,
                             .top_groups = top_groups};
    const RaceLayout layout(shape);
    RandomStream stream(*rc::gen::arbitrary<std::uint64_t>(), "race");
    std::vector<float> times(layout.places, std::numeric_limits<float>::infinity());
    std::vector<std::pair<float, std::uint16_t>> all;
    std::vector<std::vector<float>> of_group(static_cast<std::size_t>(groups));
    for (std::size_t e = 0; e < layout.experts; ++e) {
      const auto time = static_cast<float>(stream.exponential());
      times[layout.place(e)] = time;
      of_group[e / layout.size].push_back(time);
    }
    std::vector<std::pair<float, std::size_t>> ranked;
    for (std::size_t g = 0; g < of_group.size(); ++g) {
      std::sort(of_group[g].begin(), of_group[g].end());
      ranked.emplace_back(of_group[g][0] * of_group[g][1], g);
    }
    std::sort(ranked.begin(), ranked.end());
    std::set<std::size_t> kept;
    for (std::size_t i = 0; i < static_cast<std::size_t>(top_groups); ++i) {
      kept.insert(ranked[i].second);
    }
    for (std::size_t e = 0; e < layout.experts; ++e) {
      if (kept.count(e / layout.size) > 0) {
        all.emplace_back(times[layout.place(e)], static_cast<std::uint16_t>(e));
      }
    }
    std::sort(all.begin(), all.end());
    std::vector<std::uint16_t> expected;
    for (std::size_t i = 0; i < static_cast<std::size_t>(top_k); ++i) {
      expected.push_back(all[i].second);
    }
    std::sort(expected.begin(), expected.end());
    ExpertRace race(layout);
    std::vector<std::uint16_t> chosen(static_cast<std::size_t>(top_k));
    race.choose(times.data(), chosen.data());
    RC_ASSERT(chosen == expected);
    // Those that remain possible contain the choice under any change within the margin.
    std::vector<std::uint16_t> places;
    race.possible(times.data(), 0.4F, places);
    for (std::size_t e = 0; e < layout.experts; ++e) {
      times[layout.place(e)] *= static_cast<float>(0.68 + 0.8 * stream.uniform());
    }
    race.choose(times.data(), expected.data());
    std::vector<float> of_places;
    for (const std::uint16_t p : places) of_places.push_back(times[p]);
    race.choose_among(places, of_places.data(), chosen.data());
    RC_ASSERT(chosen == expected);
  }));
}

TEST_CASE("ArrivalNoise: exponential times", "[routing]") {
  // Mean 1 and variance 1 in units of 1 / ln 2; 400,000 draws: standard errors 0.0016 and 0.0045.
  ArrivalNoise noise(RandomStream(1, "noise"));
  const std::vector<float> ones(400'000, 1.0F);
  std::vector<float> times(ones.size());
  noise.times(ones.data(), ones.data(), ones.size(), times.data());
  const double ln2 = std::log(2.0);
  double sum = 0.0;
  double square = 0.0;
  double below = 0.0;
  for (const float t : times) {
    const double x = static_cast<double>(t) * ln2;
    sum += x;
    square += x * x;
    below += x < 0.01 ? 1.0 : 0.0;
  }
  const double mean = sum / 4e5;
  CHECK_THAT(mean, WithinAbs(1.0, 0.007));
  CHECK_THAT(square / 4e5 - mean * mean, WithinAbs(1.0, 0.02));
  CHECK_THAT(below / 4e5, WithinAbs(1.0 - std::exp(-0.01), 0.0008));
  CHECK(*std::min_element(times.begin(), times.end()) > 0.0F);
}

TEST_CASE("draw_tokens: statistics are those of the published fits", "[routing]") {
  // 64 experts, top 6; docs/models/affinity.md, section "Statistics". Published: pair TV 0.36 and
  // 0.39, next-layer hit 0.52 and 0.57, information 0.53 and 0.62 bits, overlap 0.29 (second).
  // Their popularity is not stated: ours is that of the pooled traces, sigma 0.6.
  const RoutingShape shape{.moe_layers = 6, .experts = 64, .top_k = 6};
  const Popularity popularity = lognormal(shape, {.sigma = 0.6}, 1);
  struct Row {
    AffinityParameters parameters;
    double pairs, hit, bits, overlap;
  };
  const std::array<Row, 3> rows = {
      {{.parameters = {}, .pairs = 0.36, .hit = 0.52, .bits = 0.53, .overlap = 0.29},
       {.parameters = {.strength = 6.0}, .pairs = 0.39, .hit = 0.57, .bits = 0.62, .overlap = 0.29},
       {.parameters = {.dimensions = 6},
        .pairs = 0.39,
        .hit = 0.55,
        .bits = 0.60,
        .overlap = 0.28}}};
  for (const Row& row : rows) {
    const auto layers =
        token_statistics(draw_tokens(shape, popularity, row.parameters, 6144, 1), 1);
    const LayerStatistics mean = mean_statistics(layers);
    CHECK_THAT(mean.pairs->total_variation, WithinAbs(row.pairs, 0.02));
    CHECK_THAT(mean.next->hit_rate, WithinAbs(row.hit, 0.05));
    CHECK_THAT(mean.next->mutual_information_bits, WithinAbs(row.bits, 0.07));
    CHECK_THAT(mean.adjacent->overlap, WithinAbs(row.overlap, 0.03));
  }
}

TEST_CASE("affinity_errors: names what is out of range", "[routing]") {
  CHECK(affinity_errors({}).empty());
  CHECK(affinity_errors({.dimensions = 0, .strength = -1.0, .topic_share = 1.5, .classes = 0})
            .size() == 4);
  CHECK(affinity_errors({.strength = std::nan("")}).size() == 1);
  for (const AffinityPreset& preset : affinity_presets()) {
    CHECK(affinity_errors(preset.parameters).empty());
    CHECK(find_affinity_preset(preset.name).has_value());
  }
  CHECK_FALSE(find_affinity_preset("deepseek").has_value());
}

}  // namespace
}  // namespace moesim::routing
