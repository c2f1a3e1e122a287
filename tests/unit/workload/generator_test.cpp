#include "workload/generator.h"

#include <rapidcheck.h>

#include <cmath>
#include <vector>

#include "tests/support/catch.h"
#include "workload/arrivals.h"
#include "workload/statistics.h"

namespace moesim::workload {
namespace {

using namespace moesim::literals;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

WorkloadModel toy(ArrivalProcess arrivals, double rate = 10.0) {
  WorkloadModel model;
  model.name = "toy";
  model.arrivals = std::move(arrivals);
  model.default_rate = PerSecond::from_base(rate);
  model.input = UniformLength{.min = 1, .max = 1000};
  model.output = FixedLength{.tokens = 10};
  return model;
}

std::vector<Request> generate(const WorkloadModel& model, const GenerateOptions& options) {
  REQUIRE(check_model(model).empty());
  std::vector<Request> all;
  const auto source = make_generated_source(model, options);
  while (const auto request = source->next()) all.push_back(*request);
  return all;
}

/// Sample mean and variance of the number of arrivals in `seconds`, over seeds 1..runs.
struct Counts {
  double mean = 0.0;
  double variance = 0.0;
};

Counts counts_of(const WorkloadModel& model, double seconds, int runs) {
  std::vector<double> counts;
  Counts result;
  for (int seed = 1; seed <= runs; ++seed) {
    const auto arrivals = make_arrival_stream(model, {.seed = static_cast<std::uint64_t>(seed)});
    double count = 0.0;
    while (*arrivals->next() < seconds) count += 1.0;
    counts.push_back(count);
    result.mean += count / runs;
  }
  for (const double count : counts) {
    result.variance += (count - result.mean) * (count - result.mean) / (runs - 1);
  }
  return result;
}

TEST_CASE("Poisson arrivals: mean and variance of counts", "[workload][oracle]") {
  // 10/s for 100 s: mean 1000, variance 1000. Over 400 seeds: s.e. of the mean sqrt(1000/400) =
  // 1.58, of the variance 1000 * sqrt(2/399) = 70.8; five of each.
  const Counts counts = counts_of(toy(Poisson{}), 100.0, 400);
  CHECK_THAT(counts.mean, WithinAbs(1000.0, 7.9));
  CHECK_THAT(counts.variance, WithinAbs(1000.0, 354.0));
}

TEST_CASE("Gamma arrivals: gap variation is 1/sqrt(shape)", "[workload][oracle]") {
  const double shape = GENERATE(0.25, 0.871, 4.0);
  const auto requests =
      generate(toy(GammaRenewal{.shape = shape}), {.seed = 3, .max_requests = 40'000});
  const TraceSummary summary = summarize(requests);
  // Mean gap 0.1 s, s.e. cv/sqrt(n). The s.e. of cv: cv * sqrt((1/2 + cv^2 ... )/n); for a Gamma
  // law with kurtosis 3 + 6/shape it is below cv * sqrt((1 + 2/shape)/n).
  const double cv = 1.0 / std::sqrt(shape);
  CHECK_THAT(1.0 / summary.mean_rate_per_s, WithinRel(0.1, 5.0 * cv / 200.0));
  CHECK_THAT(summary.gap_cv, WithinRel(cv, 5.0 * std::sqrt(1.0 + 2.0 / shape) / 200.0));
}

TEST_CASE("MMPP arrivals: counts have the closed-form mean and variance", "[workload][oracle]") {
  // Two states, rates 5 and 20 per s, bins of 1 s, leaving with a = 0.1 and b = 0.2 per bin:
  // stationary (2/3, 1/3), mean rate 10. The rate has variance 2/9 * 15^2 = 50 and
  // autocorrelation 0.7^k. Over n = 60 bins the count has mean 600 and variance
  //   600 + 50 * (n + 2 * sum_{k=1}^{n-1} (n - k) 0.7^k).
  const Mmpp chain{.bin = 1_s,
                   .rates = {5_per_s, 20_per_s},
                   .transition = {{0.9, 0.1}, {0.2, 0.8}},
                   .stationary = {2.0 / 3.0, 1.0 / 3.0}};
  double sum = 60.0;
  for (int k = 1; k < 60; ++k) sum += 2.0 * (60 - k) * std::pow(0.7, k);
  const double variance = 600.0 + 50.0 * sum;
  constexpr int kRuns = 400;
  const Counts counts = counts_of(toy(chain), 60.0, kRuns);
  CHECK_THAT(counts.mean, WithinAbs(600.0, 5.0 * std::sqrt(variance / kRuns)));
  CHECK_THAT(counts.variance, WithinRel(variance, 5.0 * std::sqrt(2.0 / (kRuns - 1))));
}

TEST_CASE("MMPP arrivals: rates are scaled to the mean asked for", "[workload][oracle]") {
  const Mmpp chain{.bin = 1_s,
                   .rates = {1_per_s, 3_per_s},
                   .transition = {{0.5, 0.5}, {0.5, 0.5}},
                   .stationary = {0.5, 0.5}};
  // Mean of the chain 2/s, asked for 10/s: independent bins of rate 5 or 15, so the count over
  // 100 s has variance 1000 + 25 * 100 = 3500.
  const Counts counts = counts_of(toy(chain), 100.0, 200);
  CHECK_THAT(counts.mean, WithinAbs(1000.0, 5.0 * std::sqrt(3500.0 / 200.0)));
}

TEST_CASE("rate curve: arrivals follow the steps, from any start", "[workload][oracle]") {
  WorkloadModel model = toy(Poisson{}, 100.0);
  model.curve = RateCurve{.step = 10_s, .multiplier = {0.0, 0.5, 2.5}, .start = ""};
  // Start at 15 s of the curve: 5 s at 50/s, 10 s at 250/s, 10 s at 0, 5 s at 50/s.
  const auto requests = generate(model, {.seed = 5, .start = 15_s, .duration = 30_s});
  int first = 0;
  int second = 0;
  int silent = 0;
  for (const Request& request : requests) {
    const double t = request.arrival.milliseconds() * 1e-3;
    if (t < 5.0) ++first;
    if (t >= 5.0 && t < 15.0) ++second;
    if (t >= 15.0 && t < 25.0) ++silent;
  }
  CHECK_THAT(first, WithinAbs(250.0, 5.0 * std::sqrt(250.0)));
  CHECK_THAT(second, WithinAbs(2500.0, 5.0 * std::sqrt(2500.0)));
  CHECK(silent == 0);
}

TEST_CASE("rate modulation: adds its variance and keeps the mean", "[workload][oracle]") {
  WorkloadModel model = toy(Poisson{}, 100.0);
  model.modulation = RateModulation{.step = 1_s, .cv = 0.5};
  // 10 s: mean 1000; variance 1000 + 10 * (100 * 0.5)^2 = 26,000.
  const Counts counts = counts_of(model, 10.0, 400);
  CHECK_THAT(counts.mean, WithinAbs(1000.0, 5.0 * std::sqrt(26'000.0 / 400.0)));
  // A lognormal factor has heavier tails than the normal the s.e. assumes: twice the margin.
  CHECK_THAT(counts.variance, WithinRel(26'000.0, 10.0 * std::sqrt(2.0 / 399.0)));
}

TEST_CASE("generated source: another rate scales the gaps and keeps the lengths",
          "[workload][property]") {
  CHECK(rc::check([] {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const double factor = 0.1 + *rc::gen::inRange(0, 100) / 10.0;
    const WorkloadModel model = toy(GammaRenewal{.shape = 0.7});
    const auto a = generate(model, {.seed = seed, .max_requests = 50});
    const auto b = generate(model, {.seed = seed, .rate_scale = factor, .max_requests = 50});
    for (std::size_t i = 0; i < a.size(); ++i) {
      RC_ASSERT(a[i].input_tokens == b[i].input_tokens);
      const double expected = a[i].arrival.milliseconds() / factor;
      RC_ASSERT(std::abs(b[i].arrival.milliseconds() - expected) < 1e-6 * (1.0 + expected));
    }
  }));
}

TEST_CASE("generated source: arrivals never go back and end with the duration",
          "[workload][property]") {
  CHECK(rc::check([] {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    WorkloadModel model = toy(GammaRenewal{.shape = 0.05}, 50.0);
    model.curve = RateCurve{.step = 3_s, .multiplier = {0.0, 2.0, 1.0}, .start = ""};
    model.modulation = RateModulation{.step = 2_s, .cv = 0.3};
    const auto requests = generate(model, {.seed = seed, .start = 4_s, .duration = 20_s});
    for (std::size_t i = 0; i < requests.size(); ++i) {
      RC_ASSERT(requests[i].arrival < SimTime::from(20_s));
      if (i > 0) RC_ASSERT(requests[i - 1].arrival <= requests[i].arrival);
    }
  }));
}

TEST_CASE("generated source: the same seed gives the same requests", "[workload]") {
  const WorkloadModel model = toy(Poisson{});
  CHECK(generate(model, {.seed = 9, .max_requests = 1000}) ==
        generate(model, {.seed = 9, .max_requests = 1000}));
  CHECK(generate(model, {.seed = 9, .max_requests = 10}) !=
        generate(model, {.seed = 10, .max_requests = 10}));
}

TEST_CASE("generated source: ends at the end of the clock", "[workload]") {
  WorkloadModel model = toy(Poisson{}, 1e-6);
  CHECK(generate(model, {.seed = 1}).size() < 100);
}

TEST_CASE("closed loop: lengths come without arrivals, the same as with them", "[workload]") {
  WorkloadModel closed = toy(ClosedLoop{.concurrency = 16});
  CHECK(is_closed_loop(closed));
  CHECK_FALSE(is_closed_loop(toy(Poisson{})));
  const auto requests = generate(closed, {.seed = 4, .max_requests = 100});
  const auto open = generate(toy(Poisson{}), {.seed = 4, .max_requests = 100});
  const LengthSampler sampler(closed, 4);
  REQUIRE(requests.size() == 100);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    CHECK(requests[i].arrival == SimTime{});
    CHECK(requests[i].input_tokens == open[i].input_tokens);
    CHECK(requests[i].input_tokens == sampler.at(static_cast<std::int64_t>(i)).input_tokens);
  }
}

}  // namespace
}  // namespace moesim::workload
