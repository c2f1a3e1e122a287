#include "operators/prefill_attention_curve.h"

#include <rapidcheck.h>

#include <cmath>
#include <vector>

#include "core/math.h"
#include "operators/attention.h"
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

/// In the order of coefficients(): launch 10 us, memory as the data sheet says, half of peak
/// arithmetic, masked pairs at peak, 1 us a tile, 10 ns a key; all of them one behind the other;
/// nothing outside a window.
std::vector<double> round_values() {
  return {10.0, 1.0, 1.0, 100.0, 2.0, 1.0, 1.0, 10.0, 1.0, 0.0};
}

PrefillAttentionCurve curve(const std::vector<double>& values,
                            const AttentionHeads& heads = kHeads) {
  return {gpu(), heads, 2_B, MathFormat::Bf16, values};
}

/// `prompts` chunks of `n` tokens behind `past` cached ones, as the simulator sums them.
PrefillBatch batch_of(std::int64_t prompts, std::int64_t n, std::int64_t past,
                      std::int64_t window) {
  const std::int64_t keys = window > 0 ? std::min(past + n, window) : past + n;
  return {.new_tokens = prompts * n,
          .context_tokens = prompts * keys,
          .pairs = static_cast<double>(prompts) * causal_pairs(n, past, window, false)};
}

double micros(const OperatorTime& t) { return t.time / 1.0_us; }

TEST_CASE("PrefillAttentionCurve: two prompts by hand", "[operators][oracle]") {
  // 2048 tokens * ((32 + 8) * 256 * 2 B + 4096 B into the cache) = 50.331648 us.
  // Pairs 2 * 1024 * 1025 / 2 at 32 * 2 * 256 flops: 17.1966464 us at peak, twice that.
  // Masked: half a tile per query, 2048 * 64 pairs = 2.147483648 us. Tiles: 2 * 8 * 32 / 100 us.
  // Latency: 1024 * 10 ns.
  const OperatorTime t = curve(round_values()).time(batch_of(2, 1024, 0, 0));
  CHECK_THAT(micros(t),
             WithinRel(10.0 + 50.331648 + 34.3932928 + 2.147483648 + 5.12 + 10.24, 1e-9));
  CHECK(t.bound == Bound::Memory);
}

TEST_CASE("PrefillAttentionCurve: a chunk behind a cached prefix", "[operators][oracle]") {
  // 128 tokens behind 896: 128 * 24,576 B + 896 * 4096 B = 6.815744 us; pairs 128 * 896 + 8256 =
  // 122,944 = 4.028628992 us; masked 8192 pairs = 0.134217728 us; one tile 0.32 us; 1024 keys.
  const OperatorTime t = curve(round_values()).time(batch_of(1, 128, 896, 0));
  CHECK_THAT(micros(t),
             WithinRel(10.0 + 6.815744 + 4.028628992 + 0.134217728 + 0.32 + 10.24, 1e-9));
  CHECK(t.bound == Bound::Launch);
}

TEST_CASE("PrefillAttentionCurve: a window shortens the pairs and the pass over keys",
          "[operators][oracle]") {
  AttentionHeads windowed = kHeads;
  windowed.window = 256;
  // Pairs 2 * (256 * 257 / 2 + 768 * 256) = 459,008 = 15.040774144 us; 256 keys = 2.56 us.
  const OperatorTime t = curve(round_values(), windowed).time(batch_of(2, 1024, 0, 256));
  CHECK_THAT(micros(t),
             WithinRel(10.0 + 50.331648 + 15.040774144 + 2.147483648 + 5.12 + 2.56, 1e-9));
}

