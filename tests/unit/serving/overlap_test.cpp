#include <numeric>
#include <vector>

#include "serving/overlap_settings.h"
#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::request_at;
using moesim::test::run;
using moesim::test::toy_deployment;
using moesim::test::toy_moe_model;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

std::vector<workload::Request> requests(std::int64_t count, std::int32_t input) {
  std::vector<workload::Request> all;
  for (std::int64_t i = 0; i < count; ++i) all.push_back(request_at(0_s, input, 3));
  return all;
}

Deployment four_ranks(std::int64_t comm_sms) {
  Deployment d = toy_deployment(toy_moe_model(), {.dp = 4, .ep = 4});
  d.cluster.gpu.sms = 10;
  d.overlap = {.mode = OverlapMode::TwoBatch, .comm_sms = comm_sms};
  return d;
}

double sum_of_parts(const RunResult& r) {
  return std::accumulate(r.time.parts.begin(), r.time.parts.end(), 0.0) + r.time.pipeline_bubble +
         r.time.idle;
}

TEST_CASE("overlap: parts sum to the total and communication is hidden", "[serving][oracle]") {
  Deployment d = four_ranks(2);
  const RunResult split = run(d, requests(64, 100));
  CHECK(split.time.split_iterations == split.time.iterations);
  CHECK_THAT(sum_of_parts(split), WithinRel(1.0, 1e-9));
  CHECK(split.time.hidden > 0.0);
  d.overlap.mode = OverlapMode::None;
  const RunResult whole = run(d, requests(64, 100));
  CHECK(whole.time.split_iterations == 0);
  CHECK_THAT(whole.time.hidden, WithinAbs(0.0, 0.0));
  CHECK_THAT(sum_of_parts(whole), WithinRel(1.0, 1e-9));
}

TEST_CASE("overlap: multiprocessors that communicate slow arithmetic alone", "[serving][oracle]") {
  // Long prompts: the attention core is arithmetic, 10 / (10 - 5) times as long with half of the
  // multiprocessors taken; projections are bound by memory here. Shares times the length of the run
  // are times.
  const auto attention = [&](std::int64_t comm_sms, Limit limit) {
    Deployment d = four_ranks(comm_sms);
    d.scheduler.max_num_batched_tokens = 1 << 20;
    std::vector<workload::Request> all;
    for (int i = 0; i < 8; ++i) all.push_back(request_at(0_s, 40'000, 1));
    const RunResult r = run(d, all);
    CHECK(r.time.split_iterations == r.time.iterations);
    return r.time.limits[static_cast<std::size_t>(StepPart::Attention)]
                        [static_cast<std::size_t>(limit)] *
           (r.end.seconds() / 1_us);
  };
  const double none = attention(0, Limit::Compute);
  CHECK(none > attention(0, Limit::Memory));
  CHECK_THAT(attention(5, Limit::Compute), WithinRel(2.0 * none, 1e-9));
  CHECK_THAT(attention(5, Limit::Memory), WithinRel(attention(0, Limit::Memory), 1e-9));
}

TEST_CASE("overlap: a rank below the threshold keeps all from splitting", "[serving][oracle]") {
  Deployment d = four_ranks(2);
  d.overlap.prefill_token_threshold = 101;
  d.overlap.decode_token_threshold = 17;
  // 16 sequences a rank with 6 tokens each at first: 96 < 101; then 16 < 17.
  CHECK(run(d, requests(64, 6)).time.split_iterations == 0);
  d.overlap.decode_token_threshold = 16;
  const RunResult decode = run(d, requests(64, 6));
  CHECK(decode.time.split_iterations == decode.time.iterations - 1);
  d.overlap.prefill_token_threshold = 96;
  const RunResult all = run(d, requests(64, 6));
  CHECK(all.time.split_iterations == all.time.iterations);
}

TEST_CASE("overlap: the engine's settings, where nothing else is set", "[serving]") {
  const OverlapSettings settings =
      default_overlap({.comm_sms = 24, .prefill_token_threshold = 512, .splits_attention = false});
  CHECK(settings.mode == OverlapMode::TwoBatch);
  CHECK(settings.comm_sms == 24);
  CHECK(settings.decode_token_threshold == 2);
  CHECK(settings.prefill_token_threshold == 512);
  CHECK_FALSE(settings.splits_attention);
}

}  // namespace
}  // namespace moesim::serving
