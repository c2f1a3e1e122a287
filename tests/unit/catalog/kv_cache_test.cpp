#include "catalog/kv_cache.h"

#include <rapidcheck.h>

#include "tests/support/catch.h"
#include "tests/unit/catalog/toy_models.h"

namespace moesim::catalog {
namespace {
using moesim::test::WithinRel;

constexpr Bytes kBf16 = Bytes::from_base(2.0);

double bytes_of(Bytes bytes) { return bytes / kByte; }

TEST_CASE("kv_bytes_per_token: the golden figures", "[catalog][oracle]") {
  // GQA: 2 * layers * kv_heads * head_dim * 2 B: 2*80*8*128*2 and 2*32*8*128*2.
  CHECK_THAT(bytes_of(kv_bytes_per_token(test::llama_70b(), kBf16)), WithinRel(327'680.0, 1e-12));
  CHECK_THAT(bytes_of(kv_bytes_per_token(test::mistral_7b(0), kBf16)), WithinRel(131'072.0, 1e-12));
  // MLA: 61 * (512 + 64) * 2 B.
  CHECK_THAT(bytes_of(kv_bytes_per_token(test::deepseek_v3(), kBf16)), WithinRel(70'272.0, 1e-12));
  CHECK_THAT(bytes_of(kv_bytes_per_token(test::deepseek_v3(), kByte)), WithinRel(35'136.0, 1e-12));
}

TEST_CASE("kv_footprint: 32 sequences of 4,096 tokens", "[catalog][oracle]") {
  // 327'680 * 131'072 = 42.95e9; 131'072 * 131'072 = 17.18e9; 70'272 * 131'072 = 9.21e9.
  const auto gb = [](const Model& model) {
    return 32.0 * bytes_of(kv_footprint(model, kBf16).of_sequence(4096)) * 1e-9;
  };
  CHECK_THAT(gb(test::llama_70b()), WithinRel(42.949673, 1e-7));
  CHECK_THAT(gb(test::mistral_7b(4096)), WithinRel(17.179869, 1e-7));
  CHECK_THAT(gb(test::deepseek_v3()), WithinRel(9.210691, 1e-7));
}

TEST_CASE("kv_footprint: a window caps the cache", "[catalog][oracle]") {
  // 32 sequences of 32,768 tokens keep 4,096 each: 17.18 GB, not 137.4 GB.
  const KvFootprint kv = kv_footprint(test::mistral_7b(4096), kBf16);
  CHECK(kv.per_token_full == Bytes{});
  REQUIRE(kv.windowed.size() == 1);
  CHECK(kv.windowed[0].window == 4096);
  CHECK_THAT(32.0 * bytes_of(kv.of_sequence(32'768)), WithinRel(17.179869184e9, 1e-12));
  // Every layer has a window: the usual figure is what a token adds until it is full.
  CHECK_THAT(bytes_of(kv_bytes_per_token(test::mistral_7b(4096), kBf16)),
             WithinRel(131'072.0, 1e-12));
}

TEST_CASE("kv_footprint: heads divide over ranks until there are none left to divide",
          "[catalog][oracle]") {
  const auto per_token = [](const Model& model, std::int64_t tp) {
    return bytes_of(kv_footprint(model, kBf16, tp).per_token());
  };
  CHECK_THAT(per_token(test::llama_70b(), 4), WithinRel(327'680.0 / 4, 1e-12));
  CHECK_THAT(per_token(test::llama_70b(), 8), WithinRel(327'680.0 / 8, 1e-12));
  CHECK_THAT(per_token(test::llama_70b(), 16), WithinRel(327'680.0 / 8, 1e-12));  // replicated
  CHECK_THAT(per_token(test::deepseek_v3(), 8), WithinRel(70'272.0, 1e-12));      // on every rank
}

TEST_CASE("kv_footprint: compressed layers keep a window besides, state does not grow",
          "[catalog][oracle]") {
  // Layer 1: one head of 512 that is key and value, a quarter of an entry per token, window 128,
  //   indexer key of 256 B per entry: 512*2/4 = 256 B and 64 B per token, 1,024 B in the window.
  // Layer 2: state of 1,000,000 B. Layer 3: image cross-attention: nothing.
  Model model;
  LayerKind compressed;
  compressed.attention = {.heads = 64,
                          .kv_heads = 1,
                          .head_dim = 512,
                          .v_head_dim = 512,
                          .shared_kv = true,
                          .window = 128,
                          .cache_entries_per_token = 0.25,
                          .index_cache_bytes = 256};
  LayerKind state;
  state.attention.kind = AttentionKind::Linear;
  state.attention.state_bytes = 1'000'000;
  LayerKind cross;
  cross.attention = {.kind = AttentionKind::Cross, .heads = 8, .kv_heads = 8, .head_dim = 64};
  model.kinds = {compressed, state, cross};
  model.runs = {{.kind = 0, .count = 1}, {.kind = 1, .count = 1}, {.kind = 2, .count = 1}};
  const KvFootprint kv = kv_footprint(model, kBf16);
  CHECK_THAT(bytes_of(kv.per_token_full), WithinRel(256.0, 1e-12));
  CHECK_THAT(bytes_of(kv.per_token_index), WithinRel(64.0, 1e-12));
  REQUIRE(kv.windowed.size() == 1);
  CHECK_THAT(bytes_of(kv.windowed[0].per_token), WithinRel(1024.0, 1e-12));
  CHECK_THAT(bytes_of(kv.of_sequence(1000)),
             WithinRel(1000.0 * 320 + 128.0 * 1024 + 1'000'000.0, 1e-12));
  CHECK_THAT(bytes_of(kv_footprint(model, kBf16, 4).per_sequence_state),
             WithinRel(250'000.0, 1e-12));
}

TEST_CASE("kv_footprint: stages add up to the model, and longer contexts never take less",
          "[catalog][property]") {
  CHECK(rc::check([] {
    Model model = test::deepseek_v3();
    LayerKind windowed = test::mistral_7b(*rc::gen::inRange<std::int64_t>(1, 5000)).kinds[0];
    model.kinds.push_back(windowed);
    model.runs.push_back({.kind = 2, .count = *rc::gen::inRange(1, 50)});
    const std::int64_t layers = model.layers();
    const std::int64_t cut = *rc::gen::inRange<std::int64_t>(0, layers + 1);
    const std::int64_t tp = *rc::gen::element<std::int64_t>(1, 2, 4, 8, 16);
    const std::int64_t tokens = *rc::gen::inRange<std::int64_t>(0, 100'000);
    const auto size = [&](std::int64_t first, std::int64_t last, std::int64_t n) {
      return bytes_of(kv_footprint(model, kBf16, tp, first, last).of_sequence(n));
    };
    const double whole = size(0, layers, tokens);
    const double parts = size(0, cut, tokens) + size(cut, layers, tokens);
    RC_ASSERT(whole <= parts * (1.0 + 1e-12) && parts <= whole * (1.0 + 1e-12));
    RC_ASSERT(size(0, layers, tokens + 1) >= whole);
  }));
}

}  // namespace
}  // namespace moesim::catalog
