#include "workload/statistics.h"

#include "tests/support/catch.h"

namespace moesim::workload {
namespace {

using namespace moesim::literals;
using moesim::test::WithinRel;

Request at(double seconds, std::int32_t input, std::int32_t output) {
  return {.arrival = SimTime::from(seconds * 1_s),
          .input_tokens = input,
          .output_tokens = output,
          .session = -1,
          .prefix = {},
          .after_previous_answer = false};
}

TEST_CASE("summarize: a toy trace by hand", "[workload][oracle]") {
  // Gaps 0, 1, 3 s: mean 4/3, population variance (16/9 + 1/9 + 25/9)/3 = 14/9, cv =
  // sqrt(14)/3 / (4/3) = sqrt(14)/4. Rate: 3 gaps in 4 s.
  const std::vector<Request> requests{at(0, 10, 1), at(0, 30, 2), at(1, 20, 3), at(4, 40, 4)};
  const TraceSummary summary = summarize(requests);
  CHECK(summary.requests == 4);
  CHECK(summary.span == SimTime::from(4_s));
  CHECK_THAT(summary.mean_rate_per_s, WithinRel(0.75, 1e-12));
  CHECK(summary.equal_arrivals == 1);
  CHECK_THAT(summary.gap_cv, WithinRel(0.9354143466934853, 1e-9));
  CHECK(summary.input.total == 100);
  CHECK(summary.input.p50 == 20);
  CHECK(summary.input.p90 == 40);
  CHECK(summary.output.max == 4);
  CHECK_THAT(summary.output.mean, WithinRel(2.5, 1e-12));
}

TEST_CASE("dispersion: counts in full bins only", "[workload][oracle]") {
  // Bins of 2 s over a span of 5 s: two full bins with 3 and 1 requests; the one at 5 s is outside.
  // Mean 2, population variance 1.
  const std::vector<Request> requests{at(0, 1, 1), at(0.5, 1, 1), at(1.9, 1, 1), at(2, 1, 1),
                                      at(5, 1, 1)};
  CHECK_THAT(dispersion(requests, SimTime::from(2_s)), WithinRel(0.5, 1e-12));
}

TEST_CASE("summarize: no request and one request have no gaps", "[workload]") {
  CHECK(summarize({}).requests == 0);
  const std::vector<Request> one{at(3, 7, 8)};
  CHECK(summarize(one).gap_cv < 1e-300);
  CHECK(summarize(one).input.p99 == 7);
}

}  // namespace
}  // namespace moesim::workload
