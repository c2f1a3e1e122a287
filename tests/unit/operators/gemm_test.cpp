#include "operators/gemm.h"

#include <rapidcheck.h>

#include "tests/support/aborts.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {
using namespace moesim::literals;
using catalog::MathFormat;
using moesim::test::toy_format;
using moesim::test::toy_gpu;
using moesim::test::WithinRel;

const Efficiency kPerfect{};

TEST_CASE("gemm_time: one token against a square weight is memory bound", "[operators][oracle]") {
  // bytes = 1000*1000*2 (weights) + (1*1000 + 1*1000)*2 (activations) = 2'004'000 B; at 1 TB/s:
  // 2.004 us; flops = 2e6, 2 ns.
  const OperatorTime t = gemm_time({.m = 1, .n = 1000, .k = 1000}, toy_format(16, MathFormat::Bf16),
                                   2_B, toy_gpu(), kPerfect);
  CHECK(t.bound == Bound::Memory);
  CHECK_THAT(t.time / 1.0_us, WithinRel(2.004, 1e-12));
}

TEST_CASE("gemm_time: a large square GEMM is compute bound", "[operators][oracle]") {
  // flops = 2 * 4096^3 = 137'438'953'472; at 1000 TFLOP/s: 137.438953472 us.
  const OperatorTime t = gemm_time({.m = 4096, .n = 4096, .k = 4096},
                                   toy_format(16, MathFormat::Bf16), 2_B, toy_gpu(), kPerfect);
  CHECK(t.bound == Bound::Compute);
  CHECK_THAT(t.time / 1.0_us, WithinRel(137.438953472, 1e-12));
}

TEST_CASE("gemm_time: efficiencies divide the roofs and the launch is added",
          "[operators][oracle]") {
  const Efficiency half{.compute = 0.25, .memory = 0.5, .launch = 3_us};
  const auto format = toy_format(16, MathFormat::Bf16);
  // 4 * 137.438953472 + 3 us; 2 * 2.004 + 3 us.
  CHECK_THAT(gemm_time({4096, 4096, 4096}, format, 2_B, toy_gpu(), half).time / 1.0_us,
             WithinRel(552.755813888, 1e-12));
  CHECK_THAT(gemm_time({1, 1000, 1000}, format, 2_B, toy_gpu(), half).time / 1.0_us,
             WithinRel(7.008, 1e-12));
}

TEST_CASE("gemm_time: the math format picks the peak and the weight format the bytes",
          "[operators][oracle]") {
  // 2 * 8192^3 = 1'099'511'627'776 flops at 2000 TFLOP/s: 549.755813888 us.
  CHECK_THAT(
      gemm_time({8192, 8192, 8192}, toy_format(8, MathFormat::Fp8), 2_B, toy_gpu(), kPerfect).time /
          1.0_us,
      WithinRel(549.755813888, 1e-12));
  // Weight-only 4 bit in bf16 math: 0.5e6 + 4000 B = 0.504 us.
  CHECK_THAT(
      gemm_time({1, 1000, 1000}, toy_format(4, MathFormat::Bf16), 2_B, toy_gpu(), kPerfect).time /
          1.0_us,
      WithinRel(0.504, 1e-12));
}

TEST_CASE("gemm_time: a GPU without fp8 computes in bf16 and still reads one byte a weight",
          "[operators][oracle]") {
  catalog::Gpu old = toy_gpu();
  old.fp8 = FlopsPerSecond{};
  const auto fp8 = toy_format(8, MathFormat::Fp8);
  CHECK_THAT(gemm_time({4096, 4096, 4096}, fp8, 2_B, old, kPerfect).time / 1.0_us,
             WithinRel(137.438953472, 1e-12));
  CHECK_THAT(gemm_time({1, 1000, 1000}, fp8, 2_B, old, kPerfect).time / 1.0_us,
             WithinRel(1.004, 1e-12));
}

