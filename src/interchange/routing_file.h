// Recorded routing from files: expert loads and token traces, recognised by their content.
//
// Loads:   matrix CSV; "layer,expert,count" CSV; SGLang recorder JSON (logical_count);
//          folder of TensorRT-LLM statistics (meta_info.json, rank<r>.safetensors).
// Tokens:  "request<TAB>hex ..." text; "sequence<TAB>position<TAB>ids ..." text; JSON lines. All of
//          them plain or gzipped.
// Form and sources: docs/formats/engine_files.md. Layer: interchange.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "interchange/model_layers.h"
#include "placement/problem.h"
#include "routing/expert_router.h"
#include "routing/token_trace.h"

namespace moesim::interchange {

/// What the reader knows of the model beforehand; 0 or empty: whatever the file says. What is known
/// is checked.
struct RoutingHints {
  std::int64_t moe_layers = 0;
  std::int64_t experts = 0;  ///< Unknown: the highest id + 1 of a token trace.
  std::int64_t top_k = 0;
  ModelLayers layers{};                      ///< Finds the MoE layers among all layers.
  std::vector<std::int32_t> trace_layers{};  ///< MoE layers of a token's groups, in order.
};

[[nodiscard]] RoutingHints hints_of(const routing::RoutingShape& shape);

/// What one file, or several merged, recorded.
struct RoutingRecord {
  std::string name;
  std::int64_t moe_layers = 0;  ///< Rows of `load`, or the highest traced layer + 1 if unknown.
  std::int64_t experts = 0;
  std::int64_t top_k = 0;    ///< 0: the file does not say (loads).
  std::vector<double> load;  ///< [moe_layers * experts], no row sums to 0; empty: tokens only.
  routing::TokenTrace tokens{};
};

/// A file, or the folder of TensorRT-LLM statistics. Throws InputError with every mistake (at most
/// 20 of them), IoError if it cannot be read.
[[nodiscard]] RoutingRecord read_routing(const std::string& path, const RoutingHints& hints = {});

/// The same from memory (not for folders); gzip is undone. `name` stands in messages.
[[nodiscard]] RoutingRecord parse_routing(std::string_view bytes, const std::string& name,
                                          const RoutingHints& hints = {});

/// Loads added up, tokens one file after the other (requests renumbered so that none are shared).
/// A load and the tokens of the same model make one record with both. Throws InputError if they are
/// not of one model. Precondition: at least one record.
[[nodiscard]] RoutingRecord merge(std::span<const RoutingRecord> records);

/// The record as a workload of a model. Without loads they are counted from the tokens, which must
/// then cover every MoE layer. Throws InputError if it does not fit the shape.
[[nodiscard]] placement::Workload to_workload(RoutingRecord record,
                                              const routing::RoutingShape& shape);

}  // namespace moesim::interchange
