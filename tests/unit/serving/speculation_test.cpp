#include "serving/speculation.h"

#include <vector>

#include "serving/simulation.h"
#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::request_at;
using moesim::test::run;
using moesim::test::toy_deployment;
using moesim::test::WithinRel;

TEST_CASE("TokensPerStep: the sum of the steps follows what is expected", "[serving][oracle]") {
  // Acceptance 0.85 and then 0.6: 1 + 0.85 + 0.51 = 2.36 tokens a step;
  // floor(2.36 n) = 2, 4, 7, 9, 11, 14.
  const Speculation speculation{.method = DraftMethod::Mtp, .acceptance = {0.85, 0.6}};
  CHECK_THAT(speculation.tokens_per_step(), WithinRel(2.36, 1e-12));
  TokensPerStep steps(speculation);
  std::vector<std::int64_t> drawn;
  for (int i = 0; i < 6; ++i) drawn.push_back(steps.next());
  CHECK(drawn == std::vector<std::int64_t>{2, 2, 3, 2, 2, 3});
  TokensPerStep plain{Speculation{}};
  for (int i = 0; i < 5; ++i) CHECK(plain.next() == 1);
  // All drafts kept: always 1 + window.
  TokensPerStep kept(Speculation{.method = DraftMethod::Ngram, .acceptance = {1, 1, 1}});
  for (int i = 0; i < 5; ++i) CHECK(kept.next() == 4);
}

TEST_CASE("simulate: drafted tokens come out with those that were due", "[serving][oracle]") {
  // 100 tokens in, 8 out, two drafts always kept: the prompt yields one, then steps of 3, 3 and 1
  // of the 3 it could have: four iterations, 8 tokens, 7 gaps, of which 4 of no length.
  Deployment d = toy_deployment(test::toy_dense_model(), {});
  d.scheduler.speculation = {.method = DraftMethod::Ngram, .acceptance = {1.0, 1.0}};
  const RunResult result = run(d, {request_at(0_s, 100, 8)});
  REQUIRE(result.requests.size() == 1);
  CHECK(result.time.iterations == 4);
  CHECK(result.summary.itl.p50_ms == 0.0);
  CHECK(result.summary.itl.p90_ms > 0.0);
  const double steps = (result.requests[0].finish - result.requests[0].first_token).milliseconds();
  CHECK_THAT(result.summary.tpot.mean_ms, WithinRel(steps / 7, 1e-6));
  // None kept: as many steps as tokens, each of three tokens' work and so longer than without.
  d.scheduler.speculation.acceptance = {0.0, 0.0};
  const RunResult vain = run(d, {request_at(0_s, 100, 8)});
  CHECK(vain.time.iterations == 8);
  d.scheduler.speculation = {};
  const RunResult plain = run(d, {request_at(0_s, 100, 8)});
  CHECK(plain.time.iterations == 8);
  CHECK(vain.end > plain.end);
  CHECK(result.end < plain.end);
}

TEST_CASE("simulate: room for drafts is kept to the end of a request", "[serving][oracle]") {
  // 30 in, 10 out, two drafts: 30 + 9 tokens cached and at most 2 * 2 of drafts, 43: 11 blocks
  // of 4.
  Deployment d = toy_deployment(test::toy_dense_model(), {});
  d.scheduler.block_size = 4;
  d.scheduler.speculation = {.method = DraftMethod::Ngram, .acceptance = {1.0, 0.5}};
  CHECK(run(d, {request_at(0_s, 30, 10)}, {.blocks = 11}).summary.requests_completed == 1);
  CHECK(run(d, {request_at(0_s, 30, 10)}, {.blocks = 10}).summary.requests_rejected == 1);
}

}  // namespace
}  // namespace moesim::serving
