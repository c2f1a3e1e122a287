#include "serving/simulation.h"

#include <rapidcheck.h>

#include "core/diagnostics.h"
#include "core/random.h"
#include "operators/attention.h"
#include "operators/gemm.h"
#include "operators/memory_pass.h"
#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::request_at;
using moesim::test::run;
using moesim::test::toy_deployment;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

/// Time of one iteration of the toy dense model on one toy GPU, operator by operator, without the
/// code under test: `n` tokens of which `rows` need logits.
double toy_iteration_us(std::int64_t n, std::int64_t rows, double pairs, std::int64_t past,
                        bool decode) {
  const auto gpu = test::toy_gpu();
  const auto bf16 = test::toy_format(16, catalog::MathFormat::Bf16);
  const operators::Efficiency ideal;
  auto gemm = [&](std::int64_t m, std::int64_t nn, std::int64_t k) {
    return operators::gemm_time({.m = m, .n = nn, .k = k}, bf16, 2_B, gpu, ideal).time / 1.0_us;
  };
  auto pass = [&](double bytes) {
    return operators::memory_pass_time(bytes * kByte, 1, gpu, ideal).time / 1.0_us;
  };
  const operators::AttentionTimer attention(test::toy_dense_model().kinds[0].attention, 1, 2_B, gpu,
                                            ideal, ideal);
  const double core =
      decode
          ? attention.decode({.sequences = n, .context_tokens = past + n}).time / 1.0_us
          : attention.prefill({.new_tokens = n, .context_tokens = past + n, .pairs = pairs}).time /
                1.0_us;
  const auto t = static_cast<double>(n);
  // Attention: q, k and v in one GEMM (1000 + 2 * 200 columns), the output projection; a norm with
  // residual (4 * 1000 elements) and a rotary pass over q and k and the cache write
  // (2 * (1000 + 2 * 200) elements), 2 B each.
  const double attention_us =
      gemm(n, 1400, 1000) + gemm(n, 1000, 1000) + pass(2 * t * (4000 + 2800)) + core;
  // Feed-forward: gate and up in one GEMM, down; norm (4000) and activation (3 * 4000 elements).
  const double ffn_us = gemm(n, 8000, 1000) + gemm(n, 1000, 4000) + pass(2 * t * (4000 + 12000));
  // Head: embedding (read and write), final norm, GEMM, fp32 logits written and read.
  const auto r = static_cast<double>(rows);
  const double head_us =
      pass(4 * t * 1000) + gemm(rows, 10000, 1000) + pass(r * (4000 * 2 + 10000 * 8));
  return 2 * (attention_us + ffn_us) + head_us;
}

/// Hidden states of `tokens` tokens to the neighbour: 2 us, then 1000 * 2 B each at 100 GB/s.
double transfer_ms(std::int64_t tokens) {
  return (2.0 + 0.02 * static_cast<double>(tokens)) * 1e-3;
}

TEST_CASE("simulate: one request on one GPU takes the sum of its operators", "[serving][oracle]") {
  const Deployment d = toy_deployment(test::toy_dense_model(), {});
  const RunResult result = run(d, {request_at(1_s, 100, 3)});
  REQUIRE(result.requests.size() == 1);
  // Prefill of 100 tokens: 100 * 101 / 2 pairs; then two decode steps at contexts 101 and 102.
  const double prefill = toy_iteration_us(100, 1, 5050, 0, false);
  const double decode = toy_iteration_us(1, 1, 0, 100, true) + toy_iteration_us(1, 1, 0, 101, true);
  const RequestRecord& r = result.requests[0];
  CHECK_THAT(r.ttft().seconds() / 1.0_us, WithinRel(prefill, 1e-6));
  CHECK_THAT((r.finish - r.first_token).seconds() / 1.0_us, WithinRel(decode, 1e-6));
  CHECK_THAT(r.tpot().seconds() / 1.0_us, WithinRel(decode / 2, 1e-6));
  CHECK(result.time.iterations == 3);
}