TEST_CASE("PrefillAttentionCurve: kernels that visit what the window hides",
          "[operators][oracle]") {
  AttentionHeads windowed = kHeads;
  windowed.window = 256;
  std::vector<double> half = round_values();
  half[9] = 0.5;
  const PrefillBatch batch = batch_of(2, 1024, 0, 256);
  // Hidden: 1,049,600 - 459,008 pairs, 32.768e-6 us each, and 1024 - 256 keys of 10 ns; half of it.
  CHECK_THAT(micros(curve(half, windowed).time(batch)) -
                 micros(curve(round_values(), windowed).time(batch)),
             WithinRel(0.5 * (590'592.0 * 32.768e-6 + 7.68), 1e-9));
}

TEST_CASE("PrefillAttentionCurve: arithmetic can decide, nothing takes no time", "[operators]") {
  CHECK(curve(round_values()).time(batch_of(1, 65'536, 0, 0)).bound == Bound::Compute);
  CHECK(curve(round_values()).time({}).time == Seconds{});
}

TEST_CASE("PrefillAttentionCurve: kernels by head width and window", "[operators]") {
  const auto variant = [](std::int64_t width, std::int64_t window) {
    return PrefillAttentionCurve::variant(
        {.head_dim = width, .v_head_dim = width, .window = window});
  };
  CHECK(variant(128, 0) == "d128");
  CHECK(variant(128, 8192) == "d128");
  CHECK(variant(64, 128) == "d64-window");
  CHECK(variant(96, 0) == "d128");
  CHECK(variant(256, 1024) == "d256-window");
}

std::vector<double> any_values() {
  std::vector<double> values;
  for (const CoefficientSpec& spec : PrefillAttentionCurve::coefficients()) {
    const double at = *rc::gen::inRange(0, 1001) / 1000.0;
    values.push_back(spec.lower > 0.0 ? spec.lower * math::pow(spec.upper / spec.lower, at)
                                      : spec.lower + at * (spec.upper - spec.lower));
  }
  return values;
}

TEST_CASE("PrefillAttentionCurve: more and longer prompts never take less",
          "[operators][property]") {
  CHECK(rc::check([] {
    AttentionHeads heads = kHeads;
    heads.kv_heads = *rc::gen::element<std::int64_t>(1, 8, 32);
    heads.head_dim = heads.v_head_dim = *rc::gen::element<std::int64_t>(64, 96, 128, 256);
    heads.window = *rc::gen::element<std::int64_t>(0, 0, 128, 1024);
    const PrefillAttentionCurve c = curve(any_values(), heads);
    const auto prompts = *rc::gen::inRange<std::int64_t>(1, 256);
    const auto n = *rc::gen::inRange<std::int64_t>(1, 20'000);
    const auto past = *rc::gen::element<std::int64_t>(0, 100, 5000);
    const auto time = [&](std::int64_t b, std::int64_t tokens, std::int64_t before) {
      return c.time(batch_of(b, tokens, before, heads.window)).time;
    };
    const Seconds base = time(prompts, n, past);
    constexpr double kRounding = 1.0 - 1e-9;
    RC_ASSERT(time(prompts + 1, n, past) >= base * kRounding);
    if (heads.window == 0) {
      RC_ASSERT(time(prompts, n + 1, past) >= base * kRounding);
      RC_ASSERT(time(prompts, n, past + 1) >= base * kRounding);
    } else if (past == 0) {
      RC_ASSERT(time(prompts, n + 1, 0) >= base * kRounding);
    }
    const PrefillBatch batch = batch_of(prompts, n, past, heads.window);
    RC_ASSERT(base / 1_s >= batch.pairs * 2.0 * 32.0 * heads.width() / 1e15);
    const double bytes =
        static_cast<double>(batch.new_tokens) * (32.0 * heads.width() + 2.0 * heads.entry()) * 2.0;
    RC_ASSERT(base / 1_s >= bytes * kRounding / 1e12);
  }));
}

TEST_CASE("PrefillAttentionCurve: finite far outside what was measured", "[operators][property]") {
  CHECK(rc::check([] {
    const PrefillAttentionCurve c = curve(any_values());
    const PrefillBatch batch{
        .new_tokens = *rc::gen::element<std::int64_t>(1, 1'000'000'000),
        .context_tokens = *rc::gen::element<std::int64_t>(0, 1, 1'000'000'000'000),
        .pairs = *rc::gen::element(0.0, 1.0, 1e21)};
    const OperatorTime t = c.time(batch);
    RC_ASSERT(std::isfinite(t.time / 1_s));
    RC_ASSERT(t.time > Seconds{});
  }));
}

}  // namespace
}  // namespace moesim::operators
