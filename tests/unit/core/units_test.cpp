#include "core/units.h"

#include <concepts>
#include <type_traits>

#include "core/ids.h"
#include "tests/support/catch.h"

namespace moesim {
namespace {

using namespace moesim::literals;
using moesim::test::WithinRel;

template <class A, class B>
concept Addable = requires(A a, B b) {
  a + b;
};
template <class A, class B>
concept Comparable = requires(A a, B b) {
  a < b;
};

// What the dimensions allow and forbid, decided by the compiler.
static_assert(Addable<Bytes, Bytes>);
static_assert(!Addable<Bytes, Seconds>);
static_assert(!Addable<Bytes, double>);
static_assert(!Addable<Dollars, DollarsPerSecond>);
static_assert(!Comparable<Bytes, Flops>);
static_assert(!std::convertible_to<double, Seconds>);
static_assert(!std::convertible_to<Seconds, double>);
static_assert(!std::convertible_to<GpuId, NodeId>);
static_assert(!Comparable<GpuId, RankId>);
static_assert(std::same_as<decltype(Bytes() / BytesPerSecond()), Seconds>);
static_assert(std::same_as<decltype(Flops() / FlopsPerSecond()), Seconds>);
static_assert(std::same_as<decltype(DollarsPerSecond() * Seconds()), Dollars>);
static_assert(std::same_as<decltype(Dollars() / Tokens()), DollarsPerToken>);
static_assert(std::same_as<decltype(Watts() * Seconds()), Joules>);
static_assert(std::same_as<decltype(Bytes() / Bytes()), double>);
static_assert(std::same_as<decltype(PerSecond() * Seconds()), double>);
static_assert(std::same_as<decltype(1.0 / Seconds()), PerSecond>);
static_assert(sizeof(Bytes) == sizeof(double) && std::is_trivially_copyable_v<Bytes>);

TEST_CASE("units: GB, GiB and Gb are three different things", "[core][oracle]") {
  CHECK(1_GB / kByte == 1e9);
  CHECK(1_GiB / kByte == 1073741824.0);  // 2^30
  CHECK(8_Gbitps / 1_GBps == 1.0);       // 8 bit are one byte
  CHECK_THAT(1_GiB / 1_GB, WithinRel(1.073741824, 1e-15));
}

TEST_CASE("units: quotients carry the right numbers", "[core][oracle]") {
  // 450 GB at 900 GB/s: half a second. 2.69 USD/h for 730 h: 1963.70 USD.
  CHECK(450_GB / 900_GBps / 1_ms == 500.0);
  CHECK_THAT(2.69_USDph * 730_h / 1_USD, WithinRel(1963.70, 1e-14));
  CHECK_THAT(989_TFLOPs * 2_s / kFlop, WithinRel(1.978e15, 1e-15));
  CHECK_THAT(0.7_kW * 1_h / (1_W * 1_s), WithinRel(2.52e6, 1e-15));
}

TEST_CASE("units: assignment operators, sign and order", "[core]") {
  Seconds t = 3_s;
  t += 2_s;
  t -= 1_s;
  t *= 6.0;
  t /= 3.0;
  CHECK(t == 8_s);
  CHECK(-t == 0_s - 8_s);
  CHECK(t > 7999_ms);
  CHECK(2.0 * t == t * 2.0);
  CHECK(t / 2.0 == 4_s);
}

TEST_CASE("ids: value, index and order", "[core]") {
  CHECK(GpuId(7).value() == 7);
  CHECK(GpuId(7).index() == 7U);
  CHECK(GpuId(7) < GpuId(8));
  CHECK(GpuId() == GpuId(0));
}

}  // namespace
}  // namespace moesim
