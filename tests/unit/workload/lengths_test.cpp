#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "tests/support/catch.h"
#include "workload/generator.h"

namespace moesim::workload {
namespace {

using moesim::test::WithinAbs;
using moesim::test::WithinRel;

WorkloadModel model_with(LengthLaw input, LengthLaw output,
                         std::optional<double> correlation = std::nullopt) {
  WorkloadModel model;
  model.name = "toy";
  model.arrivals = ClosedLoop{};
  model.input = std::move(input);
  model.output = std::move(output);
  model.rank_correlation = correlation;
  return model;
}

std::vector<Lengths> draw(const WorkloadModel& model, int count, std::uint64_t seed = 1) {
  const LengthSampler sampler(model, seed);
  std::vector<Lengths> all;
  for (int i = 0; i < count; ++i) all.push_back(sampler.at(i));
  return all;
}

std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> rank(values.size());
  for (std::size_t i = 0; i < order.size(); ++i) rank[order[i]] = static_cast<double>(i);
  return rank;
}

double spearman(const std::vector<Lengths>& all) {
  std::vector<double> in;
  std::vector<double> out;
  for (const Lengths& lengths : all) {
    in.push_back(lengths.input_tokens);
    out.push_back(lengths.output_tokens);
  }
  const std::vector<double> a = ranks(in);
  const std::vector<double> b = ranks(out);
  const double mean = 0.5 * (static_cast<double>(all.size()) - 1.0);
  double cross = 0.0;
  double square = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    cross += (a[i] - mean) * (b[i] - mean);
    square += (a[i] - mean) * (a[i] - mean);
  }
  return cross / square;
}

TEST_CASE("length_quantile: a grid is log-linear between its levels", "[workload][oracle]") {
  // Half way between 10 at 0.2 and 1000 at 0.6 is sqrt(10 * 1000) = 100; flat outside.
  const GridLength grid{.levels = {0.2, 0.6}, .tokens = {10, 1000}};
  CHECK(length_quantile(grid, 0.4) == 100);
  CHECK(length_quantile(grid, 0.1) == 10);
  CHECK(length_quantile(grid, 0.9) == 1000);
  // A published minimum of 0 counts as 1.
  CHECK(length_quantile(GridLength{.levels = {0.5}, .tokens = {0}}, 0.3) == 1);
}

TEST_CASE("length_quantile: uniform and lognormal laws", "[workload][oracle]") {
  CHECK(length_quantile(UniformLength{.min = 1, .max = 10}, 0.05) == 1);
  CHECK(length_quantile(UniformLength{.min = 1, .max = 10}, 0.55) == 6);
  CHECK(length_quantile(UniformLength{.min = 1, .max = 10}, 0.999) == 10);
  const LognormalLength law{.median = 500.0, .sigma = 1.0, .min = 100, .max = 4000};
  CHECK(length_quantile(law, 0.5) == 500);
  // p = 0.84134 is one standard deviation: 500 * e = 1359.14.
  CHECK(length_quantile(law, 0.841344746068543) == 1359);
  CHECK(length_quantile(law, 0.001) == 100);
  CHECK(length_quantile(law, 0.9999) == 4000);
  CHECK(length_quantile(FixedLength{.tokens = 7}, 0.3) == 7);
}

TEST_CASE("mean_length: closed forms", "[workload][oracle]") {
  CHECK_THAT(mean_length(FixedLength{.tokens = 7}), WithinRel(7.0, 1e-12));
  CHECK_THAT(mean_length(UniformLength{.min = 1, .max = 99}), WithinRel(50.0, 1e-3));
  // exp(mu + sigma^2/2) = 1000 * e^0.125 = 1133.15.
  CHECK_THAT(mean_length(LognormalLength{.median = 1000.0, .sigma = 0.5, .min = 1, .max = 100'000}),
             WithinRel(1133.148, 1e-3));
}

TEST_CASE("LengthSampler: the rank correlation is the one asked for", "[workload][property]") {
  const double wanted = GENERATE(-0.5, 0.0, 0.421, 0.9);
  const LognormalLength law{.median = 1e5, .sigma = 1.5, .min = 1, .max = 90'000'000};
  constexpr int kDraws = 20'000;
  // Standard error of a rank correlation is at most 1/sqrt(n - 1) = 0.0071; five of them.
  CHECK_THAT(spearman(draw(model_with(law, law, wanted), kDraws)), WithinAbs(wanted, 0.0354));
}

TEST_CASE("LengthSampler: one law does not disturb the other, nor the order of calls",
          "[workload][property]") {
  const GridLength grid{.levels = {0.0, 0.5, 1.0}, .tokens = {1, 100, 5000}};
  const WorkloadModel a = model_with(grid, FixedLength{.tokens = 5}, 0.3);
  const WorkloadModel b = model_with(grid, UniformLength{.min = 1, .max = 999}, -0.8);
  const LengthSampler first(a, 7);
  const LengthSampler second(b, 7);
  for (int i = 99; i >= 0; --i) CHECK(first.at(i).input_tokens == second.at(i).input_tokens);
  int same = 0;
  const LengthSampler other(a, 8);
  for (int i = 0; i < 100; ++i) {
    same += first.at(i).input_tokens == other.at(i).input_tokens ? 1 : 0;
  }
  CHECK(same < 10);
}

}  // namespace
}  // namespace moesim::workload
