#include "operators/attention.h"

#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {
using namespace moesim::literals;
using catalog::Attention;
using catalog::AttentionKind;
using moesim::test::toy_gpu;
using moesim::test::WithinRel;

const Efficiency kPerfect{};

Attention gqa(std::int64_t heads, std::int64_t kv_heads) {
  return {.kind = AttentionKind::Gqa,
          .heads = heads,
          .kv_heads = kv_heads,
          .head_dim = 100,
          .v_head_dim = 100};
}

/// DeepSeek-V3: 128 heads, latent 512, rope 64, un-absorbed 192 and 128.
Attention mla() {
  return {.kind = AttentionKind::Mla,
          .heads = 128,
          .kv_heads = 128,
          .head_dim = 192,
          .v_head_dim = 128,
          .q_lora_rank = 1536,
          .kv_lora_rank = 512,
          .qk_nope_dim = 128,
          .qk_rope_dim = 64};
}

AttentionTimer timer(const Attention& a, std::int64_t tp = 1, Bytes kv = 2_B) {
  return {a, tp, kv, toy_gpu(), kPerfect, kPerfect};
}

TEST_CASE("causal_pairs: full attention counts the triangle and the past", "[operators][oracle]") {
  CHECK(causal_pairs(4, 0, 0, false) == 10.0);   // 1 + 2 + 3 + 4
  CHECK(causal_pairs(3, 10, 0, false) == 36.0);  // 11 + 12 + 13
  CHECK(causal_pairs(0, 10, 0, false) == 0.0);
  // 8192 tokens after 1e6: 8192 * 1e6 + 8192 * 8193 / 2, exact in a double.
  CHECK(causal_pairs(8192, 1'000'000, 0, false) == 8'225'558'528.0);
}

TEST_CASE("causal_pairs: a sliding window caps what a query sees", "[operators][oracle]") {
  CHECK(causal_pairs(5, 0, 3, false) == 12.0);  // 1 + 2 + 3 + 3 + 3
  CHECK(causal_pairs(2, 10, 3, false) == 6.0);  // 3 + 3
  CHECK(causal_pairs(3, 1, 3, false) == 8.0);   // 2 + 3 + 3
  CHECK(causal_pairs(4, 0, 100, false) == 10.0);
}

TEST_CASE("causal_pairs: a chunked window starts again at each chunk", "[operators][oracle]") {
  CHECK(causal_pairs(7, 0, 3, true) == 13.0);  // 1 2 3 | 1 2 3 | 1
  CHECK(causal_pairs(4, 2, 3, true) == 9.0);   // 3 | 1 2 3
  CHECK(causal_pairs(1, 6, 3, true) == 1.0);   // first of the third chunk
}

TEST_CASE("AttentionTimer: GQA decode reads keys and values once per group",
          "[operators][oracle]") {
  // Entry: 8 kv heads * 200 elements * 2 B = 3200 B. Query, output: 32 * 200 * 2 = 12'800 B; new
  // entry 3200 B. 10 sequences of 1000: 32 MB + 10 * 16 kB = 32.16 MB: 32.16 us at 1 TB/s.
  const OperatorTime t = timer(gqa(32, 8)).decode({.sequences = 10, .context_tokens = 10'000});
  CHECK(t.bound == Bound::Memory);
  CHECK_THAT(t.time / 1.0_us, WithinRel(32.16, 1e-12));
}

TEST_CASE("AttentionTimer: queries of one sequence read its cache once", "[operators][oracle]") {
  // As above with two tokens of each sequence: 32 MB + 20 * 16 kB.
  const DecodeBatch two{.sequences = 10, .context_tokens = 10'000, .queries = 2};
  CHECK_THAT(timer(gqa(32, 8)).decode(two).time / 1.0_us, WithinRel(32.32, 1e-12));
  // Where arithmetic binds it is twice as much: 2 * 278.528 us (below).
  catalog::Gpu wide = toy_gpu();
  wide.memory_bandwidth = 10_TBps;
  const AttentionTimer fast(mla(), 1, 2_B, wide, kPerfect, kPerfect);
  const OperatorTime t = fast.decode({.sequences = 1, .context_tokens = 1'000'000, .queries = 2});
  CHECK_THAT(t.time / 1.0_us, WithinRel(557.056, 1e-12));
}

TEST_CASE("AttentionTimer: TP splits heads and replicates the last key-value head",
          "[operators][oracle]") {
  // tp 8 of 32 heads and 4 kv heads: 4 heads and one whole kv head, 400 B an entry.
  // 10'000 * 400 + 10 * (4 * 200 * 2 + 400) = 4.02 MB.
  CHECK_THAT(timer(gqa(32, 4), 8).decode({10, 10'000}).time / 1.0_us, WithinRel(4.02, 1e-12));
  // fp8 cache: half of the entries' bytes: 2 MB + 10 * (1600 + 200).
  CHECK_THAT(timer(gqa(32, 4), 8, 1_B).decode({10, 10'000}).time / 1.0_us, WithinRel(2.018, 1e-12));
}

TEST_CASE("AttentionTimer: prefill pays the flops of its pairs", "[operators][oracle]") {
  // 32 heads * 2 * (100 + 100) = 12'800 flops a pair; 1e9 pairs: 12.8 ms at 1000 TFLOP/s.
  const OperatorTime t =
      timer(gqa(32, 8)).prefill({.new_tokens = 40'000, .context_tokens = 45'000, .pairs = 1e9});
  CHECK(t.bound == Bound::Compute);
  CHECK_THAT(t.time / 1.0_ms, WithinRel(12.8, 1e-12));
}

TEST_CASE("AttentionTimer: MLA decodes in absorbed form on the shared latent",
          "[operators][oracle]") {
  // 128 heads * 2 * (576 + 512) = 278'528 flops and 576 * 2 = 1152 B per cached token: 242 flops
  // per byte. At 1 TB/s and 1000 TFLOP/s 1e6 tokens take 278.528 us of arithmetic and 1152 us of
  // reading; with tp 8 the arithmetic is an eighth and the reading the same.
  // Per sequence: query and output (576 + 512) * heads * 2 B, new entry 1152 B.
  const OperatorTime one = timer(mla()).decode({.sequences = 1, .context_tokens = 1'000'000});
  CHECK(one.bound == Bound::Memory);
  CHECK_THAT(one.time / 1.0_us, WithinRel(1152.0 + 0.278528 + 0.001152, 1e-12));
  const OperatorTime eight = timer(mla(), 8).decode({.sequences = 1, .context_tokens = 1'000'000});
  CHECK_THAT(eight.time / 1.0_us, WithinRel(1152.0 + 0.034816 + 0.001152, 1e-12));

  catalog::Gpu wide = toy_gpu();
  wide.memory_bandwidth = 10_TBps;
  const AttentionTimer fast(mla(), 1, 2_B, wide, kPerfect, kPerfect);
  const OperatorTime bound = fast.decode({.sequences = 1, .context_tokens = 1'000'000});
  CHECK(bound.bound == Bound::Compute);
  CHECK_THAT(bound.time / 1.0_us, WithinRel(278.528, 1e-12));
}

TEST_CASE("AttentionTimer: MLA prefill is not absorbed", "[operators][oracle]") {
  // 128 * 2 * (192 + 128) = 81'920 flops a pair; 1e9 pairs: 81.92 ms.
  const OperatorTime t =
      timer(mla()).prefill({.new_tokens = 44'000, .context_tokens = 44'000, .pairs = 1e9});
  CHECK_THAT(t.time / 1.0_ms, WithinRel(81.92, 1e-12));
}

TEST_CASE("AttentionTimer: FlashMLA's published rate bounds a long decode on an H800",
          "[operators][oracle]") {
  // 660 of 989 TFLOP/s is 0.67. 128 requests of 4989 tokens: 128 * 4989 * 278'528 flops =
  // 177.86 GFLOP: 268.4 us at 0.67 * 989 TFLOP/s, plus the launch.
  catalog::Gpu h800 = toy_gpu();
  h800.bf16 = 989_TFLOPs;
  h800.fp8 = 1979_TFLOPs;
  h800.memory_bandwidth = 3350_GBps;
  const EfficiencySet set = EfficiencySet::defaults();
  const AttentionTimer t(mla(), 1, 2_B, h800, set.prefill_attention, set.decode_attention);
  const OperatorTime time = t.decode({.sequences = 128, .context_tokens = 128 * 4989});
  CHECK((time.time - set.decode_attention.launch) / 1.0_us > 255.0);
  CHECK((time.time - set.decode_attention.launch) / 1.0_us < 310.0);
}

/// As in DeepSeek-V3.2.
Attention sparse_mla() {
  Attention dsa = mla();
  dsa.sparse_top_k = 2048;
  dsa.index_heads = 64;
  dsa.index_dim = 128;
  dsa.index_cache_bytes = 132;
  return dsa;
}

TEST_CASE("AttentionTimer: sparse selection attends to top-k and scores everything",
          "[operators][oracle]") {
  const Attention dsa = sparse_mla();
  // One sequence of 100'000: 2048 entries of 1152 B and 279'680 B of query, output and new entry
  // are 2'638'976 B, 2.639 us (arithmetic: 2048 * 278'528 / 1e15 = 0.57 us). The indexer reads
  // 100'000 keys of 132 B, writes and reads as many scores of 4 B: 14 us (arithmetic: 100'000 * 2 *
  // 64 * 128 / 2e15 = 0.82 us).
  const OperatorTime t = timer(dsa).decode({.sequences = 1, .context_tokens = 100'000});
  CHECK_THAT(t.time / 1.0_us, WithinRel(2.638976 + 14.0, 1e-12));
  // Below top-k all is read: as dense attention, plus keys and scores.
  const OperatorTime few = timer(dsa).decode({.sequences = 1, .context_tokens = 1000});
  CHECK_THAT((few.time - timer(mla()).decode({1, 1000}).time) / 1.0_us, WithinRel(0.14, 1e-9));
}

TEST_CASE("AttentionTimer: what a core priced elsewhere is asked for under selection",
          "[operators][oracle]") {
  const Attention dsa = sparse_mla();
  const AttentionTimer t = timer(dsa);
  // Two sequences choose 2048 entries each, however many tokens of each verify drafts.
  const DecodeBatch far{.sequences = 2, .context_tokens = 100'000, .queries = 3};
  CHECK(t.attended(far).context_tokens == 4096);
  CHECK(t.attended(far).queries == 3);
  CHECK(t.attended({.sequences = 2, .context_tokens = 3000}).context_tokens == 3000);
  // 1000 tokens after 99'000: 2'048'000 absorbed pairs of 278'528 flops cost what 6'963'200
  // expanded ones of 81'920 do; 1000 after none are dense.
  CHECK_THAT(t.attended_pairs({1000, 100'000, t.pairs(1000, 99'000)}),
             WithinRel(6'963'200.0, 1e-12));
  CHECK(t.attended_pairs({1000, 1000, t.pairs(1000, 0)}) == t.pairs(1000, 0));
  // Each of three queries scores all: 300'000 scores written and read, 100'000 keys read.
  CHECK_THAT(t.indexer(far).time / 1.0_us, WithinRel(13.2 + 2.4, 1e-12));
  CHECK(timer(mla()).indexer(far).time == Seconds{});
}

TEST_CASE("AttentionTimer: sparse prefill takes the cheaper of both forms", "[operators][oracle]") {
  Attention dsa = mla();
  dsa.sparse_top_k = 2048;
  catalog::Gpu wide = toy_gpu();
  wide.memory_bandwidth = 1000_TBps;
  const AttentionTimer t(dsa, 1, 2_B, wide, kPerfect, kPerfect);
  // 4096 tokens: 8.39e6 pairs dense; sparse min(pairs, 4096 * 2048 = 8'388'608) absorbed costs
  // 3.4 times as much a pair: dense, 8'390'656 * 81'920 flops = 687.362 us.
  CHECK_THAT(t.prefill({4096, 4096, t.pairs(4096, 0)}).time / 1.0_us,
             WithinRel(687.36253952, 1e-12));
  // 1000 tokens after 99'000: 99'500'500 pairs dense (8151 us) against 2'048'000 absorbed pairs of
  // 278'528 flops: 570.425 us.
  CHECK_THAT(t.prefill({1000, 100'000, t.pairs(1000, 99'000)}).time / 1.0_us,
             WithinRel(570.425344, 1e-12));
}

TEST_CASE("AttentionTimer: windows cap the context of a sequence", "[operators]") {
  Attention sliding = gqa(32, 8);
  sliding.window = 128;
  CHECK(timer(sliding).effective_context(100) == 100);
  CHECK(timer(sliding).effective_context(1000) == 128);
  CHECK(timer(sliding).pairs(5, 1000) == 640.0);
  CHECK(timer(gqa(32, 8)).effective_context(1000) == 1000);
}

TEST_CASE("AttentionTimer: a compressed cache holds the window and a share of the rest",
          "[operators][oracle]") {
  // One shared kv head of 100 elements (the value is the key): 200 B an entry. 1 of 4 tokens kept,
  // window 128: 10'000 tokens leave 2500 + 128 entries. Query and output 32 * 200 * 2 = 12'800 B,
  // new entry 200 B: 2628 * 200 + 13'000 = 538'600 B.
  Attention compressed = gqa(32, 1);
  compressed.shared_kv = true;
  compressed.window = 128;
  compressed.cache_entries_per_token = 0.25;
  const AttentionTimer t = timer(compressed);
  CHECK(t.effective_context(10'000) == 10'000);
  CHECK(t.mask_window() == 0);
  CHECK_THAT(t.decode({1, 10'000}).time / 1.0_us, WithinRel(0.5386, 1e-12));
  // Selecting 512 of the 2500: 640 entries.
  compressed.sparse_top_k = 512;
  CHECK_THAT(timer(compressed).decode({1, 10'000}).time / 1.0_us, WithinRel(0.141, 1e-12));
}

TEST_CASE("AttentionTimer: a linear layer reads and writes its state whatever the context",
          "[operators][oracle]") {
  const Attention linear{.kind = AttentionKind::Linear, .state_bytes = 1'000'000};
  const AttentionTimer t = timer(linear, 2);
  // Half a state on each of two ranks, read and written: 1 MB a sequence; 8 sequences: 8 us.
  CHECK_THAT(t.decode({8, 0}).time / 1.0_us, WithinRel(8.0, 1e-12));
  CHECK(t.decode({8, 1'000'000}).time == t.decode({8, 0}).time);
  CHECK(t.effective_context(5000) == 0);
  // Prefill: one pass per 64 tokens: 640 tokens, 10 MB.
  CHECK_THAT(t.prefill({640, 640, 0.0}).time / 1.0_us, WithinRel(10.0, 1e-12));
}

TEST_CASE("AttentionTimer: nothing to do takes no time", "[operators]") {
  const Efficiency launch{.launch = 5_us};
  const AttentionTimer t(gqa(32, 8), 1, 2_B, toy_gpu(), launch, launch);
  CHECK(t.decode({}).time == Seconds{});
  CHECK(t.prefill({}).time == Seconds{});
  const Attention lone{.kind = AttentionKind::Linear};
  CHECK(AttentionTimer(lone, 1, 2_B, toy_gpu(), launch, launch).decode({8, 100}).time == Seconds{});
}

}  // namespace
}  // namespace moesim::operators
