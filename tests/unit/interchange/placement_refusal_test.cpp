#include <fmt/format.h>

#include <string>

#include "interchange/placement_file.h"
#include "tests/support/catch.h"
#include "tests/unit/interchange/support.h"

namespace moesim::interchange {
namespace {

using test::contains_text;

std::string mistakes_of(const std::string& text) {
  return test::mistakes_of(
      [&] { return parse_placement(text, "map", test::toy_slots(), test::toy_layers()); });
}

std::string sglang(const std::string& rows) {
  return "{\"physical_to_logical_map\": [\n" + rows + "]}";
}

const std::string kFirst = "[0,1,2,3,0,1],\n";

TEST_CASE("placement file: a missing expert is named with its layer") {
  // Row 1 of 2 starts at line 3; it is layer 2 of the model.
  const std::string found = mistakes_of(sglang(kFirst + "[0,1,2,0,1,2]"));
  CHECK_THAT(found, contains_text("map:3:1: error: physical_to_logical_map[1]: layer 2: expert 3 "
                                  "is missing from its 6 slots"));
}

TEST_CASE("placement file: two copies on one rank are named with layer and slot") {
  const std::string found = mistakes_of(sglang(kFirst + "[0,1,2,3,2,3]"));
  CHECK_THAT(found, contains_text("map:3:12: error: physical_to_logical_map[1]: layer 2, slot 5 "
                                  "(rank 1): expert 3 is on this rank already, in slot 3"));
}

TEST_CASE("placement file: ids outside are named with layer and slot") {
  CHECK_THAT(mistakes_of(sglang(kFirst + "[0,1,2,3,4,1]")),
             contains_text("map:3:10: error: physical_to_logical_map[1]: layer 2, slot 4 (rank 1): "
                           "expert 4 of 4 does not exist"));
  CHECK_THAT(mistakes_of(sglang(kFirst + "[0,1,2,3,-1,1]")), contains_text("expert -1 of 4"));
  CHECK_THAT(mistakes_of(sglang(kFirst + "[0,1,2,3,1.0,1]")),
             contains_text("expected the number of an expert, got 1.0"));
  CHECK_THAT(mistakes_of(sglang(kFirst + "[0,1,2,3,1e400,1]")),
             contains_text("map:3:10: error: is not JSON from here: \"1e400"));
}

TEST_CASE("placement file: wrong numbers of layers and slots are refused") {
  CHECK_THAT(mistakes_of(sglang("[0,1,2,3,0,1]")),
             contains_text("has 1 layers, expected 2 (MoE layers) or 3 (all layers); a placement "
                           "of some layers only cannot be loaded by an engine"));
  CHECK_THAT(mistakes_of(sglang(kFirst + kFirst + kFirst + "[0,1,2,3,0,1]")),
             contains_text("has 4 layers"));
  CHECK_THAT(mistakes_of(sglang(kFirst + "[0,1,2,3,0]")),
             contains_text("layer 2 has 5 slots, expected 6 (2 ranks of 3)"));
  CHECK_THAT(mistakes_of(sglang("[0],\n" + kFirst + "[0,1,2,3,0,1]")),
             contains_text("layer 0 has 1 slots"));
}

TEST_CASE("placement file: other keys are refused") {
  CHECK_THAT(
      mistakes_of("{\"note\": 1, \"physical_to_logical_map\": [[0,1,2,3,0,1],[0,1,2,3,0,1]]}"),
      contains_text("map:1:10: error: note: is not a key of this file; SGLang takes every key"));
  CHECK_THAT(mistakes_of("{\"logical_count\": [[1]]}"), contains_text("expert loads"));
  CHECK_THAT(mistakes_of("{}"), contains_text("has neither physical_to_logical_map"));
}

TEST_CASE("placement file: what is no file of this kind is refused") {
  CHECK_THAT(mistakes_of(""), contains_text("is empty"));
  CHECK_THAT(mistakes_of("{\"physical_to_logical_map\": [[0,1"), contains_text("ends too early"));
  CHECK_THAT(mistakes_of(sglang("[01,2]")), contains_text("map:2:2: error: is not JSON from"));
  CHECK_THAT(mistakes_of("PK\x03\x04..."), contains_text("Python objects"));
  CHECK_THAT(mistakes_of("a: [1"), contains_text("is not YAML"));
  CHECK_THAT(mistakes_of("[]"), contains_text("expected a list of layers"));
  CHECK_THAT(mistakes_of("}"), contains_text("YAML"));
  CHECK_THAT(mistakes_of("hello"), contains_text("expected num_slots"));
  CHECK_THAT(mistakes_of(std::string(100000, '[')), contains_text("map:1:"));
  CHECK_THAT(mistakes_of("a: " + std::string(3000, '[')), contains_text("is not YAML"));
}

std::string yaml(const std::string& rows, const std::string& head = "num_slots: 6\n") {
  return head + "initial_global_assignments:\n" + rows;
}

TEST_CASE("placement file: mistakes of TensorRT-LLM files have line and layer") {
  const std::string good = "  1: [0, 1, 2, 3, 0, 1]\n";
  CHECK_THAT(mistakes_of(yaml(good)), contains_text("layer 2 is missing; all 2 MoE layers"));
  CHECK_THAT(mistakes_of(yaml(good + "  2: [0, 1, 2, 3, 0, 9]\n")),
             contains_text("map:4:22: error: initial_global_assignments[2]: layer 2, slot 5 (rank "
                           "1): expert 9 of 4 does not exist"));
  CHECK_THAT(mistakes_of(yaml(good + "  2: [0, 1, 2, 3, x, 1]\n")),
             contains_text("map:4:19: error: initial_global_assignments[2]: expected the number"));
  CHECK_THAT(mistakes_of(yaml(good + "  2: [0, 1, 2, 3]\n")),
             contains_text("map:4:6: error: initial_global_assignments[2]: layer 2 has 4 slots"));
  CHECK_THAT(mistakes_of(yaml(good + "  0: [0, 1, 2, 3, 0, 1]\n")),
             contains_text("map:4:3: error: initial_global_assignments: layer 0 is not a MoE "
                           "layer of the model"));
  CHECK_THAT(mistakes_of(yaml(good + good)), contains_text("layer 1 stands twice"));
  CHECK_THAT(mistakes_of(yaml(good, "num_slots: 8\n")), contains_text("expected 6, got \"8\""));
  CHECK_THAT(mistakes_of(yaml(good, "")), contains_text("num_slots: is missing"));
  CHECK_THAT(mistakes_of(yaml(good, "num_slots: 6\nnote: x\n")),
             contains_text("map:2:1: error: \"note\": is not a key of this file"));
  CHECK_THAT(mistakes_of(yaml(good) + "---\na: 1\n"), contains_text("more than one YAML document"));
}

std::string ascend(const std::string& layer_id, const std::string& device_id,
                   const std::string& experts) {
  const auto layer = [](const std::string& id, const std::string& device, const std::string& ids) {
    return fmt::format(
        "{{\"layer_id\": {}, \"device_count\": 2, \"device_list\": [\n"
        "{{\"device_id\": 0, \"device_expert\": [0,1,2]}},\n"
        "{{\"device_id\": {}, \"device_expert\": {}}}]}}",
        id, device, ids);
  };
  return "{\"moe_layer_count\": 2, \"layer_list\": [\n" + layer("0", "1", "[3,0,1]") + ",\n" +
         layer(layer_id, device_id, experts) + "]}";
}

TEST_CASE("placement file: mistakes of vLLM-Ascend files have line and layer") {
  CHECK(mistakes_of(ascend("1", "1", "[3,0,1]")).empty());
  CHECK_THAT(mistakes_of(ascend("2", "1", "[3,0,1]")), contains_text("expected 1, got 2"));
  CHECK_THAT(mistakes_of(ascend("1", "0", "[3,0,1]")), contains_text("device_id: expected 1"));
  CHECK_THAT(mistakes_of(ascend("1", "1", "[3,0]")),
             contains_text("layer 2, rank 1 has 2 slots, expected 3"));
  // Device 1 of the second layer stands in line 7; its list starts at column 35.
  CHECK_THAT(mistakes_of(ascend("1", "1", "[3,3,1]")),
             contains_text("map:7:38: error: layer_list[1]: layer 2, slot 4 (rank 1): expert 3 is "
                           "on this rank already, in slot 3"));
}

}  // namespace
}  // namespace moesim::interchange
