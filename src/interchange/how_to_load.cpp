// How each engine takes its file, with the numbers of a placement.
#include <fmt/format.h>

#include "interchange/placement_file.h"

namespace moesim::interchange {
namespace {

struct Numbers {
  std::int64_t layers;
  std::int64_t moe_layers;
  std::int64_t first_moe;
  std::int64_t experts;
  std::int64_t slots;
  std::int64_t ranks;
  std::int64_t redundant;
  std::int64_t per_rank;
};

std::string sglang_note(const Numbers& n, const std::string& file) {
  return fmt::format(
      "SGLang: {file}\n"
      "  {{\"physical_to_logical_map\": {layers} rows of {slots}}}, one row per layer of the "
      "model;\n"
      "  rows of dense layers are there because the engine counts all layers; it does not use "
      "them.\n"
      "  Load it with\n"
      "    python3 -m sglang.launch_server ... --ep-size {ranks} "
      "--ep-num-redundant-experts {redundant} \\\n"
      "      --init-expert-location {file}\n"
      "  Slot s is on rank s / {per_rank}. Add no other key to the file: all of them become "
      "arguments.\n"
      "  Without --enable-eplb the placement stays; with it the engine plans anew from its own\n"
      "  recordings.\n",
      fmt::arg("file", file), fmt::arg("layers", n.layers), fmt::arg("slots", n.slots),
      fmt::arg("ranks", n.ranks), fmt::arg("redundant", n.redundant),
      fmt::arg("per_rank", n.per_rank));
}

std::string vllm_note(const Numbers& n, const std::string& file) {
  return fmt::format(
      "vLLM: {file}\n"
      "  A list of {moe} rows (MoE layers only) of {slots} expert ids.\n"
      "  Released versions (checked to 2026-11) take no initial map: they start with experts\n"
      "  0..{last} in order and spare slot i holding expert i modulo {experts}. The file is what "
      "the\n"
      "  open pull request vllm-project/vllm #49572 (2026-07) reads; with it applied:\n"
      "    vllm serve ... --enable-expert-parallel --enable-eplb \\\n"
      "      --eplb-config '{{\"num_redundant_experts\": {redundant}, "
      "\"initial_expert_map_path\": \"{file}\"}}'\n"
      "  with data times tensor parallel ranks = {ranks}. Without it the engine refuses the key.\n"
      "  Its balancer replaces the placement after step_interval steps (default 3000).\n",
      fmt::arg("file", file), fmt::arg("moe", n.moe_layers), fmt::arg("slots", n.slots),
      fmt::arg("last", n.experts - 1), fmt::arg("experts", n.experts), fmt::arg("ranks", n.ranks),
      fmt::arg("redundant", n.redundant));
}

std::string ascend_note(const Numbers& n, const std::string& file) {
  return fmt::format(
      "vLLM-Ascend: {file}\n"
      "  {moe} layers of {ranks} devices of {per_rank} experts; layer_id counts MoE layers from "
      "0.\n"
      "  Load it with\n"
      "    vllm serve ... --enable-expert-parallel --additional-config '{{\"eplb_config\": "
      "{{\"expert_map_path\": \"{file}\"}}}}'\n"
      "  ({redundant} redundant experts). The placement stays as long as dynamic_eplb is false.\n",
      fmt::arg("file", file), fmt::arg("moe", n.moe_layers), fmt::arg("ranks", n.ranks),
      fmt::arg("per_rank", n.per_rank), fmt::arg("redundant", n.redundant));
}

std::string tensorrt_note(const Numbers& n, const std::string& file) {
  return fmt::format(
      "TensorRT-LLM: {file}\n"
      "  num_slots {slots}; a list for each of the {moe} MoE layers, under its number in the "
      "model\n"
      "  (the first is {first}); rank 0's slots first. Unknown keys are refused by the engine.\n"
      "  Name the file in the options of the PyTorch backend (--extra_llm_api_options):\n"
      "    moe_expert_parallel_size: {ranks}\n"
      "    moe_config:\n"
      "      load_balancer: {file}\n"
      "  (older versions: moe_load_balancer: {file}). layer_updates_per_iter: 0 keeps the "
      "placement.\n",
      fmt::arg("file", file), fmt::arg("slots", n.slots), fmt::arg("moe", n.moe_layers),
      fmt::arg("first", n.first_moe), fmt::arg("ranks", n.ranks));
}

}  // namespace

std::string how_to_load(EngineFormat format, const placement::Placement& placement,
                        const ModelLayers& layers, const std::string& file) {
  const placement::PlacementShape& shape = placement.shape;
  const Numbers n{.layers = layers.hidden_layers,
                  .moe_layers = shape.moe_layers,
                  .first_moe = layers.moe_layer_ids.empty() ? 0 : layers.moe_layer_ids.front(),
                  .experts = shape.experts,
                  .slots = shape.slots(),
                  .ranks = shape.ranks,
                  .redundant = shape.slots() - shape.experts,
                  .per_rank = shape.slots_per_rank};
  switch (format) {
    case EngineFormat::Sglang:
      return sglang_note(n, file);
    case EngineFormat::Vllm:
      return vllm_note(n, file);
    case EngineFormat::VllmAscend:
      return ascend_note(n, file);
    case EngineFormat::TensorRtLlm:
      break;
  }
  return tensorrt_note(n, file);
}

}  // namespace moesim::interchange
