#include "operators/batched_gemm_curve.h"

#include <rapidcheck.h>

#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {
using namespace moesim::literals;
using moesim::test::toy_gpu;
using moesim::test::WithinRel;

// launch, prologue, compute, load, rounding, memory, stream, cache MB, gain, store, quantise, gain.
const std::vector<double> kIdeal = {3, 0, 1, 0, 1, 1, 0, 1e-6, 1, 0, 1, 1};

std::vector<double> any_values() {
  std::vector<double> values;
  for (const CoefficientSpec& spec : BatchedGemmCurve::coefficients()) {
    const double at = *rc::gen::inRange(0, 1001) / 1000.0;
    values.push_back(spec.lower + at * (spec.upper - spec.lower));
  }
  return values;
}

TEST_CASE("BatchedGemmCurve: all heads share the waves", "[operators][oracle]") {
  // 150 heads of one 64 x 512 product: 64 x 256 tiles make 300 on 100 multiprocessors, three waves
  // of 2 * 64 * 256 * 128'000 flops at 10 TFLOP/s = 419.4304 us; 3 us launch. Memory of 1000 TB/s:
  // 150 * (512 + 64) * 128'000 * 2 B take 22 us, (22 / 1258)^4 / 4 = 2e-8 of it.
  catalog::Gpu gpu = toy_gpu();
  gpu.sms = 100;
  gpu.memory_bandwidth = 1000_TBps;
  const BatchedGemmCurve curve(gpu, *kernel_format("bf16"), kIdeal);
  const OperatorTime t = curve.time({.batch = 150, .m = 64, .n = 512, .k = 128'000});
  CHECK_THAT(t.time / 1.0_us, WithinRel(1261.2912, 1e-6));
  CHECK(t.bound == Bound::Compute);
}

TEST_CASE("BatchedGemmCurve: each head reads its own weights", "[operators][oracle]") {
  // 128 heads, one token: 128 * (128 * 512 + 128 + 512) * 2 B = 16.94 MB at 1 TB/s.
  catalog::Gpu gpu = toy_gpu();
  gpu.bf16 = 1e9 * 1.0_TFLOPs;
  const BatchedGemmCurve curve(gpu, *kernel_format("bf16"), kIdeal);
  const OperatorTime t = curve.time({.batch = 128, .m = 1, .n = 512, .k = 128});
  CHECK_THAT(t.time / 1.0_us, WithinRel(3.0 + 16.941056, 1e-9));
  CHECK(t.bound == Bound::Memory);
  CHECK(curve.time({.batch = 0, .m = 1, .n = 512, .k = 128}).time == Seconds{});
}

TEST_CASE("BatchedGemmCurve: grows with batch and sides, never beats the data sheet",
          "[operators][property]") {
  CHECK(rc::check([] {
    const std::string_view dtype = *rc::gen::element<std::string_view>("bf16", "fp8");
    const BatchedGemmCurve curve(toy_gpu(), *kernel_format(dtype), any_values());
    const auto side = rc::gen::inRange<std::int64_t>(1, 5000);
    BatchedGemmShape shape{*side, *side, *side, *side};
    const Seconds before = curve.time(shape).time;
    RC_ASSERT(before >= curve.data_sheet_bound(shape));
    std::int64_t& grown = **rc::gen::element(&shape.batch, &shape.m, &shape.n, &shape.k);
    grown += *rc::gen::inRange<std::int64_t>(1, 300);
    RC_ASSERT(curve.time(shape).time >= before * (1.0 - 1e-12));
  }));
}

}  // namespace
}  // namespace moesim::operators
