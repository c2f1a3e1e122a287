#include "operators/decode_attention_curve.h"

#include <rapidcheck.h>

#include <cmath>
#include <vector>

#include "core/math.h"
#include "operators/near_far_memory.h"
#include "operators/smooth_max.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {
using namespace moesim::literals;
using catalog::MathFormat;
using moesim::test::WithinRel;

/// 1000 TFLOP/s, 1 TB/s, 100 multiprocessors.
catalog::Gpu gpu() {
  catalog::Gpu gpu = test::toy_gpu();
  gpu.sms = 100;
  return gpu;
}

constexpr AttentionHeads kHeads{.heads = 32, .kv_heads = 8};

/// In the order of coefficients(): launch 10 us, 6 us more from 64 heads on, 10 ns a token up to
/// about 1000 tokens, memory as the data sheet says, 2 us a block, a quarter of peak arithmetic;
/// the larger of memory, blocks and arithmetic; behind it the latency; 1 ns a hidden token and
/// block, 20 us at most.
std::vector<double> round_values() {
  return {10.0, 6.0, 10.0, 1000.0, 1.0, 1.0, 50.0, 2.0, 4.0, 0.0, 1.0, 1.0, 20.0};
}

DecodeAttentionCurve curve(const std::vector<double>& values, std::string_view kernel = "d128",
                           const AttentionHeads& heads = kHeads) {
  return {gpu(), heads, 2_B, MathFormat::Bf16, kernel, values};
}

double micros(const OperatorTime& t) { return t.time / 1.0_us; }

TEST_CASE("smooth_max runs from the larger of two costs to their sum", "[operators][oracle]") {
  CHECK(smooth_max(3.0, 4.0, 0.0) == 4.0);
  CHECK(smooth_max(3.0, 4.0, 1.0) == 7.0);
  // (7 + sqrt(1 + 12)) / 2
  CHECK_THAT(smooth_max(3.0, 4.0, 0.25), WithinRel(0.5 * (7.0 + std::sqrt(13.0)), 1e-12));
}

TEST_CASE("NearFarMemory: half of the bytes are far at far_bytes", "[operators][oracle]") {
  const NearFarMemory memory(1_TBps, 1.5, 1.0 / 3.0, 1_MB);
  CHECK_THAT(memory.seconds(1e6), WithinRel(1e-6, 1e-12));      // (0.5 + 1 / 2) us
  CHECK_THAT(memory.seconds(1e3), WithinRel(0.5e-9, 1e-9));     // 0.5 ns
  CHECK_THAT(memory.seconds(1e12), WithinRel(1.5, 1e-9));       // far over near
  CHECK_THAT(memory.seconds(1e200), WithinRel(1.5e188, 1e-9));  // u^4 is infinite
  CHECK(NearFarMemory(1_TBps, 2.0, 1.0, 1_MB).seconds(1e9) == 2e-3);
}

