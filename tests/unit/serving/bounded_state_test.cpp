// What a run keeps of requests: state of those that are here, a short record of those that ended.
#include <algorithm>
#include <array>
#include <cstddef>

#include "serving/run_result.h"
#include "serving/sequence.h"
#include "tests/support/catch.h"
#include "workload/request.h"

namespace moesim::serving {
namespace {

TEST_CASE("a million requests, fifty at a time, take the places of fifty", "[serving]") {
  constexpr std::size_t kAtOnce = 50;
  SequencePool pool;
  std::array<SequenceIndex, kAtOnce> here{};
  std::size_t most = 0;
  for (std::size_t i = 0; i < 1'000'000; ++i) {
    SequenceIndex& place = here[i * 7 % kAtOnce];
    if (i >= kAtOnce) pool.give_back(place);
    place = pool.take();
    most = std::max(most, static_cast<std::size_t>(place) + 1);
  }
  CHECK(most == kAtOnce);
  CHECK(pool.in_use() == kAtOnce);
}

TEST_CASE("what stays of a request that ended is short", "[serving]") {
  // Number, five times of 8 B and four counts of 4 B; and the row of a trace.
  CHECK(sizeof(RequestRecord) <= 64);
  CHECK(sizeof(workload::Request) <= 40);
}

}  // namespace
}  // namespace moesim::serving
