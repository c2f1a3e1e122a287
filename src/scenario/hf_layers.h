// Layers of imported models: one function per family of architectures.
//
// Layer: scenario.
#pragma once

#include <string>

#include "catalog/model.h"
#include "scenario/hf_config.h"

namespace moesim::scenario {

/// Collects layers in order; layers with the same name share one kind.
class LayerList {
 public:
  explicit LayerList(catalog::Model& model) : model_(model) {}
  void add(const catalog::LayerKind& kind);

 private:
  catalog::Model& model_;
};

// Each reads what it needs of the config of the language model, and fills `model.kinds` and
// `model.runs`; hidden size and vocabulary are already set.

/// Llama, Mistral, Mixtral, Qwen 2 and 3, GLM-4.5, OLMoE, MiniMax-M2, MiMo-7B: grouped-query
/// layers, dense, MoE, or both in turn.
void add_grouped_query_layers(const HfConfig& config, const std::string& type,
                              catalog::Model& model);
/// gpt-oss, MiMo-V2-Flash, Step-3.7, Gemma 4, Llama 4: windows on some layers.
void add_windowed_layers(const HfConfig& config, const std::string& type, catalog::Model& model);
/// DeepSeek-V2, V3, V3.2, Kimi-K2, GLM-5: latent attention, with or without an indexer.
void add_latent_layers(const HfConfig& config, catalog::Model& model);
/// DeepSeek-V4: compressed attention.
void add_compressed_layers(const HfConfig& config, catalog::Model& model);
/// MiniMax-M3: block-sparse attention.
void add_block_sparse_layers(const HfConfig& config, catalog::Model& model);
/// Qwen3.5: gated delta net with full attention in between.
void add_delta_net_layers(const HfConfig& config, catalog::Model& model);
/// Nemotron-H: Mamba-2, attention and MoE as layers of their own.
void add_mamba2_layers(const HfConfig& config, catalog::Model& model);
/// Nemotron-NAS: every layer with its own shape.
void add_searched_layers(const HfConfig& config, catalog::Model& model);

// Shared pieces.
[[nodiscard]] catalog::Attention grouped_query(const HfConfig& config);
/// Routed experts and what goes with them; expert width from the usual fields.
[[nodiscard]] catalog::FeedForward routed_experts(const HfConfig& config);
[[nodiscard]] catalog::FeedForward dense_block(std::int64_t width);
/// Adds the norms of a usual layer (two of the hidden size).
[[nodiscard]] catalog::LayerKind layer(const std::string& name, const catalog::Attention& attention,
                                       const catalog::FeedForward& feed_forward,
                                       std::int64_t norm_parameters);

}  // namespace moesim::scenario
