// A small sweep on models and GPUs of the catalog.
#include "sweep/sweep_runner.h"

#include <string>
#include <vector>

#include "core/diagnostics.h"
#include "scenario/catalog_reader.h"
#include "scenario/scenario_reader.h"
#include "tests/support/catch.h"
#include "tests/support/toy_scenario.h"

namespace moesim::sweep {
namespace {

using moesim::test::contains_text;

const catalog::Catalog& shipped() {
  static const catalog::Catalog all =
      scenario::read_catalog(std::string(MOESIM_SOURCE_DIR) + "/scenarios/catalog");
  return all;
}

scenario::Sweep small_sweep(const std::string& more = "") {
  return scenario::read_sweep_text(test::small_sweep_text() + more,
                                   scenario::origin_of("small.txtpb"), {}, shipped());
}

void check_equal(const SweepResult& a, const SweepResult& b) {
  REQUIRE(a.candidates.size() == b.candidates.size());
  CHECK(a.ranking == b.ranking);
  CHECK(a.front == b.front);
  CHECK(a.best_text == b.best_text);
  for (std::size_t i = 0; i < a.candidates.size(); ++i) {
    CHECK(a.candidates[i].candidate.reason == b.candidates[i].candidate.reason);
    CHECK(a.candidates[i].result.run.fingerprint == b.candidates[i].result.run.fingerprint);
  }
}

TEST_CASE("run_sweep: one thread gives what four give", "[sweep]") {
  const scenario::Sweep sweep = small_sweep("tp: [1, 2, 4] pp: [1] dp: [1]");
  const SweepResult one = run_sweep(sweep, shipped(), 1);
  check_equal(one, run_sweep(sweep, shipped(), 4));
  // 94 GB of weights do not fit into one H100: tp 1 is refused for memory; tp 2 and 4 with ep 1, 2
  // (and 4) run.
  REQUIRE(one.candidates.size() == 6);
  CHECK(one.candidates[0].candidate.refusal == Refusal::Memory);
  CHECK(one.ranking.size() == 5);
  for (std::size_t r = 1; r < one.ranking.size(); ++r) {
    const CandidateResult& better = one.candidates[one.ranking[r - 1]];
    const CandidateResult& worse = one.candidates[one.ranking[r]];
    CHECK(better.rank + 1 == worse.rank);
    if (better.meets_slo == worse.meets_slo) {
      CHECK(better.result.bill.usd_per_million_output_tokens_all_in <=
            worse.result.bill.usd_per_million_output_tokens_all_in);
    } else {
      CHECK(better.meets_slo);
    }
  }
}

TEST_CASE("run_sweep: the best is a scenario that runs to the same result", "[sweep]") {
  const SweepResult result = run_sweep(
      small_sweep("tp: [2, 4] pp: [1] dp: [1] ep: [1] limits { max_requests: 10 }"), shipped(), 2);
  REQUIRE(result.feasible());
  const CandidateResult& best = result.candidates[result.ranking.front()];
  const scenario::Scenario written = scenario::read_scenario_text(
      result.best_text, scenario::origin_of("best.txtpb"), {}, shipped());
  CHECK(written.name == "small, best");
  CHECK(written.deployment.layout == best.candidate.layout);
  CHECK(written.slo.ttft == result.slo.ttft);
  const ScenarioResult again = run_scenario(written);
  CHECK(again.run.summary.requests_completed == 10);
  CHECK(again.run.fingerprint == best.result.run.fingerprint);
}

TEST_CASE("run_sweep: varied fields multiply the layouts", "[sweep]") {
  const SweepResult result =
      run_sweep(small_sweep("tp: [4] pp: [1] dp: [1] ep: [1]"
                            "vary { field: \"deployment.precision\" value: [\"bf16\", \"fp8\"] }"
                            "vary { field: \"cluster.gpus_per_node\" value: [\"4\", \"1\"] }"),
                shipped(), 2);
  REQUIRE(result.candidates.size() == 4);
  const auto& settings = result.candidates[2].candidate.settings;
  REQUIRE(settings.size() == 2);
  CHECK(settings[0].value == "fp8");
  CHECK(settings[1].value == "4");
  // The base's tp 2 does not suit one GPU; the variant is read all the same and tp 4 refused.
  CHECK(result.candidates[1].candidate.refusal == Refusal::Cluster);
  CHECK(result.candidates[1].candidate.reason == "needs 4 GPUs, the cluster has 1");
  CHECK(result.ranking.size() == 2);
}

TEST_CASE("run_sweep: settings that make no scenario together are refused", "[sweep]") {
  // Each value suits the base; 4096 sequences do not suit 512 tokens.
  const SweepResult result = run_sweep(
      small_sweep("tp: [4] pp: [1] dp: [1] ep: [1]"
                  "vary { field: \"deployment.scheduler.max_num_seqs\" value: [\"16\", \"4096\"] }"
                  "vary { field: \"deployment.scheduler.max_num_batched_tokens\" "
                  "value: [\"512\", \"8192\"] }"),
      shipped(), 1);
  REQUIRE(result.candidates.size() == 4);
  CHECK(result.candidates[2].candidate.refusal == Refusal::Input);
  CHECK_THAT(result.candidates[2].candidate.reason, contains_text("max_num_seqs 4096"));
  CHECK(result.ranking.size() == 3);
}

TEST_CASE("run_sweep: dollars rank only what has a price", "[sweep]") {
  std::string text = test::small_sweep_text();
  const std::string price = "pricing { gpu_price: \"2 USD/h\" }";
  text.replace(text.find(price), price.size(), "");
  text.replace(text.find("H100-SXM"), 8, "H20");
  const auto result = [&](const std::string& more) {
    const scenario::Sweep sweep =
        scenario::read_sweep_text(text + more, scenario::origin_of("small.txtpb"), {}, shipped());
    return run_sweep(sweep, shipped(), 2);
  };
  for (const char* objective : {"", "objective: USD_PER_MONTH"}) {
    std::string message;
    try {
      static_cast<void>(result(objective));
    } catch (const InputError& error) {
      message = error.what();
    }
    CHECK_THAT(message, contains_text("pricing.gpu_price: is not set, and the catalog has no "
                                      "on-demand rent of H20"));
  }
  const SweepResult ranked = result("objective: OUTPUT_TOKENS_PER_S");
  REQUIRE(ranked.feasible());
  CHECK_FALSE(ranked.candidates[ranked.ranking[0]].result.pricing.known);
}

TEST_CASE("run_sweep: those that miss the SLO rank last", "[sweep]") {
  scenario::Sweep sweep = small_sweep("tp: [2, 4] pp: [1] dp: [1] ep: [1]");
  sweep.slo.ttft = SimTime::from_picoseconds(1);
  const SweepResult result = run_sweep(sweep, shipped(), 1);
  REQUIRE(result.ranking.size() == 2);
  for (const std::size_t i : result.ranking) CHECK_FALSE(result.candidates[i].meets_slo);
  CHECK(result.feasible());
}

TEST_CASE("run_sweep: placements and spare experts are ordinary dimensions", "[sweep]") {
  const scenario::Sweep sweep = small_sweep(
      "tp: [1] pp: [1] dp: [4] ep: [4] "
      "vary { field: \"experts.placement.strategy\" value: [\"contiguous\", \"eplb\"] } "
      "vary { field: \"experts.redundant_experts\" value: [\"0\", \"4\", \"8\"] }");
  const SweepResult one = run_sweep(sweep, shipped(), 1);
  REQUIRE(one.candidates.size() == 6);
  check_equal(one, run_sweep(sweep, shipped(), 3));
  for (std::size_t i = 0; i < 6; ++i) {
    const CandidateResult& c = one.candidates[i];
    CHECK(c.candidate.settings[0].value == (i < 3 ? "contiguous" : "eplb"));
    CHECK(c.candidate.settings[1].value == std::to_string(i % 3 * 4));
    // 47 B parameters in bf16 on 4 GPUs of 80 GB: attention four times, experts once.
    REQUIRE(c.candidate.refusal == Refusal::None);
    CHECK(c.result.run.experts.placement.starts_with(i < 3 ? "contiguous" : "eplb"));
  }
}

}  // namespace
}  // namespace moesim::sweep
