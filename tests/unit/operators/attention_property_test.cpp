#include <rapidcheck.h>

#include "operators/attention.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {
using namespace moesim::literals;
using catalog::Attention;
using catalog::AttentionKind;

Attention any_attention() {
  Attention a;
  a.kind = *rc::gen::element(AttentionKind::Gqa, AttentionKind::Mla, AttentionKind::Linear,
                             AttentionKind::Cross);
  a.heads = *rc::gen::element<std::int64_t>(8, 32, 128);
  a.kv_heads = *rc::gen::element<std::int64_t>(1, 8);
  a.head_dim = 192;
  a.v_head_dim = 128;
  if (a.kind == AttentionKind::Mla) {
    a.kv_lora_rank = 512;
    a.qk_nope_dim = 128;
    a.qk_rope_dim = 64;
  }
  a.window = *rc::gen::element<std::int64_t>(0, 0, 128, 8192);
  a.chunked = *rc::gen::arbitrary<bool>();
  a.cache_entries_per_token = *rc::gen::element(1.0, 1.0, 0.25);
  a.sparse_top_k = *rc::gen::element<std::int64_t>(0, 0, 512, 2048);
  a.index_heads = a.sparse_top_k > 0 ? 64 : 0;
  a.index_dim = 128;
  a.index_cache_bytes = a.sparse_top_k > 0 ? 132 : 0;
  a.state_bytes = a.kind == AttentionKind::Linear ? 1 << 20 : 0;
  return a;
}

AttentionTimer timer_of(const Attention& a, std::int64_t tp, const catalog::Gpu& gpu) {
  const EfficiencySet set = EfficiencySet::defaults();
  return {a, tp, 2_B, gpu, set.prefill_attention, set.decode_attention};
}

TEST_CASE("AttentionTimer: more sequences or context never take less", "[operators][property]") {
  CHECK(rc::check([] {
    const Attention a = any_attention();
    const AttentionTimer t = timer_of(a, *rc::gen::element<std::int64_t>(1, 4, 8), test::toy_gpu());
    const DecodeBatch small{*rc::gen::inRange<std::int64_t>(0, 512),
                            *rc::gen::inRange<std::int64_t>(0, 1'000'000)};
    const DecodeBatch wider{small.sequences + *rc::gen::inRange<std::int64_t>(0, 64),
                            small.context_tokens};
    const DecodeBatch longer{small.sequences,
                             small.context_tokens + *rc::gen::inRange<std::int64_t>(0, 10'000)};
    RC_ASSERT(t.decode(small).time <= t.decode(wider).time);
    RC_ASSERT(t.decode(small).time <= t.decode(longer).time);
  }));
}

TEST_CASE("AttentionTimer: more prompt never takes less", "[operators][property]") {
  CHECK(rc::check([] {
    const AttentionTimer t = timer_of(any_attention(), 1, test::toy_gpu());
    const auto n = *rc::gen::inRange<std::int64_t>(1, 16'384);
    const auto past = *rc::gen::inRange<std::int64_t>(0, 200'000);
    const auto more = *rc::gen::inRange<std::int64_t>(0, 1000);
    const auto at = [&](std::int64_t tokens, std::int64_t before) {
      return t.prefill({.new_tokens = tokens,
                        .context_tokens = t.effective_context(tokens + before),
                        .pairs = t.pairs(tokens, before)});
    };
    RC_ASSERT(at(n, past).time <= at(n + more, past).time);
  }));
}

TEST_CASE("AttentionTimer: a faster GPU never takes longer", "[operators][property]") {
  CHECK(rc::check([] {
    const Attention a = any_attention();
    catalog::Gpu faster = test::toy_gpu();
    faster.bf16 *= 1.0 + *rc::gen::inRange(0, 30) / 10.0;
    faster.fp8 *= 1.0 + *rc::gen::inRange(0, 30) / 10.0;
    faster.memory_bandwidth *= 1.0 + *rc::gen::inRange(0, 30) / 10.0;
    const DecodeBatch batch{*rc::gen::inRange<std::int64_t>(1, 512),
                            *rc::gen::inRange<std::int64_t>(0, 1'000'000)};
    RC_ASSERT(timer_of(a, 1, faster).decode(batch).time <=
              timer_of(a, 1, test::toy_gpu()).decode(batch).time);
  }));
}

TEST_CASE("causal_pairs: chunks of a prompt add up to the whole", "[operators][property]") {
  CHECK(rc::check([] {
    const auto window = *rc::gen::element<std::int64_t>(0, 1, 7, 128, 8192);
    const bool chunked = *rc::gen::arbitrary<bool>();
    const auto first = *rc::gen::inRange<std::int64_t>(0, 20'000);
    const auto second = *rc::gen::inRange<std::int64_t>(0, 20'000);
    RC_ASSERT(causal_pairs(first, 0, window, chunked) +
                  causal_pairs(second, first, window, chunked) ==
              causal_pairs(first + second, 0, window, chunked));
  }));
}

TEST_CASE("causal_pairs: counting one by one gives the same", "[operators][property]") {
  CHECK(rc::check([] {
    const auto window = *rc::gen::inRange<std::int64_t>(1, 40);
    const bool chunked = *rc::gen::arbitrary<bool>();
    const auto past = *rc::gen::inRange<std::int64_t>(0, 100);
    const auto n = *rc::gen::inRange<std::int64_t>(0, 100);
    std::int64_t count = 0;
    for (std::int64_t query = past; query < past + n; ++query) {
      for (std::int64_t key = 0; key <= query; ++key) {
        count += chunked ? (key / window == query / window) : (query - key < window);
      }
    }
    RC_ASSERT(causal_pairs(n, past, window, chunked) == static_cast<double>(count));
  }));
}

}  // namespace
}  // namespace moesim::operators
