#include "operators/memory_pass.h"

#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {
using namespace moesim::literals;
using moesim::test::WithinRel;

TEST_CASE("memory_pass_time: bytes over bandwidth plus a launch per kernel",
          "[operators][oracle]") {
  // 8 MB at half of 1 TB/s: 16 us; two launches of 2 us.
  const Efficiency e{.memory = 0.5, .launch = 2_us};
  const OperatorTime t = memory_pass_time(8_MB, 2, test::toy_gpu(), e);
  CHECK(t.bound == Bound::Memory);
  CHECK_THAT(t.time / 1.0_us, WithinRel(20.0, 1e-12));
}

TEST_CASE("memory_pass_time: no bytes take no time", "[operators]") {
  CHECK(memory_pass_time(Bytes{}, 3, test::toy_gpu(), {.launch = 2_us}).time == Seconds{});
}

}  // namespace
}  // namespace moesim::operators
