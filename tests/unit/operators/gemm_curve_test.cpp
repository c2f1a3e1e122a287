#include "operators/gemm_curve.h"

#include <rapidcheck.h>

#include <string>
#include <vector>

#include "tests/support/aborts.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {
using namespace moesim::literals;
using moesim::test::aborts;
using moesim::test::toy_gpu;
using moesim::test::WithinRel;

/// 100 multiprocessors of 10 TFLOP/s each in bf16; memory of 100 TB/s is never in the way.
catalog::Gpu arithmetic_gpu() {
  catalog::Gpu gpu = toy_gpu();
  gpu.sms = 100;
  gpu.memory_bandwidth = 100_TBps;
  return gpu;
}

/// Multiplies in no time; memory of 1 TB/s.
catalog::Gpu memory_gpu() {
  catalog::Gpu gpu = toy_gpu();
  gpu.sms = 100;
  gpu.bf16 = 1e9 * 1.0_TFLOPs;
  gpu.fp8 = gpu.bf16;
  return gpu;
}

/// A kernel that reaches both roofs and costs nothing besides; splitting k never pays.
struct Ideal {
  double launch_us = 0, prologue_us = 0, compute = 1, load = 0, step_ns = 0, rounding = 1,
         memory = 1, stream_us = 0, cache_mb = 1e-6, cache_gain = 1, store = 0, split_us = 1e9,
         slowdown = 0, settle_us = 1, quantise = 1, quantise_gain = 1;
  [[nodiscard]] std::vector<double> values() const {
    return {launch_us, prologue_us, compute,  load,         step_ns, rounding,
            memory,    stream_us,   cache_mb, cache_gain,   store,   split_us,
            slowdown,  settle_us,   quantise, quantise_gain};
  }
};

double us(const catalog::Gpu& gpu, const Ideal& kernel, const GemmShape& shape,
          std::string_view dtype = "bf16") {
  return GemmCurve(gpu, *kernel_format(dtype), kernel.values()).time(shape).time / 1.0_us;
}

std::vector<double> any_values() {
  std::vector<double> values;
  for (const CoefficientSpec& spec : GemmCurve::coefficients()) {
    const double at = *rc::gen::inRange(0, 1001) / 1000.0;
    values.push_back(spec.lower + at * (spec.upper - spec.lower));
  }
  return values;
}

GemmCurve any_curve() {
  const auto names = kernel_dtypes();
  const auto name = names[*rc::gen::inRange<std::size_t>(0, names.size())];
  return GemmCurve(toy_gpu(), *kernel_format(name), any_values());
}

