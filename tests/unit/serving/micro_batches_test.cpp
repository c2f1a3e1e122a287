#include "serving/micro_batches.h"

#include <rapidcheck.h>

#include "tests/support/catch.h"

namespace moesim::serving {
namespace {

using moesim::test::WithinRel;

TEST_CASE("split_batch: decoding sequences are shared out evenly", "[serving][oracle]") {
  RankBatch batch{.decode_sequences = 5, .logit_rows = 5};
  batch.decode_context[0] = 1000;
  const auto [first, second] = split_batch(batch);
  CHECK(first.decode_sequences == 3);
  CHECK(second.decode_sequences == 2);
  CHECK(first.decode_context[0] == 600);
  CHECK(second.decode_context[0] == 400);
  CHECK(first.logit_rows == 3);
  CHECK(second.logit_rows == 2);
}

TEST_CASE("split_batch: even chunks are halved whole", "[serving][oracle]") {
  // Four prompts of 100 tokens: 100 * 101 / 2 pairs each.
  RankBatch batch{.prefill_tokens = 400, .prefill_chunks = 4, .logit_rows = 4};
  batch.prefill_context[0] = 400;
  batch.prefill_pairs[0] = 4 * 5050.0;
  for (const RankBatch& half : split_batch(batch)) {
    CHECK(half.prefill_tokens == 200);
    CHECK(half.prefill_chunks == 2);
    CHECK(half.prefill_context[0] == 200);
    CHECK_THAT(half.prefill_pairs[0], WithinRel(2 * 5050.0, 1e-12));
  }
}

TEST_CASE("split_batch: one chunk is cut in two, and its second part reads the first",
          "[serving][oracle]") {
  // 100 new tokens after 300 cached ones: 300 * 100 + 5050 pairs. The first 50 see 300 * 50 + 50 *
  // 51 / 2 = 16,275 of 350 keys, the others the remaining 18,775 of 400.
  RankBatch batch{.prefill_tokens = 100, .prefill_chunks = 1, .logit_rows = 1};
  batch.prefill_context[0] = 400;
  batch.prefill_pairs[0] = 35'050.0;
  const auto [first, second] = split_batch(batch);
  CHECK(first.prefill_tokens == 50);
  CHECK(second.prefill_tokens == 50);
  CHECK(first.prefill_chunks == 1);
  CHECK(second.prefill_chunks == 1);
  CHECK(first.prefill_context[0] == 350);
  CHECK(second.prefill_context[0] == 400);
  CHECK_THAT(first.prefill_pairs[0], WithinRel(16'275.0, 1e-12));
  CHECK_THAT(second.prefill_pairs[0], WithinRel(18'775.0, 1e-12));
}

TEST_CASE("split_batch: nothing is lost", "[serving][property]") {
  CHECK(rc::check([] {
    RankBatch batch;
    batch.decode_sequences = *rc::gen::inRange(0, 200);
    batch.decode_queries = *rc::gen::inRange(1, 4);
    batch.prefill_chunks = *rc::gen::inRange(0, 6);
    batch.prefill_tokens = batch.prefill_chunks * *rc::gen::inRange(1, 500);
    batch.logit_rows = batch.decode_tokens() + batch.prefill_chunks;
    batch.decode_context[0] = batch.decode_sequences * *rc::gen::inRange(1, 5000);
    batch.prefill_context[0] = batch.prefill_tokens * 2;
    batch.prefill_pairs[0] = 100.0 * batch.prefill_tokens;
    const auto [first, second] = split_batch(batch);
    RC_ASSERT(first.tokens() + second.tokens() == batch.tokens());
    RC_ASSERT(first.logit_rows + second.logit_rows == batch.logit_rows);
    RC_ASSERT(first.decode_context[0] + second.decode_context[0] == batch.decode_context[0]);
    const double pairs = first.prefill_pairs[0] + second.prefill_pairs[0];
    RC_ASSERT(std::abs(pairs - batch.prefill_pairs[0]) < 1e-6 * (1.0 + pairs));
    RC_ASSERT(first.prefill_context[0] + second.prefill_context[0] >= batch.prefill_context[0]);
    RC_ASSERT(first.tokens() >= second.tokens());
    RC_ASSERT(first.tokens() - second.tokens() <= batch.decode_queries);
  }));
}

}  // namespace
}  // namespace moesim::serving
