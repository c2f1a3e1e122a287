#include "sweep/parallel_runs.h"

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace moesim::sweep {
namespace {

TEST_CASE("run_parallel: does each piece once and counts up", "[sweep]") {
  const int jobs = GENERATE(0, 1, 4);
  std::vector<int> times(100, 0);
  std::vector<std::int64_t> told;
  run_parallel(
      100, jobs, [&](std::int64_t i) { ++times[static_cast<std::size_t>(i)]; },
      [&](std::int64_t done, std::int64_t all) {
        CHECK(all == 100);
        told.push_back(done);
      });
  CHECK(times == std::vector<int>(100, 1));
  REQUIRE(told.size() == 100);
  CHECK(told.front() == 1);
  CHECK(told.back() == 100);
}

TEST_CASE("run_parallel: finishes all and throws the first mistake by number", "[sweep]") {
  std::atomic<int> done = 0;
  const auto work = [&](std::int64_t i) {
    ++done;
    if (i == 3 || i == 7) throw std::runtime_error("piece " + std::to_string(i));
  };
  CHECK_THROWS_WITH(run_parallel(10, 4, work), "piece 3");
  CHECK(done == 10);
}

TEST_CASE("run_parallel: nothing to do is done", "[sweep]") {
  CHECK_NOTHROW(run_parallel(0, 2, [](std::int64_t) { throw std::runtime_error("called"); }));
}

}  // namespace
}  // namespace moesim::sweep