TEST_CASE("GemmCurve: whole waves of tiles take what the arithmetic takes", "[operators][oracle]") {
  // 1280 x 2560 = 10 x 20 tiles of 128: two waves on 100 multiprocessors.
  // 2 * 1280 * 2560 * 100'000 flops at 1000 TFLOP/s: 655.36 us, and 10 us of launch. The bytes
  // (774.6 MB, 7.7 us) add (7.7 / 655)^4 / 4 = 5e-9 of it.
  CHECK_THAT(us(arithmetic_gpu(), {.launch_us = 10}, {1280, 2560, 100'000}),
             WithinRel(665.36, 1e-7));
}

TEST_CASE("GemmCurve: one row more starts a wave, of the tiles that lose least by it",
          "[operators][oracle]") {
  // 1281 rows. 128 x 128: 220 tiles, 3 waves of 327.68 us = 983.04. 64 x 128: 420, 5 of 163.84 =
  // 819.2. 64 x 64: 21 x 40 = 840 tiles, 9 waves of 81.92 us = 737.28, the least.
  CHECK_THAT(us(arithmetic_gpu(), {}, {1281, 2560, 100'000}), WithinRel(737.28, 1e-7));
  // Half rounded: 8.4 + 0.6 / 2 = 8.7 waves of 81.92 us.
  CHECK_THAT(us(arithmetic_gpu(), {.rounding = 0.5}, {1281, 2560, 100'000}),
             WithinRel(712.704, 1e-7));
}

TEST_CASE("GemmCurve: a lone tile splits its k where that pays", "[operators][oracle]") {
  // One tile of 64 x 64 x 32'000: 2 * 4096 * 32'000 flops on 10 TFLOP/s = 26.2144 us. In 32 parts:
  // 0.8192 us, 1 us to split, 32 * 4096 * 8 B at 100 TB/s = 0.01048576 us for the sums.
  CHECK_THAT(us(arithmetic_gpu(), {}, {64, 64, 32'000}), WithinRel(26.2144, 1e-7));
  CHECK_THAT(us(arithmetic_gpu(), {.split_us = 1}, {64, 64, 32'000}), WithinRel(1.82968576, 1e-5));
}

TEST_CASE("GemmCurve: loads, latency, prologue and store weigh on a tile", "[operators][oracle]") {
  const GemmShape one{64, 64, 32'000};
  // load 0.25: 1 + 0.25 * 128 * (1/64 + 1/64) = 2 times the arithmetic.
  CHECK_THAT(us(arithmetic_gpu(), {.load = 0.25}, one), WithinRel(52.4288, 1e-7));
  // 2 ns a step: 64 us, above the 26.2 us of arithmetic.
  CHECK_THAT(us(arithmetic_gpu(), {.step_ns = 2}, one), WithinRel(64.0, 1e-7));
  // 5 us of prologue; store 1: 4096 * 2 B at a hundredth of 100 TB/s: 0.008192 us.
  CHECK_THAT(us(arithmetic_gpu(), {.prologue_us = 5, .store = 1}, one), WithinRel(31.222592, 1e-7));
}

TEST_CASE("GemmCurve: a hot GPU slows down", "[operators][oracle]") {
  // 26.2144 (1 + 0.5 * 26.2144 / (26.2144 + 26.2144)) = 26.2144 * 1.25.
  CHECK_THAT(us(arithmetic_gpu(), {.slowdown = 0.5, .settle_us = 26.2144}, {64, 64, 32'000}),
             WithinRel(32.768, 1e-6));
}

TEST_CASE("GemmCurve: how far clocks fall stays with the GPU measured", "[operators]") {
  catalog::Gpu measured = toy_gpu();
  catalog::Curve curve;
  curve.key = {.operation = "gemm", .gpu = measured.name, .dtype = "bf16"};
  for (const CoefficientSpec& spec : GemmCurve::coefficients()) {
    curve.coefficients.push_back({std::string(spec.name), spec.start});
  }
  catalog::CurveMatch match;
  match.curve = &curve;
  match.gpu = &measured;
  CHECK(values_for(measured, match, GemmCurve::coefficients()) ==
        values_of(curve, GemmCurve::coefficients()));
  catalog::Gpu other = measured;
  other.name = "other";
  std::vector<double> expected = values_of(curve, GemmCurve::coefficients());
  expected[12] = 0.0;  // slowdown, and nothing else
  CHECK(values_for(other, match, GemmCurve::coefficients()) == expected);
}

TEST_CASE("GemmCurve: work beside the tensor cores takes as long on slower ones",
          "[operators][oracle]") {
  catalog::Gpu measured = toy_gpu();
  measured.architecture = "toy";
  measured.sms = 100;
  catalog::Curve curve;
  curve.key = {.operation = "gemm", .gpu = measured.name, .dtype = "bf16"};
  for (const CoefficientSpec& spec : GemmCurve::coefficients()) {
    curve.coefficients.push_back({std::string(spec.name), spec.start});
  }
  catalog::CurveMatch match;
  match.curve = &curve;
  match.gpu = &measured;
  catalog::Gpu other = measured;
  other.name = "other";
  other.sms = 50;
  other.bf16 = measured.bf16 / 8.0;  // A quarter of the rate on each multiprocessor.
  std::vector<double> expected = values_of(curve, GemmCurve::coefficients());
  // 0.7 of the peak: 3/7 more than at the peak; a quarter of that is 3/28, 28/31 of the peak.
  expected[2] = 28.0 / 31.0;
  expected[3] *= 0.25;  // load
  expected[12] = 0.0;   // slowdown
  const std::vector<double> carried = values_for(other, match, GemmCurve::coefficients());
  REQUIRE(carried.size() == expected.size());
  for (std::size_t i = 0; i < carried.size(); ++i) {
    CHECK_THAT(carried[i], WithinRel(expected[i], 1e-12));
  }
  // Between architectures kernels are others: shares of the peak stay.
  other.architecture = "another";
  CHECK(values_for(other, match, GemmCurve::coefficients())[2] == 0.7);
}

TEST_CASE("GemmCurve: one token reads the weights", "[operators][oracle]") {
  const GemmShape shape{1, 1000, 1000};
  // (1000 * 1000 + 1000 + 1000) * 2 B = 2.004 MB at 1 TB/s.
  CHECK_THAT(us(memory_gpu(), {}, shape), WithinRel(2.004, 1e-9));
  // At half the bandwidth, after 3 us of launch and 1 us until the stream runs.
  const Ideal slow{.launch_us = 3, .memory = 0.5, .stream_us = 1};
  CHECK_THAT(us(memory_gpu(), slow, shape), WithinRel(8.008, 1e-9));
  const GemmCurve curve(memory_gpu(), *kernel_format("bf16"), slow.values());
  CHECK(curve.time(shape).bound == Bound::Memory);
  CHECK(curve.time({1, 10, 10}).bound == Bound::Launch);
  CHECK(GemmCurve(arithmetic_gpu(), *kernel_format("bf16"), slow.values())
            .time({4096, 4096, 4096})
            .bound == Bound::Compute);
}

TEST_CASE("GemmCurve: what fits the cache reads faster, never beyond the data sheet",
          "[operators][oracle]") {
  const GemmShape shape{1, 1000, 1000};
  // Just as large as the cache: 1 - (1 - 1/2) / (1 + 1) = 3/4 of 4.008 us.
  CHECK_THAT(us(memory_gpu(), {.memory = 0.5, .cache_mb = 2.004, .cache_gain = 2}, shape),
             WithinRel(3.006, 1e-9));
  // 3/4 of 2.004 us would be faster than memory: cut off.
  CHECK_THAT(us(memory_gpu(), {.cache_mb = 2.004, .cache_gain = 2}, shape), WithinRel(2.004, 1e-9));
}

TEST_CASE("GemmCurve: narrow activations are quantised first", "[operators][oracle]") {
  // fp8, one output column: (1000 + 1'000'000) B + 1000 * 2 B = 1.003 MB; 2 MB of 16-bit inputs to
  // quantise at half the bandwidth: 4 us.
  CHECK_THAT(us(memory_gpu(), {.quantise = 0.5}, {1000, 1, 1000}, "fp8"), WithinRel(5.003, 1e-9));
}

TEST_CASE("GemmCurve: an empty side takes no time", "[operators][oracle]") {
  for (const GemmShape& shape : {GemmShape{0, 5, 5}, GemmShape{5, 0, 5}, GemmShape{5, 5, 0}}) {
    CHECK(us(memory_gpu(), {.launch_us = 3}, shape) == 0.0);
  }
}

TEST_CASE("GemmCurve: a GPU of unknown size has the usual number of multiprocessors",
          "[operators]") {
  catalog::Gpu usual = toy_gpu();
  usual.sms = kUsualMultiprocessors;
  const GemmShape shape{4096, 4096, 512};
  CHECK(us(toy_gpu(), {}, shape) == us(usual, {}, shape));
}

TEST_CASE("GemmCurve: refuses too few coefficients and a GPU without rates", "[operators]") {
  CHECK(aborts([] { GemmCurve(toy_gpu(), *kernel_format("bf16"), std::vector<double>{1.0}); }));
  CHECK(aborts([] { GemmCurve({}, *kernel_format("bf16"), Ideal{}.values()); }));
}

TEST_CASE("GemmCurve: never faster than the data sheet and never endless",
          "[operators][property]") {
  CHECK(rc::check([] {
    const GemmCurve curve = any_curve();
    const auto side = [] { return std::int64_t{1} << *rc::gen::inRange(0, 24); };
    const GemmShape shape{side() + *rc::gen::inRange(0, 3), side(), side()};
    const Seconds t = curve.time(shape).time;
    RC_ASSERT(t >= curve.data_sheet_bound(shape));
    RC_ASSERT(t < 1e12 * 1.0_s);
  }));
}

TEST_CASE("GemmCurve: grows with every side", "[operators][property]") {
  CHECK(rc::check([] {
    const GemmCurve curve = any_curve();
    const auto side = rc::gen::inRange<std::int64_t>(1, 40'000);
    GemmShape shape{*side, *side, *side};
    const Seconds before = curve.time(shape).time;
    std::int64_t& grown = **rc::gen::element(&shape.m, &shape.n, &shape.k);
    grown += *rc::gen::inRange<std::int64_t>(1, 300);
    RC_ASSERT(curve.time(shape).time >= before * (1.0 - 1e-12));
  }));
}

}  // namespace
}  // namespace moesim::operators