TEST_CASE("gemm_time: a measured best matrix multiply is a ceiling", "[operators][oracle]") {
  catalog::Gpu gpu = toy_gpu();
  gpu.measured_bf16 = 500_TFLOPs;
  const auto bf16 = toy_format(16, MathFormat::Bf16);
  const Efficiency good{.compute = 0.8};
  const Efficiency poor{.compute = 0.25};
  // 0.8 of 1000 is above the ceiling of 500: twice 137.4 us; 0.25 is below it: four times.
  CHECK_THAT(gemm_time({4096, 4096, 4096}, bf16, 2_B, gpu, good).time / 1.0_us,
             WithinRel(274.877906944, 1e-12));
  CHECK_THAT(gemm_time({4096, 4096, 4096}, bf16, 2_B, gpu, poor).time / 1.0_us,
             WithinRel(549.755813888, 1e-12));
}

TEST_CASE("gemm_time: an empty side takes no time", "[operators]") {
  const Efficiency launch{.launch = 3_us};
  const auto format = toy_format(16, MathFormat::Bf16);
  CHECK(gemm_time({0, 4096, 4096}, format, 2_B, toy_gpu(), launch).time == Seconds{});
  CHECK(gemm_time({4096, 0, 4096}, format, 2_B, toy_gpu(), launch).time == Seconds{});
}

TEST_CASE("gemm_time: an efficiency above one is a bug of ours", "[operators]") {
  CHECK(test::aborts([] {
    (void)gemm_time({1, 1, 1}, toy_format(16, MathFormat::Bf16), 2_B, toy_gpu(), {.compute = 1.5});
  }));
}

TEST_CASE("gemm_time: a faster GPU never takes longer", "[operators][property]") {
  CHECK(rc::check([] {
    const auto side = rc::gen::inRange<std::int64_t>(1, 32768);
    const GemmShape shape{.m = *side, .n = *side, .k = *side};
    const double compute = 1.0 + *rc::gen::inRange(0, 100) / 10.0;
    const double memory = 1.0 + *rc::gen::inRange(0, 100) / 10.0;
    catalog::Gpu faster = toy_gpu();
    faster.bf16 *= compute;
    faster.memory_bandwidth *= memory;
    const auto format = toy_format(16, MathFormat::Bf16);
    const Efficiency e = EfficiencySet::defaults().gemm;
    RC_ASSERT(gemm_time(shape, format, 2_B, faster, e).time <=
              gemm_time(shape, format, 2_B, toy_gpu(), e).time);
  }));
}

TEST_CASE("gemm_time: longer sides never take less, nor less than the data sheet allows",
          "[operators][property]") {
  CHECK(rc::check([] {
    const auto side = rc::gen::inRange<std::int64_t>(0, 16384);
    const GemmShape small{.m = *side, .n = *side, .k = *side};
    const GemmShape large{.m = small.m + *side, .n = small.n + *side, .k = small.k + *side};
    const auto format = toy_format(8, MathFormat::Fp8);
    const Efficiency e = EfficiencySet::defaults().gemm;
    const Seconds t = gemm_time(small, format, 2_B, toy_gpu(), e).time;
    RC_ASSERT(t <= gemm_time(large, format, 2_B, toy_gpu(), e).time);
    RC_ASSERT(t >= gemm_time(small, format, 2_B, toy_gpu(), kPerfect).time);
  }));
}

TEST_CASE("EfficiencySet: the defaults are shares of the roofs", "[operators]") {
  const EfficiencySet set = EfficiencySet::defaults();
  for (const Efficiency& e : {set.gemm, set.grouped_gemm, set.prefill_attention,
                              set.decode_attention, set.memory_pass, set.lm_head}) {
    CHECK(e.compute > 0.0);
    CHECK(e.compute <= 1.0);
    CHECK(e.memory > 0.0);
    CHECK(e.memory <= 1.0);
    CHECK(e.launch > Seconds{});
    CHECK(e.launch <= 10_us);
  }
}

}  // namespace
}  // namespace moesim::operators
