#include <cmath>
#include <vector>

#include "core/random.h"
#include "serving/batch_means.h"
#include "tests/support/catch.h"

namespace moesim::serving {
namespace {

SimTime ms(double x) { return SimTime::from(x * 1.0_ms); }

}  // namespace

TEST_CASE("batch means: half-width by hand") {
  // Eight times -1 and +1: mean 0, squares 16, s^2 = 16 / 15, s / sqrt(16) = 0.258199. Neighbours
  // differ, so the correlation counts as 0: 2.13145 * 0.258199 = 0.550338.
  std::vector<double> alternating;
  for (int i = 0; i < 16; ++i) alternating.push_back(i % 2 == 0 ? -1.0 : 1.0);
  CHECK(half_width(alternating) == Approx(0.550338).epsilon(1e-5));
  // Eight -1, then eight +1: 15 pairs of neighbours, 14 alike and one not: r = 13 / 16 = 0.8125,
  // taken as 0.8: three times as wide.
  std::vector<double> step(16, 1.0);
  for (int i = 0; i < 8; ++i) step[static_cast<std::size_t>(i)] = -1.0;
  CHECK(half_width(step) == Approx(3.0 * 0.550338).epsilon(1e-5));
  CHECK(half_width(std::vector<double>(16, 5.0)) == 0.0);
}

TEST_CASE("batch means: MSER cuts a ramp off") {
  std::vector<double> series(100, 10.0);
  for (std::size_t i = 0; i < series.size(); ++i) series[i] += i % 2 == 0 ? 0.1 : -0.1;
  CHECK(settled_from(series) <= 1);
  for (std::size_t i = 0; i < 20; ++i) series[i] = static_cast<double>(i) / 2.0;
  const std::size_t cut = settled_from(series);
  CHECK(cut >= 19);
  CHECK(cut <= 22);
}

TEST_CASE("batch means: the interval covers the mean as often as it says") {
  // 16 batches of 50 values: 95 % of 2,000 intervals, standard error 0.5 %. The correction for
  // correlation only widens: at least 95 % less three errors.
  RandomStream random(1, "values");
  int covered = 0;
  constexpr int kRuns = 2000;
  for (int run = 0; run < kRuns; ++run) {
    std::vector<SimTime> values;
    double sum = 0;
    for (int i = 0; i < 800; ++i) {
      values.push_back(ms(100.0 + 10.0 * random.normal()));
      sum += values.back().milliseconds();
    }
    const HalfWidths widths = half_widths_ms(values);
    REQUIRE(widths.mean.has_value());
    if (std::abs(sum / 800.0 - 100.0) <= *widths.mean) ++covered;
  }
  CHECK(covered >= kRuns * 0.935);
}

TEST_CASE("batch means: a first-order autoregressive series, whose variance is known") {
  // x_t = 0.5 x_{t-1} + e_t with variance 1 of e: variance of x is 1 / (1 - 0.25) = 4 / 3, of the
  // mean of n = 800 it is 4 / 3 / n (1 + 2 sum_k (1 - k / n) 0.5^k) = 4 / 3 / n (3 - 4 / n), since
  // sum_k 0.5^k = 1 and sum_k k 0.5^k = 2: 0.00499167. Batches of 50 correlate by
  // (1 - 0.5^50)^2 0.5 / (50 (1 - 0.25)) = 0.0133 of x's variance against 3 / 50: 2 %, which the
  // sampled correlation of 16 hides: the factor (1 + r) / (1 - r) of r >= 0 widens the square by
  // a fifth.
  constexpr int kValues = 800;
  constexpr int kRuns = 2000;
  const double variance = 4.0 / 3.0 / kValues * (3.0 - 4.0 / kValues);
  CHECK(variance == Approx(0.00499167).epsilon(1e-5));
  RandomStream random(7, "series");
  int covered = 0;
  double squares = 0;
  for (int run = 0; run < kRuns; ++run) {
    double x = random.normal() * std::sqrt(4.0 / 3.0);
    double sum = 0;
    std::vector<SimTime> values;
    for (int i = 0; i < kValues; ++i) {
      values.push_back(ms(100.0 + x));
      sum += x;
      x = 0.5 * x + random.normal();
    }
    const double half = half_widths_ms(values).mean.value();
    if (std::abs(sum / kValues) <= half) ++covered;
    squares += half / 2.13145 * half / 2.13145;
  }
  // Standard error of the mean square: sqrt(2 / 15) / sqrt(2000) = 0.8 % and that of the factor.
  CHECK(squares / kRuns > variance * 0.97);
  CHECK(squares / kRuns < variance * 1.35);
  CHECK(covered >= kRuns * 0.935);
  CHECK(covered <= kRuns * 0.985);
}

TEST_CASE("batch means: percentiles need values above them") {
  std::vector<SimTime> values(16 * 30, ms(5.0));
  const HalfWidths widths = half_widths_ms(values);
  CHECK(widths.p50.has_value());
  CHECK(widths.p95.has_value());
  CHECK_FALSE(widths.p99.has_value());
  CHECK_FALSE(half_widths_ms(std::span(values).first(20)).mean.has_value());
}

TEST_CASE("batch means: slices keep what they counted while they double") {
  TimeSlices slices;
  // One iteration every 10 ms, eight tokens each, 10 s: 800 tokens/s, gaps of 10 ms.
  for (int i = 1; i <= 1000; ++i) {
    slices.at(ms(10.0 * i)).output_tokens += 8;
    slices.add_gaps(ms(10.0 * i), ms(10.0), 8);
  }
  Intervals known;
  slices.fill(ms(10'000), known);
  REQUIRE(known.present);
  // A batch of 500 to 700 ms holds one iteration more or less than the next.
  REQUIRE(known.output_tokens_per_s.has_value());
  CHECK(*known.output_tokens_per_s < 20.0);
  CHECK(known.itl.mean.value() == Approx(0.0).margin(1e-9));
  CHECK(known.itl.p50.value() == Approx(0.0).margin(0.05));
  CHECK(known.requests_per_s.value() == 0.0);
}

TEST_CASE("batch means: a run is certain when rate and gaps are") {
  TimeSlices steady;
  TimeSlices growing;
  RandomStream random(1, "gaps");
  bool early = false;
  bool grown = false;
  double at = 0;
  for (int i = 0; i < 20'000; ++i) {
    at += 10.0 + random.uniform();
    steady.at(ms(at)).output_tokens += 8;
    steady.add_gaps(ms(at), ms(10.5), 8);
    growing.at(ms(at)).output_tokens += 1 + i;
    growing.add_gaps(ms(at), ms(10.5), 1 + i);
    if (i % 10 == 0) {
      ++steady.at(ms(at)).requests;
      ++growing.at(ms(at)).requests;
    }
    early = early || steady.is_certain(ms(at), 0.05);
    grown = grown || growing.is_certain(ms(at), 0.05);
  }
  CHECK(early);
  CHECK_FALSE(grown);
}

}  // namespace moesim::serving
