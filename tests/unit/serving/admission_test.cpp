// When a prompt begins: blocks to the end, a share of the answers, prompts apart.
#include <rapidcheck.h>

#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"
#include "tests/unit/serving/toy_rank.h"

namespace moesim::serving {
namespace {

using catalog::Admission;
using moesim::test::Rank;
using moesim::test::request_at;
using moesim::test::toy_settings;

SchedulerSettings admitting(Admission how) {
  SchedulerSettings s = toy_settings();
  s.admission = how;
  return s;
}

TEST_CASE("admission: with blocks set apart to the end nothing is evicted", "[serving][oracle]") {
  // 5 blocks of 4 tokens. A prompt of 8 with an answer of 5 stores 12 tokens: 3 blocks. As needed
  // both prompts begin (2 blocks each) and one is evicted. Guaranteed: the second would leave
  // 5 - 3 < 3, so it begins when the first has ended, after 5 iterations.
  Rank as_needed(admitting(Admission::AsNeeded), 5);
  Rank guaranteed(admitting(Admission::Guaranteed), 5);
  for (Rank* rank : {&as_needed, &guaranteed}) {
    rank->add(0, 0, 8, 5);
    rank->add(1, 0, 8, 5);
  }
  CHECK(as_needed.run()[0].prefill_tokens == 16);
  CHECK(as_needed.scheduler.preemptions() == 1);
  const std::vector<RankBatch> batches = guaranteed.run();
  REQUIRE(batches.size() == 10);
  CHECK(batches[0].prefill_tokens == 8);
  CHECK(batches[5].prefill_tokens == 8);
  CHECK(guaranteed.scheduler.preemptions() == 0);
  // A shorter answer fits beside it: 8 + 1 - 1 tokens are 2 blocks.
  Rank beside(admitting(Admission::Guaranteed), 5);
  beside.add(0, 0, 8, 5);
  beside.add(1, 0, 8, 1);
  CHECK(beside.run()[0].prefill_tokens == 16);
}

TEST_CASE("admission: requests are looked for every few decode steps", "[serving][oracle]") {
  // Request 0 is taken up at once, since nothing runs, and decodes 19 steps after its prompt. After
  // the prompt's iteration the scheduler looks again; then after every fifth step.
  SchedulerSettings settings = toy_settings();
  settings.prompts_apart = true;
  settings.recv_interval = 5;
  Rank rank(settings, 100);
  rank.add(0, 0, 8, 20);
  CHECK(rank.step().prefill_tokens == 8);
  CHECK(rank.step().decode_sequences == 1);
  rank.add(1, 0, 4, 20);
  rank.add(2, 0, 4, 20);
  CHECK(rank.scheduler.requests() == 3);
  CHECK(rank.scheduler.requests_waiting() == 2);
  for (int step = 2; step <= 5; ++step) CHECK(rank.step().decode_sequences == 1);
  CHECK(rank.step().prefill_tokens == 8);
  CHECK(rank.scheduler.requests_waiting() == 0);
  // What came during an iteration with prompts is seen when it ends.
  rank.add(3, 0, 4, 20);
  CHECK(rank.step().prefill_tokens == 4);
  CHECK(rank.step().decode_sequences == 4);
  // Each step looked for anew would have begun request 1 at once.
  settings.recv_interval = 1;
  Rank prompt(settings, 100);
  prompt.add(0, 0, 8, 20);
  CHECK(prompt.step().prefill_tokens == 8);
  CHECK(prompt.step().decode_sequences == 1);
  prompt.add(1, 0, 4, 20);
  CHECK(prompt.step().prefill_tokens == 4);
}

TEST_CASE("admission: a share of the running answers is kept free", "[serving][oracle]") {
  // 20 blocks of 1 token. Request 0: 6 in, 10 out. When it decodes, 6 tokens are stored and 9 are
  // still to come, of which 0.7 are kept free: trunc(6.3) = 6 of 14. Request 1 of 4 in and 3 out
  // asks for 7 < 14 - 6: it begins. With 4 in and 4 out it asks for 8, which is not below 8. The
  // step that follows stores token 7 and lowers the ratio by 0.7 * 0.86 / 600 = 0.001: 13 free, 8
  // to come, trunc(0.699 * 8) = 5 kept, 8 = 13 - 5 again: it waits.
  for (const std::int32_t answer : {3, 4}) {
    SchedulerSettings settings = admitting(Admission::NewTokenRatio);
    settings.block_size = 1;
    Rank rank(settings, 20);
    rank.add(0, 0, 6, 10);
    CHECK(rank.step().prefill_tokens == 6);
    rank.add(1, 0, 4, answer);
    CHECK(rank.step().prefill_tokens == (answer == 3 ? 4 : 0));
    if (answer == 4) CHECK(rank.step().prefill_tokens == 0);
    (void)rank.run();
    CHECK(rank.ended.requests.size() == 2);
    CHECK(rank.scheduler.preemptions() == 0);
  }
}

TEST_CASE("admission: who has generated least is retracted, until 20 steps fit",
          "[serving][oracle]") {
  // 61 blocks of 1 token, and a share of the answers so small that it counts for nothing. Request 0
  // (10 in, 30 out) begins in iteration 1, request 1 (11 in, 30 out) in 2. Beside it request 2
  // (10 in, 25 out) asks for 35 of the 61 - 10 - 11 - 30 blocks that are left: it begins in 3, when
  // 35 < 61 - 11 - 11. Then 12 + 12 + 10 tokens are stored; iterations 4 to 12 store 9 * 3
  // more: 61. Iteration 13: 12, 11 and 10 tokens are generated. Request 2 goes and frees 19 blocks;
  // two sequences for 20 steps need 40, so request 1 goes too. Their answers begun stay.
  SchedulerSettings settings = admitting(Admission::NewTokenRatio);
  settings.block_size = 1;
  settings.conservativeness = 0.01;
  Rank rank(settings, 61);
  rank.add(0, 0, 10, 30);
  (void)rank.step();
  rank.add(1, 0, 11, 30);
  rank.add(2, 0, 10, 25);
  CHECK(rank.step().prefill_tokens == 11);
  CHECK(rank.step().prefill_tokens == 10);
  for (int i = 4; i <= 12; ++i) CHECK(rank.step().decode_sequences == 3);
  CHECK(rank.scheduler.blocks_free() == 0);
  CHECK(rank.step().decode_sequences == 1);
  CHECK(rank.scheduler.preemptions() == 2);
  // All of answer 0 is kept free now: (12 + 20) / 30 is above 1. Request 2 is first in the queue:
  // 20 tokens to compute and 15 to come are below 61 - 22 - 17.
  CHECK(rank.scheduler.blocks_free() == 61 - 22);
  (void)rank.run();
  CHECK(rank.ended.requests.size() == 3);
}

TEST_CASE("admission: prompts apart run alone, in chunks, and decoding waits",
          "[serving][oracle]") {
  // 16 tokens an iteration. Request 0 decodes when request 1 of 40 tokens comes: chunks of 16, 16
  // and 8 alone, then both decode. Mixed, each chunk shares its iteration with a decoding token.
  for (const bool apart : {true, false}) {
    SchedulerSettings settings = toy_settings();
    settings.max_num_batched_tokens = 16;
    settings.prompts_apart = apart;
    Rank rank(settings, 100);
    rank.add(0, 0, 8, 20);
    (void)rank.step();
    rank.add(1, 0, 40, 2);
    const std::vector<std::int32_t> chunks =
        apart ? std::vector<std::int32_t>{16, 16, 8, 0} : std::vector<std::int32_t>{15, 15, 10, 0};
    for (const std::int32_t chunk : chunks) {
      const RankBatch batch = rank.step();
      CHECK(batch.prefill_tokens == chunk);
      CHECK(batch.decode_sequences == (chunk == 0 ? 2 : apart ? 0 : 1));
    }
  }
}

TEST_CASE("admission: every request ends, and guarantees hold", "[serving][property]") {
  CHECK(rc::check("conserved", [] {
    Deployment d = test::toy_deployment(test::toy_dense_model(), {.pp = *rc::gen::inRange(1, 3)});
    const bool guaranteed = *rc::gen::arbitrary<bool>();
    d.scheduler = admitting(guaranteed ? Admission::Guaranteed : Admission::NewTokenRatio);
    d.scheduler.conservativeness = *rc::gen::element(0.01, 1.0, 3.0);
    d.scheduler.enable_chunked_prefill = *rc::gen::arbitrary<bool>();
    d.scheduler.prompts_apart = *rc::gen::arbitrary<bool>();
    if (*rc::gen::arbitrary<bool>()) d.scheduler.speculation.acceptance = {0.5, 0.5};
    std::vector<workload::Request> requests;
    for (int i = 0; i < 30; ++i) {
      requests.push_back(request_at(i * 1_us, *rc::gen::inRange(1, 48), *rc::gen::inRange(1, 30)));
    }
    const RunResult result = test::run(d, requests, {.blocks = *rc::gen::inRange(22, 40)});
    RC_ASSERT(result.summary.requests_completed + result.summary.requests_rejected == 30);
    if (guaranteed) RC_ASSERT(result.kv.preemptions == 0);
  }));
}

}  // namespace
}  // namespace moesim::serving
