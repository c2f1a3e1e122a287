#include "report/sweep_report.h"

#include <sstream>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/toy_scenario.h"

namespace moesim::report {
namespace {

using moesim::test::contains_text;
using sweep::Refusal;

sweep::CandidateResult refused(std::int64_t number, Refusal refusal, const std::string& reason) {
  sweep::CandidateResult c;
  c.candidate.number = number;
  c.candidate.layout = {.tp = number, .pp = 1, .dp = 1, .ep = 1, .replicas = 1};
  c.candidate.refusal = refusal;
  c.candidate.reason = reason;
  return c;
}

/// Two that ran, the second better and alone on the front, and four refused for two reasons.
sweep::SweepResult toy_sweep() {
  sweep::SweepResult s;
  s.name = "toy sweep";
  s.model = "toy-moe bf16";
  s.gpu = "toy";
  s.gpus = 4;
  s.workload = "20 requests";
  s.objective = "usd_per_million_output_tokens";
  s.slo.ttft = SimTime::from_picoseconds(500'000'000'000);
  s.min_slo_attainment = 0.9;
  for (const double scale : {1.0, 2.0}) {
    sweep::CandidateResult c;
    c.candidate.number = static_cast<std::int64_t>(s.candidates.size()) + 1;
    c.candidate.layout = {.tp = c.candidate.number, .pp = 1, .dp = 1, .ep = 1, .replicas = 1};
    c.result = test::toy_result("c", scale);
    c.meets_slo = scale > 1.5;
    c.rank = scale > 1.5 ? 1 : 2;
    c.on_front = scale > 1.5;
    s.candidates.push_back(c);
  }
  s.candidates.push_back(refused(3, Refusal::Layout, "10 attention heads do not divide over tp 4"));
  s.candidates.push_back(refused(4, Refusal::Memory, "12.5 GB are missing"));
  s.candidates.push_back(refused(5, Refusal::Memory, "3 GB are missing"));
  s.candidates.push_back(refused(6, Refusal::Memory, "200.25 GB are missing"));
  s.ranking = {1, 0};
  s.front = {1};
  s.best_text = "name: \"best\"";
  return s;
}

TEST_CASE("refusal_groups: reasons that differ in numbers are one", "[report][oracle]") {
  const auto groups = refusal_groups(toy_sweep());
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].reason == "N GB are missing");
  CHECK(groups[0].candidates == std::vector<std::size_t>{3, 4, 5});
  // Alone, a reason keeps its numbers.
  CHECK(groups[1].reason == "10 attention heads do not divide over tp 4");
  CHECK(groups[1].refusal == Refusal::Layout);
}

TEST_CASE("sweep_table: ranking, front and refusals on a page", "[report]") {
  const std::string page = sweep_table(toy_sweep());
  CHECK_THAT(page, contains_text("candidates  6: 2 simulated, 4 refused; 1 meet the SLO"));
  CHECK_THAT(page, contains_text("   1 A tp2 pp1 dp1 ep1 x1"));
  CHECK_THAT(page, contains_text("   2   tp1 pp1 dp1 ep1 x1"));
  CHECK_THAT(page, contains_text("! misses the SLO"));
  CHECK_THAT(page, contains_text("     3 x  memory: N GB are missing (tp4 pp1 dp1 ep1 x1, ...)"));
  CHECK_THAT(page, contains_text("best        tp2 pp1 dp1 ep1 x1: 2.99 USD per million"));
  std::istringstream in(page);
  for (std::string line; std::getline(in, line);) CHECK(line.size() <= 100);
}

TEST_CASE("sweep_table: without a price there are no dollars", "[report]") {
  sweep::SweepResult s = toy_sweep();
  s.objective = "output_tokens_per_s";
  for (sweep::CandidateResult& c : s.candidates) {
    c.result.pricing = {};
    c.result.pricing.known = false;
    c.result.bill = {};
  }
  const std::string page = sweep_table(s);
  CHECK_THAT(page, contains_text("2,000 output tokens/s on 4 GPUs, cost not known"));
  CHECK_THAT(page, contains_text("         - USD/M   rank 1"));
  CHECK(sweep_json(s).find("\"cost\"") == std::string::npos);
}

TEST_CASE("sweep_table: nothing feasible still tells the reasons", "[report]") {
  sweep::SweepResult s = toy_sweep();
  s.candidates.erase(s.candidates.begin(), s.candidates.begin() + 2);
  s.ranking.clear();
  s.front.clear();
  const std::string page = sweep_table(s);
  CHECK_THAT(page, contains_text("Nothing is feasible."));
  CHECK_THAT(page, contains_text("N GB are missing"));
  CHECK_THAT(sweep_json(s), contains_text("\"status\": \"nothing_feasible\""));
}

TEST_CASE("sweep_json: numbers name candidates", "[report]") {
  const std::string json = sweep_json(toy_sweep());
  CHECK_THAT(json, contains_text("\"best\": 2"));
  CHECK_THAT(json, contains_text("\"candidates_meeting_slo\": 1"));
  CHECK_THAT(json, contains_text("\"slo_ttft_ms\": 500"));
  CHECK(json.find("slo_tpot_ms") == std::string::npos);
  CHECK_THAT(json, contains_text("\"refusal_kind\": \"memory\""));
  CHECK_THAT(json, contains_text("\"refusal_reason\": \"12.5 GB are missing\""));
}

TEST_CASE("sweep_csv: one row per candidate", "[report]") {
  const std::string csv = sweep_csv(toy_sweep());
  CHECK_THAT(csv, contains_text("\n2,,2,1,1,1,1,1,true,true,,,4,"));
  CHECK_THAT(csv, contains_text("\n4,,4,1,1,1,1,,,,memory,12.5 GB are missing,,"));
}

}  // namespace
}  // namespace moesim::report
