// Prompts that wait until all attention-DP ranks have some.
#include "serving/prompt_gate.h"

#include <rapidcheck.h>

#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"
#include "tests/unit/serving/toy_rank.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::request_at;
using moesim::test::toy_settings;

/// Two ranks that share a pool of sequences.
struct TwoRanks {
  TwoRanks() {
    for (int r = 0; r < 2; ++r) {
      ranks.emplace_back(toy_settings(), 100, 1, std::span<const ContextLaw>{}, pool);
    }
  }
  void add(std::size_t rank) {
    const SequenceIndex index = pool.take();
    Sequence& s = pool[index];
    s.input_tokens = s.prefill_target = 8;
    s.output_tokens = 50;
    ranks[rank].enqueue(index);
  }
  RankBatch step(std::size_t rank, bool hold) {
    const RankBatch batch = ranks[rank].plan(0, now, hold);
    now += SimTime::from(1_ms);
    if (batch.tokens() > 0) ranks[rank].finish(0, now, ended);
    return batch;
  }
  SequencePool pool;
  std::vector<RankScheduler> ranks;
  test::Ended ended;
  SimTime now;
};

TEST_CASE("prompt gate: nothing is held while a rank has nothing to decode", "[serving][oracle]") {
  TwoRanks two;
  PromptGate gate({.on = true, .timeout_iters = 3, .batching_wait_iters = 2});
  two.add(0);
  CHECK_FALSE(gate.holds(two.ranks, 0));
  CHECK(two.step(0, false).prefill_tokens == 8);
  // Rank 0 decodes, rank 1 has a prompt and nothing else.
  two.add(1);
  CHECK_FALSE(gate.holds(two.ranks, 0));
}

TEST_CASE("prompt gate: prompts wait for those of other ranks, to a limit", "[serving][oracle]") {
  TwoRanks two;
  PromptGate gate({.on = true, .timeout_iters = 3, .batching_wait_iters = 2});
  for (std::size_t r = 0; r < 2; ++r) {
    two.add(r);
    (void)two.step(r, false);
  }
  // Both decode. A prompt on rank 0 alone is held twice and passes in the third iteration.
  two.add(0);
  CHECK(gate.holds(two.ranks, 0));
  const RankBatch held = two.step(0, true);
  CHECK(held.prefill_tokens == 0);
  CHECK(held.decode_sequences == 1);
  CHECK(gate.holds(two.ranks, 0));
  CHECK_FALSE(gate.holds(two.ranks, 0));
  // Both have prompts: two iterations more to gather others, then they pass.
  two.add(1);
  CHECK(gate.holds(two.ranks, 0));
  CHECK(gate.holds(two.ranks, 0));
  CHECK_FALSE(gate.holds(two.ranks, 0));
  CHECK(two.step(0, false).prefill_tokens == 8);
  CHECK(two.step(1, false).prefill_tokens == 8);
  // Off, nothing is held.
  PromptGate off(AttentionDpBalance{});
  two.add(0);
  CHECK_FALSE(off.holds(two.ranks, 0));
}

TEST_CASE("prompt gate: every request ends, and prompts share iterations", "[serving][property]") {
  CHECK(rc::check("conserved", [] {
    Deployment d = test::toy_deployment(test::toy_moe_model(),
                                        {.pp = *rc::gen::inRange(1, 3), .dp = 4, .ep = 4});
    d.scheduler.attention_dp_balance = {.on = true,
                                        .timeout_iters = *rc::gen::inRange(1, 20),
                                        .batching_wait_iters = *rc::gen::inRange(0, 10)};
    d.scheduler.max_num_seqs = *rc::gen::inRange(2, 8);
    std::vector<workload::Request> requests;
    for (int i = 0; i < 30; ++i) {
      requests.push_back(request_at(i * 20_us, *rc::gen::inRange(1, 80), *rc::gen::inRange(1, 30)));
    }
    const RunResult result = test::run(d, requests, {.blocks = *rc::gen::inRange(10, 40)});
    RC_ASSERT(result.summary.requests_completed == 30);
  }));
}

}  // namespace
}  // namespace moesim::serving
