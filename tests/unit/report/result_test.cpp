#include "report/result_json.h"

#include <algorithm>
#include <sstream>
#include <string>

#include "report/request_csv.h"
#include "report/result_table.h"
#include "result.pb.h"
#include "tests/support/catch.h"
#include "tests/support/toy_scenario.h"

namespace moesim::report {
namespace {

using namespace moesim::literals;
using moesim::test::contains_text;

TEST_CASE("result_json: has the documented keys", "[report]") {
  sweep::ScenarioResult result = test::toy_result("toy", 1.0);
  result.run.experts.present = true;
  const std::string json = result_json(result);
  for (const char* key : {"summary",
                          "requests_completed",
                          "output_tokens_per_s",
                          "total_tokens_per_s",
                          "tokens_per_s_per_gpu",
                          "ttft_ms",
                          "tpot_ms",
                          "itl_ms",
                          "e2e_ms",
                          "mean",
                          "p50",
                          "p90",
                          "p95",
                          "p99",
                          "goodput_requests_per_s",
                          "cost",
                          "usd_per_hour",
                          "usd_per_month",
                          "usd_per_million_input_tokens",
                          "usd_per_million_output_tokens",
                          "memory",
                          "time_breakdown",
                          "attention",
                          "experts",
                          "dispatch",
                          "combine",
                          "all_reduce",
                          "waiting_for_slowest_rank",
                          "kv_wait_ms",
                          "idle",
                          "balancedness",
                          "worst_layer",
                          "internode_bytes_per_token",
                          "fingerprint",
                          "scenario"}) {
    CHECK_THAT(json, contains_text("\"" + std::string(key) + "\":"));
  }
  CHECK_THAT(json, contains_text("\"usd_per_month\": 7854.8"));
  CHECK_THAT(json, contains_text("\"status\": \"done\""));
  CHECK(json.back() == '\n');
}

TEST_CASE("result_json: a deployment that does not fit has memory and no summary", "[report]") {
  const std::string json = result_json(test::toy_misfit("big"));
  CHECK_THAT(json, contains_text("\"status\": \"does_not_fit\""));
  CHECK_THAT(json, contains_text("exceed its 80.0 GB"));
  CHECK(json.find("\"summary\"") == std::string::npos);
}

TEST_CASE("result_binary: is the same message", "[report]") {
  proto::Result message;
  REQUIRE(message.ParseFromString(result_binary(test::toy_result("toy", 1.0))));
  CHECK(message.name() == "toy");
  CHECK(message.summary().ttft_ms().p99() == 480.0);
  CHECK(message.memory(0).kv_capacity_tokens() == 1234567.0);
}

TEST_CASE("result_table: a page of 100 columns a person can read", "[report]") {
  sweep::ScenarioResult r = test::toy_result("toy", 1000.0);
  r.description =
      "A toy whose description is long enough that it has to go on in a second line "
      "of the page, which it does here";
  r.notes = {"a note"};
  r.run.time.parts[0] = 0.75;
  r.run.time.idle = 0.25;
  r.run.time.limits[0][static_cast<std::size_t>(serving::Limit::Memory)] = 0.60;
  r.run.time.limits[0][static_cast<std::size_t>(serving::Limit::Launch)] = 0.15;
  r.run.priced_by = {{.part = serving::StepPart::Attention,
                      .operation = "attention_decode",
                      .curve = "H100-SXM bf16 sglang",
                      .estimate = true,
                      .band = {.median = 0.08, .p90 = 0.2, .low = 0.9, .high = 1.1}}};
  const std::string page = result_table(r);
  std::istringstream in(page);
  int lines = 0;
  for (std::string line; std::getline(in, line); ++lines) CHECK(line.size() <= 100);
  CHECK(lines <= 50);
  CHECK_THAT(page, contains_text("1,000,000 output tokens/s, 11,000,000 with input"));
  CHECK_THAT(page, contains_text("7,854,800 USD/month of 730 h; 2.69 USD per GPU-hour (toy rent)"));
  CHECK_THAT(page, contains_text("fits: 24.00 GB weights"));
  CHECK_THAT(page, contains_text("1,234,567 tokens per instance"));
  CHECK_THAT(page, contains_text("attention          75.0 %  " + std::string(23, '#')));
  // 0.60 of 0.75 waits for memory.
  CHECK_THAT(page, contains_text("memory bandwidth 80 %, +-8 % (estimate)"));
  CHECK_THAT(page, contains_text("note        a note"));
  CHECK(page.find("e+0") == std::string::npos);
}

TEST_CASE("result_table: one that does not fit says why", "[report]") {
  const std::string page = result_table(test::toy_misfit("big"));
  CHECK_THAT(page, contains_text("does not fit"));
  CHECK_THAT(page, contains_text("the weights alone, 90.0 GB per GPU, exceed its 80.0 GB"));
  CHECK(page.find("throughput") == std::string::npos);
}

TEST_CASE("results: a run whose price is not known has no costs, and no zeros for them",
          "[report]") {
  sweep::ScenarioResult r = test::toy_result("toy", 1.0);
  r.pricing = {};
  r.pricing.known = false;
  r.bill = {};
  const std::string page = result_table(r);
  CHECK_THAT(page,
             contains_text("cost        not known: no price of toy is set or in the catalog"));
  CHECK(page.find("USD") == std::string::npos);
  CHECK(result_json(r).find("\"cost\"") == std::string::npos);
  proto::Result message;
  REQUIRE(message.ParseFromString(result_binary(r)));
  CHECK_FALSE(message.has_cost());
  // The five figures in dollars are the last before the fingerprint.
  CHECK_THAT(summary_csv(r), contains_text(",,,,,,0000000000000000\n"));
}

TEST_CASE("requests_csv: one row per request, arrivals to the microsecond", "[report]") {
  sweep::ScenarioResult r = test::toy_result("toy", 1.0);
  serving::RequestRecord record;
  record.number = 7;
  // 12,345.6789012 s: six digits would lose the order of neighbours.
  record.arrival = SimTime::from_picoseconds(12'345'678'901'200'000);
  record.first_token = record.arrival + SimTime::from(120_ms);
  record.finish = record.arrival + SimTime::from(320_ms);
  record.input_tokens = 100;
  record.output_tokens = 11;
  r.run.requests = {record};
  // TPOT: (320 - 120) / (11 - 1) = 20 ms.
  CHECK(requests_csv(r) ==
        "request,arrival_s,ttft_ms,tpot_ms,e2e_ms,input_tokens,output_tokens,preemptions,"
        "kv_wait_ms\n7,12345.678901,120,20,320,100,11,0,0\n");
}

TEST_CASE("summary_csv: quotes names and leaves unknown figures empty", "[report]") {
  const std::string csv = summary_csv(test::toy_result("MoE, 4 GPUs", 1.0));
  CHECK_THAT(csv, contains_text("\n\"MoE, 4 GPUs\",done,toy-moe,bf16,toy,tp1 pp1 dp4 ep4 x1,"));
  CHECK_THAT(csv, contains_text(",usd_per_month,"));
  CHECK_THAT(csv, contains_text(",7854.8,"));
  const std::string misfit = summary_csv(test::toy_misfit("big"));
  CHECK_THAT(misfit, contains_text("big,does_not_fit,"));
  CHECK_THAT(misfit, contains_text(",,,,"));
  const auto commas = [](const std::string& s) { return std::count(s.begin(), s.end(), ','); };
  const std::string::size_type end = misfit.find('\n');
  CHECK(commas(misfit.substr(0, end)) == commas(misfit.substr(end)));
}

}  // namespace
}  // namespace moesim::report