TEST_CASE("simulate: chunked prefill covers the same pairs as whole prompts", "[serving][oracle]") {
  Deployment d = toy_deployment(test::toy_dense_model(), {});
  d.scheduler.max_num_batched_tokens = 256;
  d.scheduler.max_num_seqs = 4;
  const RunResult result = run(d, {request_at(0_s, 600, 1)});
  // Chunks of 256, 256 and 88 after 0, 256 and 512 tokens; only the last needs logits.
  const double expected = toy_iteration_us(256, 0, 256 * 257 / 2, 0, false) +
                          toy_iteration_us(256, 0, 256 * 256 + 256 * 257 / 2, 256, false) +
                          toy_iteration_us(88, 1, 88 * 512 + 88 * 89 / 2, 512, false);
  CHECK_THAT(result.requests[0].ttft().seconds() / 1.0_us, WithinRel(expected, 1e-6));
  CHECK(result.time.iterations == 3);
}

TEST_CASE("simulate: waiting time of an M/D/1 queue", "[serving][oracle][slow]") {
  // One seat, one output token: service is one prefill of constant length D. Pollaczek-Khinchine:
  // mean wait = rho * D / (2 * (1 - rho)). At rho = 0.7: 7/6 D. 400,000 arrivals: s.e. about 0.6 %.
  Deployment d = toy_deployment(test::toy_dense_model(), {});
  d.scheduler.max_num_seqs = 1;
  const double service = run(d, {request_at(0_s, 64, 1)}).requests[0].ttft().seconds() / kSecond;
  RandomStream stream(7, "md1");
  std::vector<workload::Request> requests;
  double t = 0;
  for (int i = 0; i < 400'000; ++i) {
    t += stream.exponential() * service / 0.7;
    requests.push_back(request_at(t * kSecond, 64, 1));
  }
  const RunResult result = run(d, requests);
  const double wait = result.summary.ttft.mean_ms * 1e-3 - service;
  CHECK_THAT(wait / service, WithinRel(0.7 / (2 * 0.3), 0.02));
}

TEST_CASE("simulate: a KV pool too small preempts and still completes every request",
          "[serving][oracle]") {
  Deployment d = toy_deployment(test::toy_dense_model(), {});
  d.scheduler.block_size = 4;
  std::vector<workload::Request> requests;
  for (int i = 0; i < 20; ++i) requests.push_back(request_at(0_s, 40, 60));
  // 100 tokens need 25 blocks; 60 blocks admit several prompts of 10 blocks, not their growth.
  const RunResult result = run(d, requests, {.blocks = 60});
  CHECK(result.summary.requests_completed == 20);
  CHECK(result.kv.preemptions > 0);
  CHECK(result.kv.peak_blocks <= 60);
  std::int64_t preemptions = 0;
  for (const RequestRecord& r : result.requests) preemptions += r.preemptions;
  CHECK(preemptions == result.kv.preemptions);
}

TEST_CASE("simulate: long prompts in two pipeline lanes share a pool that holds only one",
          "[serving][oracle]") {
  // Both prompts nearly fill the pool and take many chunks. Whoever lacks blocks steps back until
  // the other has ended: no lane may take turns with the other for ever.
  Deployment d = toy_deployment(test::toy_dense_model(), {.pp = 2});
  d.scheduler.block_size = 4;
  d.scheduler.max_num_seqs = 8;
  d.scheduler.max_num_batched_tokens = 16;
  for (const std::int32_t prompt : {200, 380, 390, 395}) {
    std::vector<workload::Request> requests(6, request_at(0_s, prompt, 4));
    const RunResult result = run(d, requests, {.blocks = 100});
    CHECK(result.summary.requests_completed == 6);
    // 25 chunks a prompt, some of them twice, and three tokens each.
    CHECK(result.time.iterations < 6 * (2 * 25 + 3));
    if (prompt > 200) CHECK(result.time.kv_wait_ms > 0);
  }
}