TEST_CASE("DecodeAttentionCurve: a batch by hand", "[operators][oracle]") {
  // Cache 10 * 1000 tokens * 8 heads * 256 * 2 B = 40.96 us, queries 10 * 32 * 256 * 2 B =
  // 0.16384 us; blocks 80 / 100 * 2 us = 1.6 us; arithmetic 0.65536 us. Launch 10 + 6 / 2 us,
  // latency 10 ns * 1000 / (1 + 1) = 5 us.
  const OperatorTime t = curve(round_values()).time({.sequences = 10, .context_tokens = 10'000});
  CHECK_THAT(micros(t), WithinRel(13.0 + 5.0 + 40.96 + 0.16384, 1e-9));
  CHECK(t.bound == Bound::Memory);
}

TEST_CASE("DecodeAttentionCurve: blocks, arithmetic and launch can decide", "[operators][oracle]") {
  // 10,000 sequences of 1 token: 80,000 blocks / 100 * 2 us = 1600 us; the rest is 13 us of launch
  // and 10 ns / 1.001 of latency.
  const OperatorTime blocks =
      curve(round_values()).time({.sequences = 10'000, .context_tokens = 10'000});
  CHECK_THAT(micros(blocks), WithinRel(1613.0 + 0.01 / 1.001, 1e-9));
  // One block per query head: four times as many.
  const OperatorTime wide =
      curve(round_values(), "wide").time({.sequences = 10'000, .context_tokens = 10'000});
  CHECK_THAT(micros(wide), WithinRel(6413.0 + 0.01 / 1.001, 1e-9));
  // Arithmetic at 1/400 of peak: 10,000 * 16,384 flops * 400 = 65.536 us.
  std::vector<double> slow = round_values();
  slow[8] = 400.0;
  const OperatorTime computed = curve(slow).time({.sequences = 10, .context_tokens = 10'000});
  CHECK_THAT(micros(computed), WithinRel(18.0 + 65.536, 1e-9));
  CHECK(computed.bound == Bound::Compute);
  CHECK(curve(round_values()).time({.sequences = 1, .context_tokens = 1}).bound == Bound::Launch);
  CHECK(curve(round_values()).time({}).time == Seconds{});
}

TEST_CASE("DecodeAttentionCurve: tokens outside the window cost up to a limit",
          "[operators][oracle]") {
  const DecodeAttentionCurve c = curve(round_values());
  const double none = micros(c.time({.sequences = 10, .context_tokens = 1280}));
  const double some =
      micros(c.time({.sequences = 10, .context_tokens = 1280, .hidden_tokens = 100'000}));
  // 100,000 tokens * 8 blocks / 100 * 1 ns = 8 us; 8 * 20 / 28.
  CHECK_THAT(some - none, WithinRel(160.0 / 28.0, 1e-9));
}

TEST_CASE("DecodeAttentionCurve: never faster than the data sheet", "[operators][oracle]") {
  std::vector<double> cached = round_values();
  cached[5] = 0.1;     // near memory ten times as fast
  cached[6] = 1000.0;  // up to 1 GB
  // 200 sequences * 1000 tokens * 4096 B = 819.2 us, queries 3.2768 us.
  const OperatorTime t = curve(cached).time({.sequences = 200, .context_tokens = 200'000});
  CHECK_THAT(micros(t), WithinRel(822.4768, 1e-9));
}

TEST_CASE("DecodeAttentionCurve: kernels by head width and heads per key-value head",
          "[operators]") {
  const auto variant = [](std::string_view engine, std::int64_t heads, std::int64_t kv_heads,
                          std::int64_t width) {
    return DecodeAttentionCurve::variant(
        engine, {.heads = heads, .kv_heads = kv_heads, .head_dim = width, .v_head_dim = width});
  };
  CHECK(variant("sglang", 32, 8, 128) == "d128");
  CHECK(variant("sglang", 8, 8, 64) == "d64");
  CHECK(variant("trtllm", 32, 8, 80) == "d128");
  CHECK(variant("trtllm", 32, 8, 192) == "d192");
  CHECK(variant("trtllm", 32, 8, 512) == "d256");
  CHECK(variant("trtllm", 8, 8, 64) == "mha");
  CHECK(variant("trtllm", 64, 2, 128) == "d128");
  CHECK(variant("trtllm", 33, 1, 128) == "wide");
}

/// Values within their bounds, evenly in the logarithm where they vary by factors.
std::vector<double> any_values() {
  std::vector<double> values;
  for (const CoefficientSpec& spec : DecodeAttentionCurve::coefficients()) {
    const double at = *rc::gen::inRange(0, 1001) / 1000.0;
    values.push_back(spec.lower > 0.0 ? spec.lower * math::pow(spec.upper / spec.lower, at)
                                      : spec.lower + at * (spec.upper - spec.lower));
  }
  return values;
}

TEST_CASE("DecodeAttentionCurve: more work never takes less", "[operators][property]") {
  CHECK(rc::check([] {
    AttentionHeads heads = kHeads;
    heads.kv_heads = *rc::gen::element<std::int64_t>(1, 2, 8, 32);
    heads.head_dim = heads.v_head_dim = *rc::gen::element<std::int64_t>(64, 80, 128, 256);
    const DecodeAttentionCurve c =
        curve(any_values(), *rc::gen::element<std::string>("d128", "wide"), heads);
    const auto sequences = *rc::gen::inRange<std::int64_t>(1, 4096);
    const auto length = *rc::gen::inRange<std::int64_t>(1, 200'000);
    const auto time = [&](std::int64_t n, std::int64_t l, std::int64_t hidden) {
      return c.time({.sequences = n, .context_tokens = n * l, .hidden_tokens = hidden}).time;
    };
    const Seconds base = time(sequences, length, 0);
    constexpr double kRounding = 1.0 - 1e-12;
    RC_ASSERT(time(sequences + 1, length, 0) >= base * kRounding);
    RC_ASSERT(time(sequences, length + 1, 0) >= base * kRounding);
    RC_ASSERT(time(sequences, length, 1000) >= base * kRounding);
    const double keys = static_cast<double>(sequences * length);
    RC_ASSERT(base / 1_s >= keys * heads.entry() * 2.0 / 1e12);
    RC_ASSERT(base / 1_s >= keys * 2.0 * 32.0 * heads.width() / 1e15);
  }));
}

TEST_CASE("DecodeAttentionCurve: finite far outside what was measured", "[operators][property]") {
  CHECK(rc::check([] {
    const DecodeAttentionCurve c = curve(any_values());
    const auto sequences = *rc::gen::element<std::int64_t>(1, 1'000'000);
    const auto tokens = *rc::gen::element<std::int64_t>(0, 1, 1'000'000'000'000);
    const OperatorTime t =
        c.time({.sequences = sequences, .context_tokens = tokens, .hidden_tokens = tokens});
    RC_ASSERT(std::isfinite(t.time / 1_s));
    RC_ASSERT(t.time > Seconds{});
  }));
}

}  // namespace
}  // namespace moesim::operators
