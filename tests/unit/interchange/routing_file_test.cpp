#include "interchange/routing_file.h"

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/interchange/support.h"

namespace moesim::interchange {
namespace {

using test::contains_text;

RoutingRecord parsed(const std::string& text, const std::string& name,
                     const RoutingHints& hints = {}) {
  return parse_routing(text, name, hints);
}

std::string merge_mistakes(const std::vector<RoutingRecord>& records) {
  return test::mistakes_of([&] { return merge(records); });
}

TEST_CASE("merge: loads add up, tokens follow with requests of their own") {
  const std::vector<RoutingRecord> records = {parsed("5\t01 02\n5\t03 00\n", "a", {.experts = 4}),
                                              parsed("5\t02 01\n", "b", {.experts = 4}),
                                              parsed("1,2,3,4\n5,6,7,8\n", "c"),
                                              parsed("1,1,1,1\n1,1,1,1\n", "d")};
  const RoutingRecord all = merge(records);
  CHECK(all.name == "a + b + c + d");
  CHECK(all.load == std::vector<double>{2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(all.tokens.request == std::vector<std::uint64_t>{0, 0, 1});
  // Layer 0 of the three tokens, then layer 1.
  CHECK(all.tokens.expert == std::vector<std::uint16_t>{1, 3, 2, 2, 0, 1});
}

TEST_CASE("merge: records of different models are refused") {
  CHECK_THAT(merge_mistakes({parsed("1,2\n", "a"), parsed("1,2,3\n", "b")}),
             contains_text("b: error: has 3 experts, the files before have 2"));
  CHECK_THAT(merge_mistakes({parsed("1,2\n", "a"), parsed("1,2\n3,4\n", "b")}),
             contains_text("b: error: has loads of 2 layers, the files before have 1"));
  CHECK_THAT(merge_mistakes({parsed("1\t0001\n", "a"), parsed("1\t01\n", "b")}),
             contains_text("b: error: has 1 experts per token, the files before have 2"));
  CHECK_THAT(merge_mistakes({parsed("1\t0001\n", "a"), parsed("1\t0001 0001\n", "b")}),
             contains_text("b: error: has traced other layers"));
}

TEST_CASE("workload: loads are counted from tokens of all layers") {
  const routing::RoutingShape shape{
      .moe_layers = 2, .experts = 4, .top_k = 1, .groups = 1, .top_groups = 1};
  const placement::Workload workload =
      to_workload(parsed("5\t01 02\n5\t03 02\n", "a", hints_of(shape)), shape);
  CHECK(workload.load == std::vector<double>{0, 1, 0, 1, 0, 0, 2, 0});
  CHECK(workload.tokens.tokens() == 2);
  const auto mistakes = [&](RoutingRecord record) {
    return test::mistakes_of([&] { return to_workload(record, shape); });
  };
  CHECK_THAT(mistakes(parsed("5\t01\n", "a", {.experts = 4})),
             contains_text("has tokens of 1 of 2 MoE layers and no loads"));
  CHECK_THAT(mistakes(parsed("1,2\n1,2\n", "a")), contains_text("has 2 experts, the model has 4"));
  CHECK_THAT(mistakes(parsed("5\t01 02 03\n", "a", {.experts = 4})),
             contains_text("has tokens of MoE layer 2"));
}

TEST_CASE("routing file: a trace beside instance.json takes its layers from there") {
  const test::TemporaryDirectory folder;
  test::write_bytes(folder.file("instance.json"),
                    "{\"experts\": 4, \"top_k\": 1, \"layers\": 9, \"trace_layers\": [2, 5]}");
  test::write_bytes(folder.file("trace_eval.txt"), "5\t01 02\n");
  const RoutingRecord record = read_routing(folder.file("trace_eval.txt"));
  CHECK(record.tokens.layer == std::vector<std::int32_t>{2, 5});
  CHECK(record.experts == 4);
  CHECK(record.moe_layers == 9);
}

TEST_CASE("routing file: what is not there is an error of reading") {
  const auto mistakes = test::mistakes_of([] { return read_routing("/nowhere/load.csv"); });
  CHECK_THAT(mistakes, contains_text("/nowhere/load.csv: cannot be opened"));
}

TEST_CASE("routing file: recordings of DeepSeek models are read") {
  const char* shared = std::getenv("MOESIM_SHARED_DIR");
  const std::string folder =
      std::string(shared != nullptr ? shared : MOESIM_SHARED_DIR) + "/routing";
  if (!std::filesystem::exists(folder)) {
    WARN("skipped: no " << folder);
    return;
  }
  const RoutingRecord load =
      read_routing(folder + "/deepseek-v3-load/decode_in2000out100.json",
                   {.moe_layers = 58, .experts = 256, .layers = dense_first(3, 58)});
  CHECK(load.moe_layers == 58);
  double first = 0.0;
  for (std::size_t e = 0; e < 256; ++e) first += load.load[e];
  CHECK(first == 23760000.0);  // 8 x 2,970,000 tokens, as its README says.
  const RoutingRecord tokens =
      read_routing(folder + "/deepseek-v2-lite-traces/intent.tsv.gz", {.experts = 64});
  CHECK(tokens.tokens.tokens() == 6131);
  CHECK(tokens.tokens.rows() == 26);
  CHECK(tokens.top_k == 6);
}

}  // namespace
}  // namespace moesim::interchange