TEST_CASE("simulate: requests and goodput count what ends inside the window", "[serving][oracle]") {
  // One seat, four requests at once, service time D each: ends at D, 2D, 3D and 4D. A window from
  // 1.5 D to 3.5 D holds two ends in 2 D: one request per D, whenever they came.
  Deployment d = toy_deployment(test::toy_dense_model(), {});
  d.scheduler.max_num_seqs = 1;
  const SimTime service = run(d, {request_at(0_s, 64, 1)}).requests[0].ttft();
  const auto times = [&](double x) {
    return SimTime::from_picoseconds(
        static_cast<std::int64_t>(x * static_cast<double>(service.picoseconds())));
  };
  const RunResult result = run(d, std::vector<workload::Request>(4, request_at(0_s, 64, 1)),
                               {.warm_up = times(1.5), .duration = times(3.5)});
  const double per_service = result.summary.requests_per_s * (service.seconds() / kSecond);
  CHECK_THAT(per_service, WithinRel(1.0, 1e-9));
  CHECK_THAT(result.summary.output_tokens_per_s, WithinRel(result.summary.requests_per_s, 1e-12));
  CHECK_THAT(result.summary.input_tokens_per_s,
             WithinRel(64 * result.summary.requests_per_s, 1e-12));
  // All arrived before the window opened: there is no latency to report, nor a share within limits.
  CHECK(result.summary.requests_measured == 0);
  CHECK(result.summary.slo_attainment == 0);
}

TEST_CASE("simulate: a request beyond the KV pool is rejected and counted", "[serving]") {
  const Deployment d = toy_deployment(test::toy_dense_model(), {});
  const RunResult result =
      run(d, {request_at(0_s, 1000, 10), request_at(0_s, 16, 10)}, {.blocks = 4});
  CHECK(result.summary.requests_arrived == 2);
  CHECK(result.summary.requests_rejected == 1);
  CHECK(result.summary.requests_completed == 1);
}

