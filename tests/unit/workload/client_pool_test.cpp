#include <cmath>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/catch.h"
#include "workload/arrivals.h"
#include "workload/generator.h"
#include "workload/statistics.h"

namespace moesim::workload {
namespace {

using namespace moesim::literals;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

const std::string kHead =
    "# Toy pool.\n# window_s=10\n# windows_per_period=4\n"
    "client_id,window,rate_per_s,family,shape\n";

WorkloadModel pool_model(ClientPool pool) {
  WorkloadModel model;
  model.name = "pool";
  model.default_rate = mean_rate(pool);
  model.arrivals = std::move(pool);
  model.input = FixedLength{.tokens = 10};
  model.output = FixedLength{.tokens = 10};
  return model;
}

std::string refusal(const std::string& text) {
  try {
    (void)read_client_pool(text, "pool.csv");
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST_CASE("gamma_function: factorials and half integers", "[workload][oracle]") {
  CHECK_THAT(gamma_function(1.0), WithinRel(1.0, 1e-12));
  CHECK_THAT(gamma_function(5.0), WithinRel(24.0, 1e-12));
  CHECK_THAT(gamma_function(11.0), WithinRel(3'628'800.0, 1e-12));
  // Gamma(3/2) = sqrt(pi)/2.
  CHECK_THAT(gamma_function(1.5), WithinRel(0.88622692545275801, 1e-12));
}

TEST_CASE("client pool: each client is active in its windows, at its rate", "[workload][oracle]") {
  // Period 40 s. Client 3: 50/s in window 0 and 100/s in window 2; client 8: 30/s in window 2.
  // Mean rate (50 + 100 + 30) / 4 = 45.
  const ClientPool pool =
      read_client_pool(kHead + "3,0,50,gamma,1\n3,2,100,weibull,1\n8,2,30,gamma,1\n", "pool.csv");
  CHECK_THAT(mean_rate(pool) / 1_per_s, WithinRel(45.0, 1e-12));
  const auto arrivals = make_arrival_stream(pool_model(pool), {.seed = 2, .start = 35_s});
  // From 35 s of the period: window 3 until 5 s, then window 0 from 5 to 15 s, 1, 2 from 25 to 35.
  double previous = 0.0;
  int first = 0;
  int both = 0;
  int outside = 0;
  for (double t = *arrivals->next(); t < 45.0; t = *arrivals->next()) {
    CHECK(t >= previous);
    previous = t;
    if (t >= 5.0 && t < 15.0) {
      ++first;
    } else if (t >= 25.0 && t < 35.0) {
      ++both;
    } else {
      ++outside;
    }
  }
  // Shape 1 is Poisson in either family: counts 500 and 1300 within five standard deviations.
  CHECK_THAT(first, WithinAbs(500.0, 5.0 * std::sqrt(500.0)));
  CHECK_THAT(both, WithinAbs(1300.0, 5.0 * std::sqrt(1300.0)));
  CHECK(outside == 0);
}

TEST_CASE("client pool: Weibull gaps have their closed-form variation", "[workload][oracle]") {
  // Shape 0.5: mean 2, second moment 4! = 24 (unscaled), cv = sqrt(24/4 - 1) = sqrt(5).
  const ClientPool pool =
      read_client_pool(kHead +
                           "0,0,100,weibull,0.5\n0,1,100,weibull,0.5\n0,2,100,weibull,0.5\n"
                           "0,3,100,weibull,0.5\n",
                       "pool.csv");
  const auto source = make_generated_source(pool_model(pool), {.seed = 6, .max_requests = 100'000});
  std::vector<Request> requests;
  while (const auto request = source->next()) requests.push_back(*request);
  const TraceSummary summary = summarize(requests);
  // s.e. of the mean: sqrt(5/1e5) = 0.7 %. The variation converges slowly (fourth moment 8! = 40320
  // of mean^4 16): s.e. of the variance about sqrt(2520/1e5)/5 = 3.2 %, of cv 1.6 %.
  CHECK_THAT(summary.mean_rate_per_s, WithinRel(100.0, 0.036));
  CHECK_THAT(summary.gap_cv, WithinRel(std::sqrt(5.0), 0.08));
}

TEST_CASE("client pool: messages of a bad table", "[workload]") {
  CHECK(refusal(kHead + "0,0,x,gamma,1\n0,1,1,normal,1\n0,2,1,gamma,0\n") ==
        "pool.csv:5:1: error: rate_per_s: expected a rate of at least 0, got \"x\"\n"
        "pool.csv:6:1: error: family: expected gamma or weibull, got \"normal\"\n"
        "pool.csv:7:1: error: shape: expected a number of at least 0.001, got \"0\"\n"
        "pool.csv:7:1: error: the table has no client");
  CHECK_THAT(refusal(""), test::contains_text("window_s: missing"));
  CHECK_THAT(refusal(kHead + "0,1,1,gamma,1\n0,1,1,gamma,1\n"),
             test::contains_text("the windows of a client must ascend"));
  CHECK_THAT(refusal(kHead + "2,1,1,gamma,1\n1,1,1,gamma,1\n"),
             test::contains_text("clients must ascend"));
  CHECK_THAT(refusal(kHead + "2,4,1,gamma,1\n"), test::contains_text("beyond the period of 4"));
  CHECK_THAT(refusal(kHead + "2,4,1,gamma\n"), test::contains_text("expected 5 fields"));
  CHECK_THAT(refusal("# window_s=10\nclient,window\n"), test::contains_text("expected the header"));
}

TEST_CASE("client pool: the shipped table of the reasoning service", "[workload][oracle]") {
  std::ifstream file(std::string(MOESIM_SOURCE_DIR) +
                     "/scenarios/workloads/reasoning_r1_clients.csv");
  std::stringstream text;
  text << file.rdbuf();
  const ClientPool pool = read_client_pool(text.str(), "reasoning_r1_clients.csv");
  CHECK(pool.clients.size() == 73);
  // Published mean rate of the day: 16.0 requests/s.
  CHECK_THAT(mean_rate(pool) / 1_per_s, WithinRel(16.0, 0.002));
  const auto arrivals = make_arrival_stream(pool_model(pool), {.seed = 1});
  double count = 0.0;
  while (*arrivals->next() < 86'400.0) count += 1.0;
  // 1,383,669 expected. Each client-window adds cv^2 times its count to the variance; cv^2 reaches
  // 80 but is near 1 for most requests: 2 % is above five standard deviations.
  CHECK_THAT(count, WithinRel(mean_rate(pool) / 1_per_s * 86'400.0, 0.02));
}

}  // namespace
}  // namespace moesim::workload
