#include "operators/attention_curves.h"

#include <string>
#include <vector>

#include "operators/attention.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {
using namespace moesim::literals;
using catalog::Attention;
using catalog::AttentionKind;

/// A curve at the starts of its coefficients, with a launch time to tell it by.
catalog::Curve named(std::string operation, std::string dtype, std::string engine,
                     std::string variant, double launch_us) {
  catalog::Curve curve;
  curve.key = {.operation = std::move(operation),
               .gpu = "toy",
               .dtype = std::move(dtype),
               .engine = std::move(engine),
               .variant = std::move(variant)};
  for (const CoefficientSpec& spec : coefficients_of(curve.key.operation)) {
    curve.coefficients.push_back(
        {std::string(spec.name), spec.name == "launch_us" ? launch_us : spec.start});
  }
  return curve;
}

catalog::CurveSet toy_curves(const catalog::Gpu& gpu) {
  const std::vector<catalog::Gpu> gpus{gpu};
  return {{named("attention_decode", "bf16", "trtllm", "mha", 21.0),
           named("attention_decode", "bf16", "trtllm", "d128", 22.0),
           named("attention_decode", "fp8", "trtllm", "d128", 23.0),
           named("attention_prefill", "bf16", "trtllm", "d128", 24.0),
           named("attention_prefill", "fp8", "trtllm", "d128", 25.0)},
          gpus};
}

Attention gqa(std::int64_t heads, std::int64_t kv_heads, std::int64_t width) {
  return {.kind = AttentionKind::Gqa,
          .heads = heads,
          .kv_heads = kv_heads,
          .head_dim = width,
          .v_head_dim = width};
}

}  // namespace

TEST_CASE("attention_heads: a rank's share, key-value heads repeated", "[operators]") {
  const AttentionHeads heads = attention_heads(gqa(64, 8, 128), 16);
  CHECK(heads.heads == 4);
  CHECK(heads.kv_heads == 1);
  CHECK(heads.width() == 256.0);
  CHECK(heads.entry() == 256.0);
  Attention shared = gqa(64, 8, 128);
  shared.shared_kv = true;
  CHECK(attention_heads(shared, 8).entry() == 128.0);
}

TEST_CASE("find_attention_curves: format, kernel and stand-ins", "[operators]") {
  const catalog::Gpu gpu = test::toy_gpu();
  const catalog::CurveSet curves = toy_curves(gpu);
  const auto found = [&](const Attention& a, Bytes kv) {
    return find_attention_curves(curves, gpu, "trtllm", false, attention_heads(a, 1), kv);
  };
  const AttentionCurves own = found(gqa(32, 8, 128), 2_B);
  REQUIRE(own.decode_match);
  CHECK(own.decode_match->curve->coefficients[0].value == 22.0);
  CHECK(!own.decode_match->estimate);
  CHECK(own.prefill_match->curve->coefficients[0].value == 24.0);
  CHECK(found(gqa(32, 8, 128), 1_B).decode_match->curve->coefficients[0].value == 23.0);
  CHECK(found(gqa(32, 8, 128), 1_B).prefill_match->curve->coefficients[0].value == 25.0);
  CHECK(found(gqa(32, 32, 64), 2_B).decode_match->curve->coefficients[0].value == 21.0);
  // No curve of width 64: the one of 128 stands in, not that of another kernel.
  const AttentionCurves other = found(gqa(32, 8, 64), 2_B);
  CHECK(other.decode_match->curve->coefficients[0].value == 22.0);
  CHECK(other.decode_match->estimate);
  CHECK(other.prefill_match->estimate);
  CHECK(!find_attention_curves({}, gpu, "trtllm", false, {}, 2_B).decode);
}

TEST_CASE("AttentionTimer: curves replace the roofline of the phases they are given for",
          "[operators]") {
  const catalog::Gpu gpu = test::toy_gpu();
  const Attention a = gqa(32, 8, 128);
  AttentionCurves curves =
      find_attention_curves(toy_curves(gpu), gpu, "trtllm", false, attention_heads(a, 1), 2_B);
  const AttentionTimer plain(a, 1, 2_B, gpu, Efficiency{}, Efficiency{});
  const DecodeBatch decode{.sequences = 7, .context_tokens = 7000};
  const PrefillBatch prefill{
      .new_tokens = 512, .context_tokens = 512, .pairs = causal_pairs(512, 0, 0, false)};
  const AttentionTimer both(a, 1, 2_B, gpu, Efficiency{}, Efficiency{}, curves);
  CHECK(both.decode(decode).time == curves.decode->time(decode).time);
  CHECK(both.prefill(prefill).time == curves.prefill->time(prefill).time);
  curves.prefill.reset();
  const AttentionTimer one(a, 1, 2_B, gpu, Efficiency{}, Efficiency{}, curves);
  CHECK(one.prefill(prefill).time == plain.prefill(prefill).time);
  CHECK(one.decode(decode).time == both.decode(decode).time);
}

TEST_CASE("AttentionTimer: selection on a curve attends to the chosen and scores all",
          "[operators][oracle]") {
  const catalog::Gpu gpu = test::toy_gpu();
  Attention a = gqa(32, 8, 128);
  const AttentionCurves curves =
      find_attention_curves(toy_curves(gpu), gpu, "trtllm", false, attention_heads(a, 1), 2_B);
  a.sparse_top_k = 100;
  a.index_heads = 64;
  a.index_dim = 128;
  a.index_cache_bytes = 132;
  const AttentionTimer timer(a, 1, 2_B, gpu, Efficiency{}, Efficiency{}, curves);
  // 4 sequences attend to 100 tokens each; the indexer reads 40,000 keys of 132 B, writes and reads
  // as many scores of 4 B: 5.6 us (its 2 * 64 * 128 fp8 flops a key take 0.33 us).
  const Seconds attended = curves.decode->time({.sequences = 4, .context_tokens = 400}).time;
  CHECK(timer.decode({.sequences = 4, .context_tokens = 40'000}).time / 1_us ==
        Approx((attended + 5.6_us) / 1_us).epsilon(1e-12));
}

}  // namespace moesim::operators