TEST_CASE("simulate: a closed loop passes over requests that do not fit", "[serving]") {
  const Deployment d = toy_deployment(test::toy_dense_model(), {});
  std::vector<workload::Request> requests(1000, request_at(0_s, 1000, 10));
  requests.push_back(request_at(0_s, 16, 10));
  const RunResult result = run(d, requests, {.blocks = 4, .concurrency = 2});
  CHECK(result.summary.requests_rejected == 1000);
  CHECK(result.summary.requests_completed == 1);
  // Were none to fit, the clock would never move: users give up after 100,000 in a row.
  std::vector<workload::Request> misfits(200'000, request_at(0_s, 1000, 10));
  const RunResult hopeless = run(d, misfits, {.blocks = 4, .concurrency = 2});
  CHECK(hopeless.summary.requests_completed == 0);
  CHECK(hopeless.summary.requests_rejected == 100'001);
}

TEST_CASE("simulate: every token of every request comes out, whatever the pool and the settings",
          "[serving][property]") {
  CHECK(rc::check([] {
    const bool moe = *rc::gen::arbitrary<bool>();
    const auto pp = *rc::gen::element<std::int64_t>(1, 2);
    const plan::Layout layout = moe ? plan::Layout{.tp = 1, .pp = pp, .dp = 4, .ep = 4}
                                    : plan::Layout{.tp = 2, .pp = pp, .replicas = 2};
    Deployment d = toy_deployment(moe ? test::toy_moe_model() : test::toy_dense_model(), layout);
    d.scheduler.block_size = *rc::gen::element<std::int64_t>(1, 8, 16);
    d.scheduler.max_num_seqs = *rc::gen::inRange<std::int64_t>(2, 20);
    d.scheduler.max_num_batched_tokens = *rc::gen::inRange<std::int64_t>(20, 200);
    d.scheduler.enable_chunked_prefill = *rc::gen::arbitrary<bool>();
    if (*rc::gen::arbitrary<bool>()) {
      d.scheduler.speculation = {.method = DraftMethod::Ngram, .acceptance = {0.8, 0.7, 0.3}};
      d.scheduler.max_num_batched_tokens += 4 * d.scheduler.max_num_seqs;
    }
    std::vector<workload::Request> requests;
    Seconds t;
    const auto n = *rc::gen::inRange(1, 40);
    for (int i = 0; i < n; ++i) {
      t += *rc::gen::inRange(0, 300) * 1.0_us;
      requests.push_back(request_at(t, *rc::gen::inRange(1, 150), *rc::gen::inRange(1, 40)));
    }
    const std::int64_t blocks =
        200 / d.scheduler.block_size + *rc::gen::inRange<std::int64_t>(1, 60);
    const RunResult result = run(d, requests, {.blocks = blocks});
    RC_ASSERT(result.summary.requests_completed == n);
    double shares = result.time.pipeline_bubble + result.time.idle;
    for (const double part : result.time.parts) shares += part;
    RC_ASSERT(shares > 1 - 1e-6 && shares < 1 + 1e-6);
    for (const RequestRecord& r : result.requests) {
      RC_ASSERT(r.first_token > r.arrival);
      RC_ASSERT(r.finish >= r.first_token);
    }
    const RunResult again = run(d, requests, {.blocks = blocks});
    RC_ASSERT(again.fingerprint == result.fingerprint);
  }));
}

TEST_CASE("simulate: two pipeline stages halve neither latency nor work but overlap requests",
          "[serving][oracle]") {
  // One layer a stage. Alone, a request passes both stages in turn; two requests overlap, so that
  // the second ends one stage time after the first.
  Deployment d = toy_deployment(test::toy_dense_model(), {.pp = 2});
  d.scheduler.max_num_seqs = 2;
  const RunResult alone = run(d, {request_at(0_s, 512, 1)});
  d.scheduler.max_num_batched_tokens = 512;
  const RunResult both = run(d, {request_at(0_s, 512, 1), request_at(0_s, 512, 1)});
  const double one = alone.requests[0].ttft().milliseconds();
  const double second = both.requests[1].ttft().milliseconds();
  CHECK_THAT(both.requests[0].ttft().milliseconds(), WithinRel(one, 1e-9));
  CHECK(second > 1.3 * one);
  CHECK(second < 1.8 * one);
  CHECK_THAT(alone.time.mean_iteration_ms, WithinRel(one, 1e-9));
  // The last stage is the longer one (it has the head) and never idles between the two: the second
  // ends one such stage later. It starts when the first stage has sent what it computed: all of
  // `one` but the last stage.
  const double last_stage = second - one;
  CHECK_THAT(both.time.mean_iteration_ms * 2, WithinRel(one + second - (one - last_stage), 1e-6));
  CHECK(both.time.pipeline_bubble > 0.1);
  // Alone, each stage idles while the other computes, and both during the transfer.
  CHECK_THAT(alone.time.pipeline_bubble, WithinRel(0.5 + 0.5 * transfer_ms(512) / one, 1e-6));
}

TEST_CASE("simulate: pipeline lanes share what arrives together evenly", "[serving][oracle]") {
  // Eight requests at once on two stages: two micro-batches of four, 50 iterations each, and both
  // stages at work; in one batch of eight there would be 50 iterations and half the time idle.
  const Deployment d = toy_deployment(test::toy_dense_model(), {.pp = 2});
  const RunResult result = run(d, std::vector<workload::Request>(8, request_at(0_s, 20, 50)));
  CHECK(result.time.iterations == 2 * 50);
  CHECK(result.time.pipeline_bubble < 0.3);
}

TEST_CASE("simulate: ranks of an expert group wait for the slowest", "[serving][oracle]") {
  const plan::Layout layout{.dp = 4, .ep = 4};
  const Deployment d = toy_deployment(test::toy_moe_model(), layout);
  // One long prompt on one of four ranks: three ranks wait while it attends.
  const RunResult result = run(d, {request_at(0_s, 4000, 1)});
  CHECK(result.time.parts[static_cast<std::size_t>(StepPart::Waiting)] > 0.3);
  CHECK(result.experts.present);
  CHECK(result.experts.balancedness <= 1.0);
  CHECK(result.experts.balancedness > 0.8);
}

TEST_CASE("simulate: exchanges and experts of a group by hand", "[serving][oracle]") {
  // Four experts, all of them chosen by every token, one on each of four GPUs of a node; 100 tokens
  // on each attention rank, one iteration, two MoE layers.
  // Dispatch: a rank sends its 100 tokens to three others, 300 copies of 1000 * 2 B over 100 GB/s:
  // 6 us, and 2 us of latency; combine the same: 8 us each a layer.
  // Experts: 400 tokens on one expert of 3 * 1000 * 500 weights: 3 MB, and 2 * 1000 + 6 * 500
  // elements a token: 4 MB; at 1 TB/s 7 us a layer (compute: 1.2 GFLOP, 1.2 us).
  catalog::Model model = test::toy_moe_model();
  model.kinds[0].feed_forward.routed_experts = 4;
  model.kinds[0].feed_forward.top_k = 4;
  const Deployment d = toy_deployment(model, {.dp = 4, .ep = 4});
  const RunResult result = run(d, std::vector<workload::Request>(4, request_at(0_s, 100, 1)));
  REQUIRE(result.time.iterations == 1);
  const double whole_us = result.end.seconds() / 1.0_us;
  const auto part_us = [&](StepPart p) {
    return result.time.parts[static_cast<std::size_t>(p)] * whole_us;
  };
  CHECK_THAT(part_us(StepPart::Dispatch), WithinRel(16.0, 1e-6));
  CHECK_THAT(part_us(StepPart::Combine), WithinRel(16.0, 1e-6));
  CHECK_THAT(part_us(StepPart::Experts), WithinRel(14.0, 1e-6));
  CHECK_THAT(part_us(StepPart::Waiting), WithinAbs(0.0, 1e-6));
  CHECK_THAT(result.experts.balancedness, WithinRel(1.0, 1e-12));
  CHECK(result.experts.internode_bytes_per_token == 0.0);
}

TEST_CASE("simulate: copies between nodes of a group by hand", "[serving][oracle]") {
  // The same on two nodes of two GPUs: each token goes once to the other node, in two layers, out
  // as 2000 B and back as 2000 B.
  catalog::Model model = test::toy_moe_model();
  model.kinds[0].feed_forward.routed_experts = 4;
  model.kinds[0].feed_forward.top_k = 4;
  Deployment d = toy_deployment(model, {.dp = 4, .ep = 4});
  d.cluster = test::toy_cluster(2, 2);
  const RunResult result = run(d, std::vector<workload::Request>(4, request_at(0_s, 100, 1)));
  CHECK_THAT(result.experts.internode_bytes_per_token, WithinRel(2 * 4000.0, 1e-9));
  // Out of each NIC: 100 copies of 2000 B over 10 GB/s: 20 us a layer, the busiest link; latencies
  // 4.5 us (NIC 4 us, one switch 0.5 us) and 2 us of scale-up.
  const double dispatch_us = result.time.parts[static_cast<std::size_t>(StepPart::Dispatch)] *
                             (result.end.seconds() / 1.0_us);
  CHECK_THAT(dispatch_us, WithinRel(2 * 26.5, 1e-6));
}

TEST_CASE("simulate: a closed loop holds its concurrency", "[serving]") {
  const Deployment d = toy_deployment(test::toy_dense_model(), {});
  std::vector<workload::Request> requests(50, request_at(0_s, 100, 20));
  const RunResult result = run(d, requests, {.concurrency = 4});
  CHECK(result.summary.requests_completed == 50);
  // Four start at once; from then on each end is the next start, and never are five in flight.
  std::vector<SimTime> arrivals(50);
  for (const RequestRecord& r : result.requests) {
    arrivals[static_cast<std::size_t>(r.number)] = r.arrival;
  }
  for (std::size_t n = 0; n < 4; ++n) CHECK(arrivals[n] == SimTime{});
  for (std::size_t n = 4; n < 50; ++n) CHECK(arrivals[n] == result.requests[n - 4].finish);
}

TEST_CASE("simulate: the seed decides the routing", "[serving]") {
  const Deployment d = toy_deployment(test::toy_moe_model(), {.dp = 4, .ep = 4});
  std::vector<workload::Request> requests(10, request_at(0_s, 37, 5));
  const auto a = run(d, requests, {.seed = 1});
  const auto b = run(d, requests, {.seed = 1});
  const auto c = run(d, requests, {.seed = 2});
  CHECK(a.fingerprint == b.fingerprint);
  CHECK(a.fingerprint != c.fingerprint);
}

TEST_CASE("simulate: goodput counts the requests that meet every limit", "[serving][oracle]") {
  Deployment d = toy_deployment(test::toy_dense_model(), {});
  d.scheduler.max_num_seqs = 1;
  const SimTime one = run(d, {request_at(0_s, 64, 1)}).requests[0].ttft();
  // Three at once on one seat: TTFT 1, 2 and 3 service times; the limit of 2 lets two pass.
  const auto limit = SimTime::from_picoseconds(2 * one.picoseconds());
  const RunResult result =
      run(d, {request_at(0_s, 64, 1), request_at(0_s, 64, 1), request_at(0_s, 64, 1)},
          {.slo = {.ttft = limit}});
  CHECK_THAT(result.summary.slo_attainment, WithinAbs(2.0 / 3.0, 1e-12));
}

}  // namespace
}  // namespace moesim::serving
