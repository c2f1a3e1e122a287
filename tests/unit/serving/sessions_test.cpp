// Turns that follow an answer.
#include "serving/sessions.h"

#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::request_at;

workload::Request turn(std::int32_t session, Seconds arrival, std::int32_t input,
                       std::int32_t output, bool follows) {
  workload::Request r = request_at(arrival, input, output);
  r.session = session;
  r.after_previous_answer = follows;
  return r;
}

TEST_CASE("sessions: a turn arrives its pause after the answer before it", "[serving][oracle]") {
  // Session 0: three turns with pauses of 2 s and 3 s; by the source their bounds are 1, 3 and 6 s.
  // Session 1 stands on the clock.
  const Deployment d = test::toy_deployment(test::toy_dense_model(), {});
  const RunResult result = test::run(d, {turn(0, 1_s, 100, 200, false), turn(0, 3_s, 300, 50, true),
                                         turn(1, 4_s, 10, 5, false), turn(0, 6_s, 400, 5, true)});
  REQUIRE(result.requests.size() == 4);
  std::vector<RequestRecord> of(4);
  for (const RequestRecord& r : result.requests) of[static_cast<std::size_t>(r.number)] = r;
  CHECK(of[0].arrival == SimTime::from(1_s));
  CHECK(of[1].arrival == of[0].finish + SimTime::from(2_s));
  CHECK(of[2].arrival == SimTime::from(4_s));
  CHECK(of[3].arrival == of[1].finish + SimTime::from(3_s));
  CHECK(of[3].arrival > SimTime::from(6_s));
}

TEST_CASE("sessions: a slow answer holds all later turns back", "[serving][oracle]") {
  // Pauses of zero: the second and third turn come up while the first is answered.
  const Deployment d = test::toy_deployment(test::toy_dense_model(), {});
  const RunResult result = test::run(
      d, {turn(7, 0_s, 1000, 500, false), turn(7, 0_s, 20, 5, true), turn(7, 0_s, 30, 5, true)});
  REQUIRE(result.requests.size() == 3);
  for (std::size_t i = 1; i < 3; ++i) {
    CHECK(result.requests[i].number == static_cast<std::int64_t>(i));
    CHECK(result.requests[i].arrival == result.requests[i - 1].finish);
  }
}

TEST_CASE("sessions: a turn that is rejected is answered at once; none comes after the end",
          "[serving][oracle]") {
  Deployment d = test::toy_deployment(test::toy_dense_model(), {});
  const std::vector<workload::Request> turns = {
      turn(0, 1_s, 100, 5, false), turn(0, 2_s, 9000, 5, true), turn(0, 4_s, 100, 5, true)};
  const RunResult all = test::run(d, turns, {.blocks = 100});  // 1600 tokens
  CHECK(all.summary.requests_rejected == 1);
  REQUIRE(all.requests.size() == 2);
  const SimTime rejected = all.requests[0].finish + SimTime::from(1_s);
  CHECK(all.requests[1].arrival == rejected + SimTime::from(2_s));
  const RunResult cut = test::run(d, turns, {.blocks = 100, .duration = SimTime::from(3.5_s)});
  CHECK(cut.summary.requests_completed == 1);
}

TEST_CASE("sessions: one is forgotten when the turn known to be its last has ended", "[serving]") {
  SessionBook book;
  workload::Request first = turn(3, 1_s, 10, 5, false);
  workload::Request last = turn(3, 4_s, 20, 5, true);
  last.last_of_session = true;
  CHECK_FALSE(book.keep(first, 0, {}));
  CHECK(book.keep(last, 1, {}));
  CHECK_FALSE(book.next_arrival(3));
  book.ended(3, SimTime::from(2_s));
  CHECK(book.next_arrival(3) == SimTime::from(5_s));
  CHECK(book.known() == 1);
  (void)book.take(3);
  book.ended(3, SimTime::from(6_s));
  CHECK(book.known() == 0);
  // Given up before its last turn comes up: forgotten when it does.
  CHECK_FALSE(book.keep(first, 2, {}));
  workload::Request middle = turn(3, 3_s, 20, 5, true);
  CHECK(book.keep(middle, 3, {}));
  book.ended(3, SimTime::from(2_s));
  CHECK(book.next_arrival(3));
  book.give_up(3);
  CHECK(book.known() == 1);
  CHECK(book.keep(last, 4, {}));
  CHECK(book.known() == 0);
}

}  // namespace
}  // namespace moesim::serving
