#include "operators/deepep_expert_curve.h"

#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {

using namespace moesim::literals;
using moesim::test::toy_gpu;
using moesim::test::WithinRel;

// hidden 1000, intermediate 1000, gated: w = 3e6 weights. Toy GPU, fp8: 2000 TFLOP/s, 1 TB/s.
constexpr ExpertShape kShape{.hidden = 1000, .intermediate = 1000, .matrices = 3};

KernelFormat one_byte() { return {"fp8", 1.0, 1.0, catalog::MathFormat::Fp8}; }

TEST_CASE("deepep_expert_load: layouts fill blocks of 128 or 64 rows", "[operators][oracle]") {
  const std::array<std::int32_t, 4> tokens{129, 1, 0, 64};
  const DeepEpExpertLoad contiguous = deepep_expert_load(tokens, 500, ExpertLayout::Contiguous);
  CHECK(contiguous.pairs == 194);
  CHECK(contiguous.rows == 256 + 128 + 0 + 128);
  CHECK(contiguous.touched == 3);
  CHECK(contiguous.experts == 4);
  CHECK(contiguous.group_tokens == 500);
  CHECK(deepep_expert_load(tokens, 500, ExpertLayout::Masked).rows == 192 + 64 + 0 + 64);
}

TEST_CASE("DeepEpExpertCurve: sums of fixed costs, roofs and passes over the group",
          "[operators][oracle]") {
  // host 1 us, base 20 us, memory 0.5, compute 0.5, group passes 2, expert 0.5 us.
  const std::array<double, 6> values{1.0, 20.0, 0.5, 0.5, 2.0, 0.5};
  const DeepEpExpertCurve curve(toy_gpu(), kShape, one_byte(), values);
  // 64 rows: 2 * 3e6 * 64 / (2e15 * 0.5) = 0.384 us.
  // Memory: (2 * 3e6 + 50 * (3 * 1000 + 4 * 1000) * 2 B) / (1e12 * 0.5) = 6.7e6 / 0.5e12 = 13.4 us.
  // Both roofs: sqrt(0.384^2 + 13.4^2) = 13.405501 us.
  // 4 experts: 2 us. 100 tokens: 2 * 100 * 1000 * 2 B / 1 TB/s = 0.4 us.
  // GPU: 20 + 2 + 0.4 + 13.405501 = 35.805501 us; the host's 1 us adds (1/35.8)^8 / 8: nothing.
  const OperatorTime t =
      curve.time({.pairs = 50, .rows = 64, .touched = 2, .experts = 4, .group_tokens = 100});
  CHECK_THAT(t.time / 1.0_us, WithinRel(35.805501, 1e-7));
  CHECK(t.bound == Bound::Launch);
}

TEST_CASE("DeepEpExpertCurve: below the host's pace the load does not show",
          "[operators][oracle]") {
  // GPU and host alike: t = 2^(1/8) = 1.0905077 times either.
  const std::array<double, 6> values{20.0, 20.0, 1.0, 1.0, 1e-3, 1e-3};
  const DeepEpExpertCurve curve(toy_gpu(), kShape, one_byte(), values);
  const OperatorTime idle = curve.time({});
  CHECK_THAT(idle.time / 1.0_us, WithinRel(21.810154, 1e-7));
  CHECK(idle.bound == Bound::Launch);
  // 10 touched experts: 30 MB, 30 us more: 50 us (1 + 0.4^8)^(1/8) = 50.004095 us.
  const OperatorTime busy = curve.time({.touched = 10});
  CHECK_THAT(busy.time / 1.0_us, WithinRel(50.004095, 1e-7));
  CHECK(busy.bound == Bound::Memory);
  // A million rows: 3000 us of arithmetic.
  CHECK(curve.time({.rows = 1'000'000, .touched = 10}).bound == Bound::Compute);
}

std::vector<double> some_values() {
  std::vector<double> values;
  for (const CoefficientSpec& spec : DeepEpExpertCurve::coefficients()) {
    const double at = *rc::gen::inRange(0, 101) / 100.0;
    values.push_back(spec.lower * std::pow(spec.upper / spec.lower, at));
  }
  return values;
}

TEST_CASE("DeepEpExpertCurve: more work never takes less, nor less than the data sheet allows",
          "[operators][property]") {
  CHECK(rc::check([] {
    const catalog::Gpu gpu = toy_gpu();
    const DeepEpExpertCurve curve(gpu, kShape, one_byte(), some_values());
    const auto count = rc::gen::inRange<std::int32_t>(0, 5000);
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(*rc::gen::inRange(1, 20)));
    std::generate(tokens.begin(), tokens.end(), [&] { return *count; });
    const auto layout = *rc::gen::element(ExpertLayout::Contiguous, ExpertLayout::Masked);
    const DeepEpExpertLoad load = deepep_expert_load(tokens, *count, layout);
    const Seconds t = curve.time(load).time;
    const double weights = 3e6;
    RC_ASSERT(t >= 2.0 * weights * static_cast<double>(load.pairs) * kFlop / gpu.fp8);
    RC_ASSERT(t >= weights * static_cast<double>(load.touched) * kByte / gpu.memory_bandwidth);
    DeepEpExpertLoad more = load;
    const auto field = *rc::gen::element(&DeepEpExpertLoad::pairs, &DeepEpExpertLoad::rows,
                                         &DeepEpExpertLoad::touched, &DeepEpExpertLoad::experts,
                                         &DeepEpExpertLoad::group_tokens);
    more.*field += *rc::gen::inRange(1, 1'000'000);
    RC_ASSERT(curve.time(more).time >= t);
    RC_ASSERT(std::isfinite(curve.time(more).time / 1.0_us));
  }));
}

}  // namespace
}  // namespace moesim::operators
