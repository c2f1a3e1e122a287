#include "report/interval.h"

#include <array>
#include <string>

#include "comparison.pb.h"
#include "report/compared_figures.h"
#include "report/comparison_report.h"
#include "tests/support/catch.h"
#include "tests/support/toy_scenario.h"

namespace moesim::report {
namespace {

using moesim::test::contains_text;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

TEST_CASE("t_quantile: the printed table of Student's t", "[report][oracle]") {
  // 97.5 % column of any printed table, three decimals.
  CHECK_THAT(t_quantile(1), WithinAbs(12.706, 5e-4));
  CHECK_THAT(t_quantile(2), WithinAbs(4.303, 5e-4));
  CHECK_THAT(t_quantile(4), WithinAbs(2.776, 5e-4));
  CHECK_THAT(t_quantile(9), WithinAbs(2.262, 5e-4));
  CHECK_THAT(t_quantile(120), WithinAbs(1.980, 5e-4));
}

TEST_CASE("mean_interval: by hand", "[report][oracle]") {
  // 8, 10, 12: mean 10, s^2 = (4 + 0 + 4) / 2 = 4, s / sqrt(3) = 1.154701, times 4.302653 (2
  // degrees) = 4.968276.
  const Interval i = mean_interval(std::array{8.0, 10.0, 12.0});
  CHECK_THAT(i.mean, WithinRel(10.0, 1e-12));
  CHECK_THAT(i.half_width, WithinRel(4.968276, 1e-6));
  CHECK_THAT(i.low(), WithinRel(5.031724, 1e-6));
  CHECK_THAT(i.high(), WithinRel(14.968276, 1e-6));
  CHECK(i.excludes_zero());
  // -1, 3: mean 1, s^2 = 8, s / sqrt(2) = 2, times 12.7062 = 25.4124.
  const Interval wide = mean_interval(std::array{-1.0, 3.0});
  CHECK_THAT(wide.half_width, WithinRel(25.4124, 1e-5));
  CHECK_FALSE(wide.excludes_zero());
}

TEST_CASE("mean_interval: equal samples have no width, and zero settles nothing", "[report]") {
  const Interval same = mean_interval(std::array{0.1, 0.1, 0.1});
  CHECK(same.mean == 0.1);
  CHECK(same.half_width == 0.0);
  CHECK(same.excludes_zero());
  CHECK_FALSE(mean_interval(std::array{0.0, 0.0}).excludes_zero());
}

TEST_CASE("paired_difference: what a seed does to both is no noise", "[report][oracle]") {
  // Seeds move both by 100s; the other is ahead by 1, 2 and 3: mean 2, s = 1, 4.302653 / sqrt(3) =
  // 2.484138. Alone, each mean has a half-width of 4.302653 * 100 / sqrt(3) = 248.4.
  const std::array first = {100.0, 200.0, 300.0};
  const std::array other = {101.0, 202.0, 303.0};
  const Interval d = paired_difference(first, other);
  CHECK_THAT(d.mean, WithinRel(2.0, 1e-12));
  CHECK_THAT(d.half_width, WithinRel(2.484138, 1e-6));
  CHECK_FALSE(d.excludes_zero());
  CHECK_THAT(mean_interval(first).half_width, WithinRel(248.4138, 1e-6));
  // Ahead by 2 under every seed: settled, however much the seeds move both.
  const Interval sure = paired_difference(first, std::array{102.0, 202.0, 302.0});
  CHECK(sure.half_width == 0.0);
  CHECK(sure.excludes_zero());
}

TEST_CASE("paired_difference: rounding is no difference", "[report]") {
  // 0.1 + 0.2 is 0.30000000000000004.
  const Interval d = paired_difference(std::array{0.1 + 0.2, 1.0}, std::array{0.3, 1.0});
  CHECK(d.is_zero());
  // Ahead by 0.1 both times, which 0.3 - 0.2 misses by 2.8e-17.
  const Interval same = paired_difference(std::array{0.2, 0.0}, std::array{0.3, 0.1});
  CHECK(same.half_width == 0.0);
  CHECK(same.excludes_zero());
}

/// Two scenarios under three seeds: 800, 1,000, 1,200 tokens/s, and 10 % more.
sweep::Comparison three_seeds() {
  sweep::Comparison c{.results = {test::toy_result("slow", 0.8), test::toy_result("quick", 0.88)}};
  for (const double more : {1.0, 1.1}) {
    c.replications.emplace_back();
    for (const double scale : {0.8, 1.0, 1.2}) {
      c.replications.back().push_back(test::toy_result("toy", scale * more));
    }
  }
  c.seeds = {1, 2, 3};
  return c;
}

const Figure& tokens_per_s() {
  for (const Figure& figure : figures()) {
    if (figure.key == "output_tokens_per_s") return figure;
  }
  FAIL("no such figure");
  return figures().front();
}

TEST_CASE("compared figures: means, and differences seed by seed", "[report][oracle]") {
  const sweep::Comparison c = three_seeds();
  const Figure& figure = tokens_per_s();
  CHECK_THAT(figure_mean(figure, c, 0).value(), WithinRel(1000.0, 1e-12));
  CHECK_THAT(ratio_to_first(figure, c, 1).value(), WithinRel(1.1, 1e-12));
  // s = 200: 4.302653 * 200 / sqrt(3) = 496.8276.
  CHECK_THAT(figure_interval(figure, c, 0).value().half_width, WithinRel(496.8276, 1e-6));
  // 80, 100, 120: s = 20, so a tenth of that.
  const Interval d = difference_from_first(figure, c, 1).value();
  CHECK_THAT(d.mean, WithinRel(100.0, 1e-9));
  CHECK_THAT(d.half_width, WithinRel(49.68276, 1e-6));
  CHECK(d.excludes_zero());
  CHECK_FALSE(difference_from_first(figure, c, 0).has_value());
  CHECK_FALSE(figure_interval(figures().front(), c, 0).has_value());  // GPUs need no run.
}

TEST_CASE("compared figures: a scenario that does not fit has none", "[report]") {
  sweep::Comparison c = three_seeds();
  c.results[1] = test::toy_misfit("big");
  for (auto& result : c.replications[1]) result = test::toy_misfit("big");
  CHECK_FALSE(figure_mean(tokens_per_s(), c, 1).has_value());
  CHECK_FALSE(difference_from_first(tokens_per_s(), c, 1).has_value());
  CHECK_THAT(comparison_table(c), contains_text("big does not fit"));
}

TEST_CASE("comparison reports: intervals and what survives them", "[report]") {
  const sweep::Comparison c = three_seeds();
  const std::string page = comparison_table(c);
  CHECK_THAT(page, contains_text("1,000 +-50 %"));
  CHECK_THAT(page, contains_text("+10 % +-5 *"));
  CHECK_THAT(page, contains_text("settled     quick: output tokens [/s] +10 %\n"));
  CHECK_THAT(page, contains_text("cheapest    slow: 2.99 USD"));
  CHECK_THAT(page, contains_text("the same for"));
  const std::string json = comparison_json(c);
  CHECK_THAT(json, contains_text("\"replications\": \"3\""));
  CHECK_THAT(json, contains_text("\"low\": 503.172"));
  CHECK_THAT(json, contains_text("\"share\": 0.1"));
  CHECK_THAT(json, contains_text("\"survives\": true"));
  CHECK_THAT(comparison_csv(c), contains_text("output_tokens_per_s_difference_low"));
}

TEST_CASE("comparison reports: one seed, no intervals", "[report]") {
  const sweep::Comparison c{
      .results = {test::toy_result("slow", 1.0), test::toy_result("quick", 2.0)}};
  CHECK(comparison_table(c).find("intervals") == std::string::npos);
  CHECK(comparison_csv(c).find("_difference") == std::string::npos);
  CHECK_THAT(comparison_json(c), contains_text("\"replications\": \"1\""));
}

}  // namespace
}  // namespace moesim::report
