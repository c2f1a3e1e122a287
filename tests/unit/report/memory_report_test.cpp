#include "report/memory_report.h"

#include <string>

#include "tests/support/catch.h"

namespace moesim::report {
namespace {

using moesim::test::contains_text;
using namespace moesim::literals;

MemoryAnswer toy_answer() {
  MemoryAnswer a;
  a.model = "Toy";
  a.precision = "bf16";
  a.gpu = "Card";
  a.layout_choice = "as asked";
  a.layout = {.tp = 2, .pp = 1, .dp = 4, .ep = 8};
  a.kv_element = 2_B;
  a.searched_gpus = 64;
  plan::MemoryReport& r = a.report;
  r.verdict = plan::Verdict::Marginal;
  r.reason = "because it is so";
  r.gpu_memory = 100_GB;
  r.budget = 90_GB;
  r.per_gpu.attention = 10_GB;
  r.per_gpu.routed_experts = 40_GB;
  r.per_gpu.activations = 2_GB;
  r.per_gpu.runtime = 1_GB;
  r.kv_room = 37_GB;
  r.kv_bytes_per_token = 1000_B / kToken;
  r.kv_capacity_tokens = 4000;
  r.kv_capacity_tokens_per_rank = 1000;
  r.sequence_tokens = 4096;
  return a;
}

TEST_CASE("memory_table: states GB, GiB and the share of memory", "[report][oracle]") {
  // 50 GB of weights = 46.57 GiB = 50 % of 100 GB.
  const std::string table = memory_table(toy_answer());
  CHECK_THAT(table, contains_text("Toy bf16 on 8 x Card: marginal\n           because it is so\n"));
  CHECK_THAT(table, contains_text("50.00     46.57     50.0 %"));
  CHECK_THAT(table, contains_text("40.00     37.25     40.0 %"));
  CHECK_THAT(table,
             contains_text("4000 tokens in one instance, 1000 on each of 4 attention ranks"));
  CHECK_THAT(table, contains_text("no usual layout of up to 64 Card fits"));
  CHECK_THAT(table, !contains_text("shared experts"));
}

TEST_CASE("memory_table: no line is wider than a screen", "[report][oracle]") {
  MemoryAnswer a = toy_answer();
  a.report.reason = std::string(60, 'a') + ' ' + std::string(60, 'b');
  const std::string table = memory_table(a);
  for (std::size_t at = 0; at < table.size();) {
    const std::size_t end = table.find('\n', at);
    CHECK(end - at <= 100);
    at = end + 1;
  }
}

TEST_CASE("memory_json: names fields as the schema does, zeros included", "[report][oracle]") {
  MemoryAnswer a = toy_answer();
  a.smallest.push_back({.layout = {.tp = 4}, .report = a.report});
  const std::string json = memory_json(a);
  CHECK_THAT(json, contains_text("\"verdict\": \"marginal\""));
  CHECK_THAT(json, contains_text("\"weights_bytes\": 50000000000"));
  CHECK_THAT(json, contains_text("\"shared_experts_bytes\": 0"));
  CHECK_THAT(json, contains_text("\"workspace_bytes\": 3000000000"));
  CHECK_THAT(json, contains_text("\"kv_bytes_per_token\": 1000"));
  CHECK_THAT(json, contains_text("\"kv_capacity_tokens\": 4000"));
  CHECK_THAT(json, contains_text("\"smallest_layouts\": ["));
  CHECK(json.find("\"model\"") < json.find("\"verdict\""));
  CHECK(json.back() == '\n');
}

}  // namespace
}  // namespace moesim::report
