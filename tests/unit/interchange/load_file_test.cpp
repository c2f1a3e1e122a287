#include <string>

#include "interchange/routing_file.h"
#include "tests/support/catch.h"
#include "tests/unit/interchange/support.h"

namespace moesim::interchange {
namespace {

using test::contains_text;

std::string mistakes_of(const std::string& text, const RoutingHints& hints = {}) {
  return test::mistakes_of([&] { return parse_routing(text, "load", hints); });
}

TEST_CASE("load matrix: rows of numbers are layers") {
  const RoutingRecord record = parse_routing("1, 2,3\n4,5,6e1\r\n\n", "load");
  CHECK(record.moe_layers == 2);
  CHECK(record.experts == 3);
  CHECK(record.load == std::vector<double>{1, 2, 3, 4, 5, 60});
  CHECK(record.tokens.empty());
}

TEST_CASE("load matrix: leading rows of zeros are dense layers") {
  CHECK(parse_routing("0,0\n0,0\n1,2\n3,4\n", "load").load == std::vector<double>{1, 2, 3, 4});
  CHECK(parse_routing("0,0\n1,2\n3,4\n", "load", {.moe_layers = 2}).moe_layers == 2);
  // With the model's layers known, its MoE layers may lie anywhere.
  const ModelLayers every_second{.hidden_layers = 4, .moe_layer_ids = {1, 3}};
  CHECK(parse_routing("0,0\n1,2\n0,0\n3,4\n", "load", {.moe_layers = 2, .layers = every_second})
            .load == std::vector<double>{1, 2, 3, 4});
  CHECK_THAT(mistakes_of("0,0\n1,2\n7,0\n3,4\n", {.moe_layers = 2, .layers = every_second}),
             contains_text("load:3:1: error: layer 2: has loads, but the model has no experts"));
}

TEST_CASE("load matrix: every mistake is named by line, layer and expert") {
  const std::string found = mistakes_of("1,2\nnan,-3\n1e16,x\n,1\n");
  CHECK_THAT(found, contains_text("load:2:1: error: layer 1 expert 0: is not a number: \"nan\""));
  CHECK_THAT(found, contains_text("load:2:5: error: layer 1 expert 1: must not be negative"));
  CHECK_THAT(found, contains_text("load:3:1: error: layer 2 expert 0: must be at most 1e15"));
  CHECK_THAT(found, contains_text("load:3:6: error: layer 2 expert 1: expected a number, got"));
  CHECK_THAT(found, contains_text("load:4:1: error: layer 3 expert 0: expected a number, got"));
  CHECK_THAT(mistakes_of("1,inf\n"), contains_text("must be at most 1e15"));
  CHECK_THAT(mistakes_of("1,2\n1,2,3\n"), contains_text("load:2:1: error: layer 1: has 3 loads"));
  CHECK_THAT(mistakes_of("1,2\n0,0\n"), contains_text("load:2:1: error: layer 1: all loads are 0"));
  CHECK_THAT(mistakes_of("0,0\n0,0\n"), contains_text("layer 0: all loads are 0"));
  CHECK_THAT(mistakes_of("1,2\n", {.moe_layers = 3}), contains_text("has loads of 1 layers"));
  CHECK_THAT(mistakes_of("1,2\n", {.experts = 3}), contains_text("has 2 loads, expected 3"));
}

TEST_CASE("load matrix: too many experts or layers are refused") {
  std::string wide = "1";
  for (int i = 0; i < 1024; ++i) wide += ",1";
  CHECK_THAT(mistakes_of(wide + "\n"), contains_text("has 1025 loads, expected at most 1024"));
  std::string tall;
  for (int i = 0; i < 5000; ++i) tall += "1,1\n";
  CHECK_THAT(mistakes_of(tall), contains_text("more than 4096 layers"));
}

TEST_CASE("load list: the CSV of layer, expert and count") {
  const RoutingRecord record = parse_routing("layer,expert,count\n1,2,5\n2,0,3\n", "load");
  CHECK(record.experts == 3);
  CHECK(record.load == std::vector<double>{0, 0, 5, 3, 0, 0});
}

TEST_CASE("logical_count: one recording or several steps, added up") {
  const std::string one = "{\"rank\": 0, \"logical_count\": [[0,0],[1,2.0],[3,4]]}";
  CHECK(parse_routing(one, "load").load == std::vector<double>{1, 2, 3, 4});
  const std::string steps = "{\"logical_count\": [[[0,0],[1,2]],[[0,0],[10,20]]]}";
  CHECK(parse_routing(steps, "load").load == std::vector<double>{11, 22});
  CHECK(parse_routing("[[1,2],[3,4]]", "load").moe_layers == 2);
}

TEST_CASE("logical_count: mistakes have line and column") {
  CHECK_THAT(mistakes_of("{\"logical_count\": [[1,2],\n[3,-4]]}"),
             contains_text("load:2:4: error: logical_count[1][1]: must not be negative"));
  CHECK_THAT(mistakes_of("{\"logical_count\": [[1,2],\n[3,\"x\"]]}"),
             contains_text("load:2:4: error: logical_count[1][1]: expected a number, got \"x\""));
  CHECK_THAT(mistakes_of("{\"logical_count\": [[1,2],\n[3,NaN]]}"),
             contains_text("load:2:4: error: NaN is no finite number"));
  CHECK_THAT(mistakes_of("{\"logical_count\": [[1,2],\n[3]]}"),
             contains_text("load:2:1: error: layer 1: has 1 loads, expected 2"));
  CHECK_THAT(mistakes_of("{\"logical_count\": [[[1,2]],\n[[3]]]}"),
             contains_text("load:2:2: error: logical_count[1][0]: has 1 loads"));
  CHECK_THAT(mistakes_of("{\"logical_count\": [[[1,2]],\n[[3,4],[5,6]]]}"),
             contains_text("has 2 layers, the steps before have 1"));
  CHECK_THAT(mistakes_of("{\"logical_count\": 7}"), contains_text("expected a list of layers"));
  CHECK_THAT(mistakes_of("{\"logical_count\": [[1,2]"), contains_text("ends too early"));
}

TEST_CASE("routing file: what is no recording is refused with a way out") {
  CHECK_THAT(mistakes_of("PK\x03\x04zip"), contains_text("python3 -c 'import json,torch"));
  CHECK_THAT(mistakes_of(""), contains_text("is empty"));
  CHECK_THAT(mistakes_of("hello\n"), contains_text("neither recorded expert loads nor"));
  CHECK_THAT(mistakes_of("{\"physical_to_logical_map\": []}"), contains_text("is a placement"));
}

}  // namespace
}  // namespace moesim::interchange
