#include "routing/popularity.h"

#include <cmath>
#include <variant>
#include <vector>

#include "tests/support/catch.h"

namespace moesim::routing {
namespace {

using moesim::test::contains_text;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

constexpr RoutingShape kDeepSeekV3{
    .moe_layers = 58, .experts = 256, .top_k = 8, .groups = 8, .top_groups = 4};
constexpr RoutingShape kToy{.moe_layers = 2, .experts = 4, .top_k = 2};

struct Spread {
  double sigma;
  double between;  ///< Part of the variance between groups of 32.
};

Spread spread_of(const Popularity& popularity, std::size_t layer) {
  std::vector<double> ln;
  double mean = 0.0;
  for (std::size_t e = 0; e < 256; ++e) {
    ln.push_back(std::log(popularity.share[layer * 256 + e]));
    mean += ln.back() / 256;
  }
  double all = 0.0;
  double between = 0.0;
  for (std::size_t g = 0; g < 8; ++g) {
    double group_mean = 0.0;
    for (std::size_t i = 0; i < 32; ++i) {
      const double x = ln[g * 32 + i];
      group_mean += x / 32;
      all += (x - mean) * (x - mean) / 256;
    }
    between += (group_mean - mean) * (group_mean - mean) / 8;
  }
  return {std::sqrt(all), between / all};
}

TEST_CASE("lognormal: each layer has exactly the stated sigma and split between groups",
          "[routing][oracle]") {
  const Popularity popularity = lognormal(kDeepSeekV3, {.sigma = 0.7, .between_groups = 0.265}, 11);
  for (const std::size_t layer : {std::size_t{0}, std::size_t{57}}) {
    const Spread spread = spread_of(popularity, layer);
    CHECK_THAT(spread.sigma, WithinRel(0.7, 1e-9));
    CHECK_THAT(spread.between, WithinRel(0.265, 1e-9));
    double sum = 0.0;
    for (std::size_t e = 0; e < 256; ++e) sum += popularity.share[layer * 256 + e];
    CHECK_THAT(sum, WithinRel(1.0, 1e-12));
  }
  CHECK(popularity.source == "lognormal sigma 0.7");
}

TEST_CASE("lognormal: the DeepSeek-V3 decode preset follows the measured layers", "[routing]") {
  const auto preset = find_popularity_preset("deepseek_v3_decode");
  REQUIRE(preset.has_value());
  const Popularity popularity = lognormal(kDeepSeekV3, preset->parameters, 1);
  // Measured: 0.81 in the first layer, 0.44 to 0.55 in layers 10 to 18, 0.7 to 0.9 from 26 on,
  // mean 0.671.
  CHECK_THAT(spread_of(popularity, 0).sigma, WithinAbs(0.81, 0.02));
  for (std::size_t layer = 10; layer <= 15; ++layer) {
    CHECK_THAT(spread_of(popularity, layer).sigma, WithinAbs(0.50, 0.06));
  }
  double mean = 0.0;
  for (std::size_t layer = 0; layer < 58; ++layer) mean += spread_of(popularity, layer).sigma / 58;
  CHECK_THAT(mean, WithinAbs(0.671, 0.02));
  CHECK_FALSE(find_popularity_preset("no_such_model").has_value());
}

TEST_CASE("lognormal: the hottest expert is about as hot as in the recordings", "[routing]") {
  // Recorded decode of DeepSeek-V3: max / mean 6.07 on average over the layers, 10.5 in the worst.
  const Popularity popularity =
      lognormal(kDeepSeekV3, find_popularity_preset("deepseek_v3_decode")->parameters, 5);
  double mean = 0.0;
  for (std::size_t layer = 0; layer < 58; ++layer) {
    double largest = 0.0;
    for (std::size_t e = 0; e < 256; ++e) {
      largest = std::max(largest, popularity.share[layer * 256 + e]);
    }
    mean += largest * 256 / 58;
  }
  CHECK(mean > 4.5);
  CHECK(mean < 7.5);
}

TEST_CASE("recorded: rows become shares, dense layers in front are dropped", "[routing][oracle]") {
  const std::vector<std::vector<double>> rows = {{0, 0, 0, 0}, {1, 1, 1, 1}, {40, 30, 20, 10}};
  const auto result = recorded(kToy, rows, "toy.csv");
  REQUIRE(std::holds_alternative<Popularity>(result));
  const auto& popularity = std::get<Popularity>(result);
  CHECK(popularity.source == "recorded toy.csv");
  CHECK_THAT(popularity.share[0], WithinRel(0.25, 1e-12));
  CHECK_THAT(popularity.share[4], WithinRel(0.4, 1e-12));
  CHECK_THAT(popularity.share[7], WithinRel(0.1, 1e-12));
}

TEST_CASE("recorded: an expert never seen keeps a small positive share", "[routing]") {
  const std::vector<std::vector<double>> rows = {{1, 1, 1, 1}, {40, 30, 30, 0}};
  const auto result = recorded(kToy, rows, "toy.csv");
  REQUIRE(std::holds_alternative<Popularity>(result));
  // 1e-4 of the mean of 25, which is less than half of the smallest count.
  CHECK_THAT(std::get<Popularity>(result).share[7], WithinRel(0.0025 / 100.0025, 1e-9));
}

TEST_CASE("recorded: each mistake is named", "[routing]") {
  const auto error_of = [](const std::vector<std::vector<double>>& rows) {
    const auto result = recorded(kToy, rows, "toy.csv");
    REQUIRE(std::holds_alternative<std::vector<std::string>>(result));
    return std::get<std::vector<std::string>>(result).front();
  };
  CHECK_THAT(error_of({{1, 1, 1, 1}}), contains_text("1 rows of load, the model has 2 MoE layers"));
  CHECK_THAT(error_of({{1, 1, 1, 1}, {1, 1, 1}}), contains_text("row 2 has 3 values"));
  CHECK_THAT(error_of({{1, 1, 1, 1}, {1, 1, -1, 1}}), contains_text("row 2"));
  CHECK_THAT(error_of({{1, 1, 1, 1}, {0, 0, 0, 0}}), contains_text("no load at all"));
  CHECK_THAT(error_of({{1, 1, 1, 1}, {10, 1, 1, 1}}), contains_text("one part in 2"));
  CHECK_THAT(error_of({{1, 1, 1, 1}, {1, std::nan(""), 1, 1}}), contains_text("finite"));
}

TEST_CASE("drifted: ln shares move by the stated amount", "[routing]") {
  const Popularity before = lognormal(kDeepSeekV3, {.sigma = 0.7}, 1);
  const Popularity after = drifted(kDeepSeekV3, before, 0.33, 2);
  double mean = 0.0;
  double square = 0.0;
  const auto n = static_cast<double>(before.share.size());
  for (std::size_t i = 0; i < before.share.size(); ++i) {
    const double d = std::log(after.share[i] / before.share[i]);
    mean += d / n;
    square += d * d / n;
  }
  // 14,848 values: the standard error of a standard deviation of 0.33 is 0.002; a common factor per
  // layer (its normalisation) adds less than 0.001.
  CHECK_THAT(std::sqrt(square - mean * mean), WithinAbs(0.33, 0.01));
}

TEST_CASE("uniform: all alike", "[routing]") {
  const Popularity popularity = uniform(kToy);
  REQUIRE(popularity.share.size() == 8);
  for (const double s : popularity.share) CHECK(s == 0.25);
}

}  // namespace
}  // namespace moesim::routing
