// Placements as the files that serving engines read: written exactly as they take them, and read
// back with every mistake named.
//
// Slot s of a layer lies on rank s / slots_per_rank, in all of them. Fields, versions, sources and
// what each engine does with the file: docs/formats/engine_files.md. Layer: interchange.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "interchange/model_layers.h"
#include "placement/placement.h"

namespace moesim::interchange {

enum class EngineFormat { Sglang, Vllm, VllmAscend, TensorRtLlm };

/// All of them, in the order of their names in messages.
[[nodiscard]] std::span<const EngineFormat> engine_formats();
/// sglang, vllm, vllm-ascend, tensorrt-llm.
[[nodiscard]] std::string_view name_of(EngineFormat format);
[[nodiscard]] std::optional<EngineFormat> engine_format(std::string_view name);
/// sglang_expert_location.json, vllm_expert_map.json, vllm_ascend_expert_map.json,
/// tensorrt_llm_load_balancer.yaml.
[[nodiscard]] std::string_view file_name_of(EngineFormat format);

/// The file's text. Precondition: the placement verifies and has one row per MoE layer of `layers`.
[[nodiscard]] std::string engine_text(EngineFormat format, const placement::Placement& placement,
                                      const ModelLayers& layers);

/// How the engine takes the file: flags with this placement's numbers, and what it does not do.
/// `file`: the name to stand in the commands. Ends with a line break.
[[nodiscard]] std::string how_to_load(EngineFormat format, const placement::Placement& placement,
                                      const ModelLayers& layers, const std::string& file);

/// A placement from the text of any of these files, recognised by its content; also bare lists
/// [layers][slots] and [slots] (the same in every layer). `shape` and `layers` are what the file
/// must fit. The strategy of the result is "file". Throws InputError with every mistake, at most 20
/// of them.
[[nodiscard]] placement::Placement parse_placement(std::string_view bytes, const std::string& name,
                                                   const placement::PlacementShape& shape,
                                                   const ModelLayers& layers);
/// The same from a file. Throws IoError if it cannot be read.
[[nodiscard]] placement::Placement read_placement(const std::string& path,
                                                  const placement::PlacementShape& shape,
                                                  const ModelLayers& layers);

}  // namespace moesim::interchange
