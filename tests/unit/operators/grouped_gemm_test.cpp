#include "operators/grouped_gemm.h"

#include <rapidcheck.h>

#include "operators/gemm.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {
using namespace moesim::literals;
using catalog::MathFormat;
using moesim::test::toy_format;
using moesim::test::toy_gpu;
using moesim::test::WithinRel;

// 3 matrices of 1000 x 1000 per expert: 3e6 weights, 6 MB in bf16.
const ExpertShape kShape{.hidden = 1000, .intermediate = 1000, .matrices = 3};
const Efficiency kPerfect{};

ExpertTimer bf16_timer(const Efficiency& e) {
  return {kShape, toy_format(16, MathFormat::Bf16), 2_B, toy_gpu(), e};
}

TEST_CASE("ExpertTimer: few tokens read the weights of each expert touched",
          "[operators][oracle]") {
  // 4 experts: 24 MB. 4 tokens: 2*1000 + 2*3*1000 = 8000 elements each, 64 kB. At 1 TB/s: 24.064
  // us.
  const OperatorTime t =
      bf16_timer(kPerfect).time({.tokens = 4, .experts_touched = 4, .max_tokens = 1});
  CHECK(t.bound == Bound::Memory);
  CHECK_THAT(t.time / 1.0_us, WithinRel(24.064, 1e-12));
}

TEST_CASE("ExpertTimer: many tokens pay their flops", "[operators][oracle]") {
  // 10'000 tokens * 6e6 flops = 6e10; at 1000 TFLOP/s: 60 us; half of that in fp8.
  const ExpertLoad load{.tokens = 10'000, .experts_touched = 1, .max_tokens = 10'000};
  const catalog::Gpu gpu = [] {
    catalog::Gpu g = toy_gpu();
    g.memory_bandwidth = 100_TBps;
    return g;
  }();
  const ExpertTimer bf16{kShape, toy_format(16, MathFormat::Bf16), 2_B, gpu, kPerfect};
  const ExpertTimer fp8{kShape, toy_format(8, MathFormat::Fp8), 2_B, gpu, kPerfect};
  CHECK(bf16.time(load).bound == Bound::Compute);
  CHECK_THAT(bf16.time(load).time / 1.0_us, WithinRel(60.0, 1e-12));
  CHECK_THAT(fp8.time(load).time / 1.0_us, WithinRel(30.0, 1e-12));
}

TEST_CASE("ExpertTimer: an idle rank takes no time", "[operators]") {
  CHECK(bf16_timer({.launch = 5_us}).time({}).time == Seconds{});
}

TEST_CASE("ExpertTimer: the launch is paid once per block", "[operators][oracle]") {
  const ExpertLoad load{.tokens = 4, .experts_touched = 4, .max_tokens = 1};
  CHECK_THAT(bf16_timer({.launch = 5_us}).time(load).time / 1.0_us, WithinRel(29.064, 1e-12));
}

TEST_CASE("ExpertTimer: more tokens or more experts never take less", "[operators][property]") {
  CHECK(rc::check([] {
    const auto experts = *rc::gen::inRange<std::int64_t>(1, 64);
    const auto tokens = experts + *rc::gen::inRange<std::int64_t>(0, 100'000);
    const auto more_tokens = tokens + *rc::gen::inRange<std::int64_t>(0, 1000);
    const auto more_experts = std::min(tokens, experts + *rc::gen::inRange<std::int64_t>(0, 64));
    const ExpertTimer timer = bf16_timer(EfficiencySet::defaults().grouped_gemm);
    const Seconds t = timer.time({tokens, experts, tokens}).time;
    RC_ASSERT(t <= timer.time({more_tokens, experts, more_tokens}).time);
    RC_ASSERT(t <= timer.time({tokens, more_experts, tokens}).time);
  }));
}

TEST_CASE("ExpertTimer: one expert is never faster than its GEMMs without launches",
          "[operators][property]") {
  CHECK(rc::check([] {
    const auto tokens = *rc::gen::inRange<std::int64_t>(1, 50'000);
    const auto format = toy_format(16, MathFormat::Bf16);
    const Efficiency e = EfficiencySet::defaults().grouped_gemm;
    const Efficiency no_launch{.compute = e.compute, .memory = e.memory};
    // The down projection alone.
    const Seconds down = gemm_time({tokens, 1000, 1000}, format, 2_B, toy_gpu(), no_launch).time;
    RC_ASSERT(bf16_timer(e).time({tokens, 1, tokens}).time >= down);
  }));
}

}  // namespace
}  // namespace moesim::operators
