#include <string>

#include "interchange/placement_file.h"
#include "tests/support/catch.h"
#include "tests/unit/interchange/support.h"

namespace moesim::interchange {
namespace {

using test::contains_text;
using test::toy_layers;
using test::toy_placement;

// The toy placement by hand: layer 1 (MoE layer 0) has experts 0 1 2 on rank 0 and 3 0 1 on rank 1;
// layer 2 has 3 2 1 and 0 2 3. Layer 0 is dense; its row is slot modulo experts.
TEST_CASE("engine text: SGLang counts all layers, dense ones with the trivial map") {
  CHECK(engine_text(EngineFormat::Sglang, toy_placement(), toy_layers()) ==
        "{\"physical_to_logical_map\": [\n"
        "[0, 1, 2, 3, 0, 1],\n"
        "[0, 1, 2, 3, 0, 1],\n"
        "[3, 2, 1, 0, 2, 3]\n"
        "]}\n");
}

TEST_CASE("engine text: vLLM's list has MoE layers only") {
  CHECK(engine_text(EngineFormat::Vllm, toy_placement(), toy_layers()) ==
        "[\n[0, 1, 2, 3, 0, 1],\n[3, 2, 1, 0, 2, 3]\n]\n");
}

TEST_CASE("engine text: vLLM-Ascend lists devices") {
  CHECK(engine_text(EngineFormat::VllmAscend, toy_placement(), toy_layers()) ==
        "{\"moe_layer_count\": 2, \"layer_list\": [\n"
        "{\"layer_id\": 0, \"device_count\": 2, \"device_list\": [\n"
        "  {\"device_id\": 0, \"device_expert\": [0, 1, 2]},\n"
        "  {\"device_id\": 1, \"device_expert\": [3, 0, 1]}\n"
        "]},\n"
        "{\"layer_id\": 1, \"device_count\": 2, \"device_list\": [\n"
        "  {\"device_id\": 0, \"device_expert\": [3, 2, 1]},\n"
        "  {\"device_id\": 1, \"device_expert\": [0, 2, 3]}\n"
        "]}\n"
        "]}\n");
}

TEST_CASE("engine text: TensorRT-LLM names layers by their number in the model") {
  CHECK(engine_text(EngineFormat::TensorRtLlm, toy_placement(), toy_layers()) ==
        "num_slots: 6\n"
        "initial_global_assignments:\n"
        "  1: [0, 1, 2, 3, 0, 1]\n"
        "  2: [3, 2, 1, 0, 2, 3]\n"
        "layer_updates_per_iter: 0\n");
}

TEST_CASE("engine names: every format is found by its name") {
  for (const EngineFormat format : engine_formats()) {
    CHECK(engine_format(name_of(format)) == format);
    CHECK(!file_name_of(format).empty());
  }
  CHECK(engine_format("vllm") == EngineFormat::Vllm);
  CHECK(!engine_format("VLLM").has_value());
}

TEST_CASE("how to load: the note has this placement's numbers") {
  const auto note = [](EngineFormat format) {
    return how_to_load(format, toy_placement(), toy_layers(), "map.file");
  };
  // Six slots for four experts: two redundant ones.
  const std::string sglang = note(EngineFormat::Sglang);
  CHECK_THAT(sglang, contains_text("--ep-size 2 --ep-num-redundant-experts 2"));
  CHECK_THAT(sglang, contains_text("--init-expert-location map.file"));
  CHECK_THAT(sglang, contains_text("3 rows of 6"));
  const std::string vllm = note(EngineFormat::Vllm);
  CHECK_THAT(vllm, contains_text("take no initial map"));
  CHECK_THAT(vllm, contains_text("#49572"));
  CHECK_THAT(vllm, contains_text("\"num_redundant_experts\": 2"));
  CHECK_THAT(note(EngineFormat::VllmAscend), contains_text("\"expert_map_path\": \"map.file\""));
  CHECK_THAT(note(EngineFormat::TensorRtLlm), contains_text("load_balancer: map.file"));
  CHECK_THAT(note(EngineFormat::TensorRtLlm), contains_text("num_slots 6"));
}

}  // namespace
}  // namespace moesim::interchange
