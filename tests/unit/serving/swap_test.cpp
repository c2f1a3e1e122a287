// Preempted sequences on the host: what is kept there, when it comes back, what that costs.
#include <rapidcheck.h>

#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"
#include "tests/unit/serving/toy_rank.h"

namespace moesim::serving {
namespace {

using moesim::test::Rank;
using moesim::test::request_at;
using moesim::test::toy_settings;
using moesim::test::WithinRel;

SchedulerSettings swapping() {
  SchedulerSettings s = toy_settings();
  s.preemption = PreemptionMode::Swap;
  return s;
}

TEST_CASE("swap: blocks go to the host and come back, and nothing is computed again",
          "[serving][oracle]") {
  // 5 blocks of 4 tokens; two prompts of 8 tokens (2 blocks each) with answers of 5. Iteration 1:
  // both prompts. Iteration 2: both need a third block, one is free: request 1 leaves with 2
  // blocks. Request 0 ends after iteration 5 (tokens 2 to 5). Request 1 needs its 2 blocks and a
  // third for token 9: they are free in iteration 6; it ends after iteration 9.
  Rank rank(swapping(), 5);
  rank.scheduler.swap_to_host(10);
  rank.add(0, 0, 8, 5);
  rank.add(1, 0, 8, 5);
  const std::vector<RankBatch> batches = rank.run();
  REQUIRE(batches.size() == 9);
  CHECK(batches[0].prefill_tokens == 16);
  for (std::size_t i = 1; i < batches.size(); ++i) {
    CHECK(batches[i].prefill_tokens == 0);
    CHECK(batches[i].decode_sequences == 1);
    CHECK(batches[i].swapped_blocks == (i == 1 || i == 5 ? 2 : 0));
  }
  CHECK(rank.ended.requests == std::vector<std::int64_t>{0, 1});
  CHECK(rank.ended.preempted == std::vector<std::int32_t>{0, 1});
  const SwapCounts& counts = rank.scheduler.swap()->counts();
  CHECK(counts.swaps == 1);
  CHECK(counts.moved == 4);
  CHECK(counts.peak == 2);
  CHECK(rank.scheduler.swap()->empty());
}

TEST_CASE("swap: without room on the host a sequence is computed again", "[serving][oracle]") {
  // As above with room for one block: request 1 comes back with its prompt and one token to
  // compute.
  Rank rank(swapping(), 5);
  rank.scheduler.swap_to_host(1);
  rank.add(0, 0, 8, 5);
  rank.add(1, 0, 8, 5);
  const std::vector<RankBatch> batches = rank.run();
  std::int64_t computed = 0;
  for (const RankBatch& batch : batches) {
    computed += batch.prefill_tokens;
    CHECK(batch.swapped_blocks == 0);
  }
  CHECK(computed == 16 + 9);
  CHECK(rank.scheduler.preemptions() == 1);
  CHECK(rank.scheduler.swap()->counts().swaps == 0);
}

TEST_CASE("swap: those on the host come before new prompts", "[serving][oracle]") {
  // Request 2 is short and would fit at once; it waits for request 1 on the host.
  Rank rank(swapping(), 5);
  rank.scheduler.swap_to_host(10);
  rank.add(0, 0, 8, 5);
  rank.add(1, 0, 8, 5);
  (void)rank.step();
  (void)rank.step();
  rank.add(2, 0, 4, 1);
  (void)rank.run();
  CHECK(rank.ended.begun == std::vector<std::int64_t>{0, 1, 2});
  CHECK(rank.ended.requests.front() == 0);
}

TEST_CASE("swap: an iteration waits for its blocks on the host link", "[serving][oracle]") {
  // As the first case, on a toy GPU. A token of the toy model keeps 2 layers * 2 * 200 elements of
  // 2 B = 1600 B, a block 6400 B. At half of 64 MB/s two blocks take 12,800 / 32e6 s = 400 us, and
  // 10 us of latency: 820 us for both ways.
  Deployment d = test::toy_deployment(test::toy_dense_model(), {});
  d.scheduler = swapping();
  d.scheduler.swap_space = 64'000_B;
  d.cluster.pcie.bandwidth = 64_MBps;
  d.cluster.pcie.efficiency = 0.5;
  d.cluster.pcie.latency = 10_us;
  plan::MemoryReport memory = test::toy_memory(5, 4);
  memory.kv_bytes_per_token_per_gpu = BytesPerToken::from_base(1600.0);
  const topology::Topology topology(d.cluster);
  const auto run = [&](PreemptionMode mode) {
    d.scheduler.preemption = mode;
    test::ListSource source({request_at(0_s, 8, 5), request_at(0_s, 8, 5)});
    return simulate(d, topology, memory, {.source = &source}, {}, {});
  };
  const RunResult swapped = run(PreemptionMode::Swap);
  const RunResult plain = run(PreemptionMode::Recompute);
  REQUIRE(swapped.kv.swap);
  CHECK(swapped.kv.swap->room == 10);
  CHECK(swapped.kv.swap->swaps == 1);
  CHECK(swapped.kv.swap->moved == 4);
  CHECK_FALSE(plain.kv.swap);
  const auto part = static_cast<std::size_t>(StepPart::Swap);
  const double end_us = swapped.end.seconds() / 1_us;
  CHECK_THAT(swapped.time.parts[part] * end_us, WithinRel(820.0, 1e-6));
  CHECK_THAT(swapped.time.limits[part][static_cast<std::size_t>(Limit::HostLink)] * end_us,
             WithinRel(800.0, 1e-6));
  CHECK(plain.time.parts[part] == 0.0);
  double sum = swapped.time.pipeline_bubble + swapped.time.idle;
  for (const double share : swapped.time.parts) sum += share;
  CHECK_THAT(sum, WithinRel(1.0, 1e-9));
}

TEST_CASE("swap: every request ends, every block comes back", "[serving][property]") {
  CHECK(rc::check("conserved", [] {
    Deployment d = test::toy_deployment(test::toy_dense_model(), {.pp = *rc::gen::inRange(1, 3)});
    d.scheduler = swapping();
    d.scheduler.enable_chunked_prefill = *rc::gen::arbitrary<bool>();
    d.scheduler.prompts_apart = *rc::gen::arbitrary<bool>();
    d.scheduler.swap_space = *rc::gen::inRange(1, 60) * 1_B;  // A block counts a byte at least.
    if (*rc::gen::arbitrary<bool>()) d.scheduler.speculation.acceptance = {0.5, 0.5};
    std::vector<workload::Request> requests;
    for (int i = 0; i < 30; ++i) {
      requests.push_back(request_at(i * 1_us, *rc::gen::inRange(1, 48), *rc::gen::inRange(1, 30)));
    }
    const RunResult result = test::run(d, requests, {.blocks = *rc::gen::inRange(22, 40)});
    RC_ASSERT(result.summary.requests_completed + result.summary.requests_rejected == 30);
    RC_ASSERT(result.kv.swap->swaps <= result.kv.preemptions);
  }));
}

}  // namespace
}  // namespace moesim::serving
