// Recorded sessions as one JSON document.
#include <string>

#include "tests/support/catch.h"
#include "workload/trace_reader.h"

namespace moesim::workload {
namespace {

using namespace moesim::literals;

Trace read(const std::string& text, const ReadOptions& options = {}) {
  return read_trace(text, "s.json", TraceFormat::Auto, options);
}

std::string refusal(const std::string& text) {
  try {
    (void)read(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

const std::string kTwoTurns =
    R"({"id":"x","block_size":64,"requests":[)"
    R"({"t":0.0,"in":130,"out":5,"hash_ids":[1,2],"think_time":0.0,"api_time":2.5},)"
    R"({"t":9.0,"in":200,"out":7,"hash_ids":[1,2,3],"think_time":3.5}]})";

TEST_CASE("session JSON: turns, pauses and local block ids", "[workload][oracle]") {
  const Trace trace = read(kTwoTurns);
  REQUIRE(trace.requests.size() == 2);
  CHECK(trace.requests[0].input_tokens == 130);
  CHECK_FALSE(trace.requests[0].after_previous_answer);
  CHECK(trace.requests[1].output_tokens == 7);
  CHECK(trace.requests[1].after_previous_answer);
  CHECK(trace.requests[1].arrival ==
        SimTime::from(3.5_s));  // The pause, from the first arrival on.
  CHECK(trace.requests[1].session == 0);
  CHECK(trace.hash_block_tokens == 64);
  CHECK(trace.requests[1].prefix == PrefixBlocks{2, 3});
  CHECK(trace.hash_ids == std::vector<std::uint64_t>{1, 2, 1, 2, 3});
  ReadOptions one;
  one.max_requests = 1;
  CHECK(read(kTwoTurns, one).requests.size() == 1);
}

TEST_CASE("session JSON: what is no session is refused", "[workload]") {
  using moesim::test::contains_text;
  CHECK_THAT(refusal("{"), contains_text("not a JSON document"));
  CHECK_THAT(refusal("{}"), contains_text("expected a session with a list of requests"));
  CHECK_THAT(refusal(R"({"requests":[]})"), contains_text("no request is left"));
  CHECK_THAT(refusal(R"({"requests":[{"in":0,"out":1}]})"), contains_text("requests[0].in"));
  CHECK_THAT(refusal(R"({"requests":[{"in":1}]})"), contains_text("requests[0].out"));
  CHECK_THAT(refusal(R"({"requests":[3]})"), contains_text("expected an object"));
  CHECK_THAT(refusal(R"({"requests":[{"in":1,"out":1,"think_time":-1}]})"),
             contains_text("must not be negative"));
  CHECK_THAT(refusal(R"({"requests":[{"in":1,"out":1,"think_time":1e30}]})"),
             contains_text("beyond the clock"));
  CHECK_THAT(refusal(R"({"block_size":0,"requests":[{"in":1,"out":1}]})"),
             contains_text("block_size"));
  CHECK_THAT(refusal(R"({"block_size":64,"requests":[{"in":130,"out":1,"hash_ids":[1]}]})"),
             contains_text("130 input tokens are 2 full blocks of 64, got 1 ids"));
  CHECK_THAT(refusal(R"({"requests":[{"in":1,"out":1,"requests":[]}]})"),
             contains_text("requests inside a request are not read"));
}

}  // namespace
}  // namespace moesim::workload
