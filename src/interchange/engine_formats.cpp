// Names of the engines, and their files as text.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/check.h"
#include "interchange/placement_file.h"

namespace moesim::interchange {
namespace {

using placement::Placement;

struct FormatName {
  EngineFormat format;
  std::string_view name;
  std::string_view file;
};

constexpr FormatName kNames[] = {
    {EngineFormat::Sglang, "sglang", "sglang_expert_location.json"},
    {EngineFormat::Vllm, "vllm", "vllm_expert_map.json"},
    {EngineFormat::VllmAscend, "vllm-ascend", "vllm_ascend_expert_map.json"},
    {EngineFormat::TensorRtLlm, "tensorrt-llm", "tensorrt_llm_load_balancer.yaml"},
};
constexpr EngineFormat kFormats[] = {EngineFormat::Sglang, EngineFormat::Vllm,
                                     EngineFormat::VllmAscend, EngineFormat::TensorRtLlm};

const FormatName& entry_of(EngineFormat format) {
  const auto* found = std::find_if(std::begin(kNames), std::end(kNames),
                                   [&](const FormatName& n) { return n.format == format; });
  MOESIM_CHECK(found != std::end(kNames), "every engine has a name");
  return *found;
}

std::span<const std::int32_t> row_of(const Placement& placement, std::int64_t moe_layer) {
  const auto slots = static_cast<std::size_t>(placement.shape.slots());
  return std::span(placement.expert_of_slot)
      .subspan(static_cast<std::size_t>(moe_layer) * slots, slots);
}

std::string list_of(std::span<const std::int32_t> ids) {
  return fmt::format("[{}]", fmt::join(ids, ", "));
}

/// A row for every layer of the model. Those of dense layers are not used by the engine, but have
/// to be there: the map it starts with by itself.
std::string sglang_text(const Placement& placement, const ModelLayers& layers) {
  std::vector<std::int32_t> trivial(static_cast<std::size_t>(placement.shape.slots()));
  for (std::size_t s = 0; s < trivial.size(); ++s) {
    trivial[s] = static_cast<std::int32_t>(s % static_cast<std::size_t>(placement.shape.experts));
  }
  std::string text = "{\"physical_to_logical_map\": [\n";
  std::int64_t moe = 0;
  for (std::int64_t layer = 0; layer < layers.hidden_layers; ++layer) {
    const bool routed =
        moe < layers.moe_layers() && layers.moe_layer_ids[static_cast<std::size_t>(moe)] == layer;
    text += list_of(routed ? row_of(placement, moe) : std::span<const std::int32_t>(trivial));
    text += layer + 1 < layers.hidden_layers ? ",\n" : "\n";
    if (routed) ++moe;
  }
  return text + "]}\n";
}

std::string vllm_text(const Placement& placement) {
  std::string text = "[\n";
  for (std::int64_t moe = 0; moe < placement.shape.moe_layers; ++moe) {
    text += list_of(row_of(placement, moe));
    text += moe + 1 < placement.shape.moe_layers ? ",\n" : "\n";
  }
  return text + "]\n";
}

std::string ascend_text(const Placement& placement) {
  const auto& shape = placement.shape;
  std::string text =
      fmt::format("{{\"moe_layer_count\": {}, \"layer_list\": [\n", shape.moe_layers);
  for (std::int64_t moe = 0; moe < shape.moe_layers; ++moe) {
    text += fmt::format("{{\"layer_id\": {}, \"device_count\": {}, \"device_list\": [\n", moe,
                        shape.ranks);
    const std::span<const std::int32_t> row = row_of(placement, moe);
    for (std::int64_t rank = 0; rank < shape.ranks; ++rank) {
      const auto experts = row.subspan(static_cast<std::size_t>(rank * shape.slots_per_rank),
                                       static_cast<std::size_t>(shape.slots_per_rank));
      text += fmt::format("  {{\"device_id\": {}, \"device_expert\": {}}}{}\n", rank,
                          list_of(experts), rank + 1 < shape.ranks ? "," : "");
    }
    text += moe + 1 < shape.moe_layers ? "]},\n" : "]}\n";
  }
  return text + "]}\n";
}

std::string tensorrt_text(const Placement& placement, const ModelLayers& layers) {
  std::string text =
      fmt::format("num_slots: {}\ninitial_global_assignments:\n", placement.shape.slots());
  for (std::int64_t moe = 0; moe < placement.shape.moe_layers; ++moe) {
    text += fmt::format("  {}: {}\n", layers.moe_layer_ids[static_cast<std::size_t>(moe)],
                        list_of(row_of(placement, moe)));
  }
  return text + "layer_updates_per_iter: 0\n";
}

}  // namespace

std::span<const EngineFormat> engine_formats() { return kFormats; }
std::string_view name_of(EngineFormat format) { return entry_of(format).name; }
std::string_view file_name_of(EngineFormat format) { return entry_of(format).file; }

std::optional<EngineFormat> engine_format(std::string_view name) {
  const auto* found = std::find_if(std::begin(kNames), std::end(kNames),
                                   [&](const FormatName& n) { return n.name == name; });
  if (found == std::end(kNames)) return std::nullopt;
  return found->format;
}

std::string engine_text(EngineFormat format, const Placement& placement,
                        const ModelLayers& layers) {
  MOESIM_CHECK(layers.moe_layers() == placement.shape.moe_layers &&
                   std::ssize(placement.expert_of_slot) ==
                       placement.shape.moe_layers * placement.shape.slots(),
               "a placement has one row per MoE layer of its model");
  switch (format) {
    case EngineFormat::Sglang:
      return sglang_text(placement, layers);
    case EngineFormat::Vllm:
      return vllm_text(placement);
    case EngineFormat::VllmAscend:
      return ascend_text(placement);
    case EngineFormat::TensorRtLlm:
      break;
  }
  return tensorrt_text(placement, layers);
}

}  // namespace moesim::interchange
