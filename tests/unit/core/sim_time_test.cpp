#include "core/sim_time.h"

#include <limits>

#include "core/fingerprint.h"
#include "tests/support/aborts.h"
#include "tests/support/catch.h"

namespace moesim {
namespace {

using namespace moesim::literals;
using moesim::test::aborts;

TEST_CASE("SimTime: seconds become picoseconds", "[core][oracle]") {
  CHECK(SimTime::from(0_s).picoseconds() == 0);
  CHECK(SimTime::from(1_s).picoseconds() == 1'000'000'000'000);
  CHECK(SimTime::from(50_ms).picoseconds() == 50'000'000'000);
  CHECK(SimTime::from(3_us).picoseconds() == 3'000'000);
  CHECK(SimTime::from_picoseconds(2'500'000'000).milliseconds() == 2.5);
  CHECK(SimTime::from_picoseconds(2'500'000'000'000).seconds() == 2.5_s);
}

TEST_CASE("SimTime: a half picosecond rounds up", "[core][oracle]") {
  // 2^-13 s = 10^12 / 2^13 ps = 5^12 / 2 ps = 244140625 / 2 ps = 122070312.5 ps, exactly.
  CHECK(SimTime::from(Seconds::from_base(0x1p-13)).picoseconds() == 122070313);
  // 0.4 ps and 0.6 ps.
  CHECK(SimTime::from(Seconds::from_base(0.4e-12)).picoseconds() == 0);
  CHECK(SimTime::from(Seconds::from_base(0.6e-12)).picoseconds() == 1);
}

TEST_CASE("SimTime: adds, subtracts and compares exactly", "[core]") {
  SimTime t = SimTime::from_picoseconds(INT64_MAX - 2);
  t += SimTime::from_picoseconds(1);
  CHECK(t.picoseconds() == INT64_MAX - 1);
  CHECK(t < SimTime::never());
  CHECK(SimTime::never() - t == SimTime::from_picoseconds(1));
}

TEST_CASE("SimTime: what the clock cannot hold is a failed check", "[core]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(aborts([] { (void)SimTime::from(-1_ns); }));
  CHECK(aborts([] { (void)SimTime::from(9.3e6_s); }));  // 107.6 days
  CHECK(aborts([nan] { (void)SimTime::from(Seconds::from_base(nan)); }));
  CHECK(aborts([] { (void)(SimTime::never() + SimTime::from_picoseconds(1)); }));
  CHECK_FALSE(aborts([] { (void)SimTime::from(9.1e6_s); }));
}

TEST_CASE("Fingerprint: order and content matter", "[core]") {
  const auto of = [](std::initializer_list<std::uint64_t> words) {
    Fingerprint f;
    for (const std::uint64_t word : words) f.add(word);
    return f.value();
  };
  CHECK(of({1, 2}) == of({1, 2}));
  CHECK(of({1, 2}) != of({2, 1}));
  CHECK(of({1, 2}) != of({1, 2, 0}));
  CHECK(of({0, 0}) != of({0}));
}

}  // namespace
}  // namespace moesim
