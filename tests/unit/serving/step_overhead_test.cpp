#include "serving/step_overhead.h"

#include <array>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::toy_deployment;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

catalog::EngineOverhead toy_overhead() {
  return {.engine = "toy",
          .architecture = {},
          .stretch = 0.5,
          .iteration = 100.0_us,
          .per_layer = 10.0_us,
          .per_sequence = 1.0_us,
          .prompt_layer = 0.5_ms,
          .per_request = 7.0_ms,
          .source = "a test"};
}

// Kernels 4 ms, of them 1 ms migration, which is none: 1 + 0.5 * 3 = 2.5 ms. Host, 3 layers, first
// stage: 3 * 10 us + 100 us + 6 sequences of the fullest rank (4 decoding, 2 prompts) + 3 * 0.5 ms.
TEST_CASE("an engine stretches kernels and adds its own time") {
  Deployment d = toy_deployment(test::toy_dense_model(), {});
  d.overhead = toy_overhead();
  StepTime time;
  LimitedTime attention;
  attention[Limit::Memory] = 3.0_ms;
  time.add(StepPart::Attention, 1.0, attention);
  time[StepPart::Migration] = 1.0_ms;
  time.total = 4.0_ms;
  const std::array ranks{
      RankBatch{.decode_sequences = 5},
      RankBatch{.decode_sequences = 4, .prefill_tokens = 64, .prefill_chunks = 2}};
  add_engine_overhead(d, ranks, true, 3, time);
  CHECK_THAT(time[StepPart::Attention] / 1.0_us, WithinRel(1500.0, 1e-12));
  CHECK_THAT(time.limits[0][Limit::Memory] / 1.0_us, WithinRel(1500.0, 1e-12));
  CHECK_THAT(time[StepPart::Migration] / 1.0_us, WithinRel(1000.0, 1e-12));
  CHECK_THAT(time[StepPart::Overhead] / 1.0_us, WithinRel(30.0 + 100.0 + 6.0 + 1500.0, 1e-12));
  CHECK_THAT(time.total / 1.0_us, WithinRel(2500.0 + 1636.0, 1e-12));
}

TEST_CASE("later stages add only what belongs to their layers") {
  Deployment d = toy_deployment(test::toy_dense_model(), {});
  d.overhead = toy_overhead();
  StepTime time;
  const std::array ranks{RankBatch{.decode_sequences = 5}};
  add_engine_overhead(d, ranks, false, 4, time);
  CHECK_THAT(time.total / 1.0_us, WithinRel(40.0, 1e-12));
  StepTime prompts;
  const std::array chunks{RankBatch{.prefill_tokens = 64, .prefill_chunks = 2}};
  add_engine_overhead(d, chunks, false, 4, prompts);
  CHECK_THAT(prompts.total / 1.0_us, WithinRel(40.0 + 2000.0, 1e-12));
}

TEST_CASE("an engine without fitted overhead adds its time per iteration") {
  Deployment d = toy_deployment(test::toy_dense_model(), {});
  d.engine.iteration_overhead = 300.0_us;
  StepTime time;
  add_engine_overhead(d, std::array{RankBatch{.decode_sequences = 1}}, true, 4, time);
  CHECK_THAT(time.total / 1.0_us, WithinRel(300.0, 1e-12));
  CHECK(delay_of_request(d, 1, 5) == Seconds{});
}

TEST_CASE("entries are found by architecture, then for any GPU") {
  std::vector<catalog::EngineOverhead> all(3, toy_overhead());
  all[1].architecture = "Blackwell";
  all[2].engine = "other";
  CHECK(catalog::find_overhead(all, "toy", "Blackwell Ultra") == &all[1]);
  CHECK(catalog::find_overhead(all, "toy", "Hopper") == all.data());
  CHECK(catalog::find_overhead(all, "none", "Hopper") == nullptr);
}

TEST_CASE("requests wait as long as the engine's do on average, each its own time") {
  Deployment d = toy_deployment(test::toy_dense_model(), {});
  d.overhead = toy_overhead();
  constexpr int kRequests = 20'000;
  Seconds sum;
  int longer = 0;
  for (int i = 0; i < kRequests; ++i) {
    const Seconds delay = delay_of_request(d, 1, i);
    sum += delay;
    if (delay > 14.0_ms) ++longer;
  }
  // 7 ms within four standard errors of 7 / sqrt(20000); exp(-2) of them above twice the mean.
  CHECK_THAT(sum / 1.0_ms / kRequests, WithinAbs(7.0, 0.2));
  CHECK_THAT(longer / static_cast<double>(kRequests), WithinAbs(0.1353, 0.01));
  CHECK(delay_of_request(d, 1, 3) == delay_of_request(d, 1, 3));
  CHECK_FALSE(delay_of_request(d, 1, 3) == delay_of_request(d, 2, 3));
}

}  // namespace
}  // namespace moesim::serving
