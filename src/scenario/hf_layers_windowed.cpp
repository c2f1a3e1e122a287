// Windows on some layers: gpt-oss, Llama 4, MiMo-V2-Flash, Step-3.7, Gemma 4.
#include <vector>

#include "scenario/hf_layers.h"

namespace moesim::scenario {
namespace {

using catalog::Attention;
using catalog::FeedForward;

/// For each layer: is it a sliding-window layer? From `layer_types`.
std::vector<bool> sliding_layers(const HfConfig& config, std::int64_t layers) {
  const auto types = config.texts("layer_types", layers);
  std::vector<bool> sliding(types.size(), false);
  for (std::size_t i = 0; i < types.size(); ++i) {
    sliding[i] = types[i] == "sliding_attention";
    if (!sliding[i] && types[i] != "full_attention") {
      config.error("layer_types[" + std::to_string(i) + "]", "is \"" + types[i] + "\"",
                   "known are sliding_attention and full_attention");
      break;
    }
  }
  return sliding;
}

void add_gpt_oss(const HfConfig& config, catalog::Model& model) {
  const std::int64_t layers = config.integer("num_hidden_layers");
  Attention full = grouped_query(config);
  if (config.flag("attention_bias")) {
    full.parameters_other = (full.heads + 2 * full.kv_heads) * full.head_dim + model.hidden;
  }
  full.parameters_other += full.heads;  // Attention sinks.
  Attention window = full;
  window.window = config.integer("sliding_window");
  FeedForward f = routed_experts(config);
  f.expert_parameters_other = 2 * f.expert_intermediate + model.hidden;
  f.parameters_other = f.routed_experts;
  LayerList list(model);
  for (const bool sliding : sliding_layers(config, layers)) {
    list.add(sliding ? layer("window", window, f, 2 * model.hidden)
                     : layer("full", full, f, 2 * model.hidden));
  }
}

void add_llama4(const HfConfig& config, catalog::Model& model) {
  const std::int64_t layers = config.integer("num_hidden_layers");
  const std::int64_t step = config.integer("interleave_moe_layer_step");
  const Attention full = grouped_query(config);
  Attention chunked = full;
  chunked.window = config.integer("attention_chunk_size");
  chunked.chunked = true;
  FeedForward experts = routed_experts(config);
  experts.shared_experts = 1;
  experts.shared_intermediate = experts.expert_intermediate;
  LayerList list(model);
  for (std::int64_t i = 0; i < layers; ++i) {
    // Every fourth layer has no rotary position and sees the whole context.
    const bool sees_all = (i + 1) % 4 == 0;
    const bool moe = (i + 1) % step == 0;
    const FeedForward f = moe ? experts : dense_block(config.integer("intermediate_size_mlp"));
    const std::string name = std::string(moe ? "moe" : "dense") + (sees_all ? "" : "_chunked");
    list.add(layer(name, sees_all ? full : chunked, f, 2 * model.hidden));
  }
}

void add_mimo_v2(const HfConfig& config, catalog::Model& model) {
  const std::int64_t layers = config.integer("num_hidden_layers");
  Attention full = grouped_query(config);
  full.v_head_dim = config.integer("v_head_dim");
  Attention window;
  window.heads = config.integer("swa_num_attention_heads");
  window.kv_heads = config.integer("swa_num_key_value_heads");
  window.head_dim = config.integer("swa_head_dim");
  window.v_head_dim = config.integer("swa_v_head_dim");
  window.window = config.integer("sliding_window");
  if (config.flag("add_swa_attention_sink_bias")) window.parameters_other = window.heads;
  const auto pattern = config.integers("hybrid_layer_pattern", layers);
  const auto moe = config.integers("moe_layer_freq", layers);
  LayerList list(model);
  for (std::size_t i = 0; i < static_cast<std::size_t>(layers); ++i) {
    const FeedForward f =
        moe[i] != 0 ? routed_experts(config) : dense_block(config.integer("intermediate_size"));
    const std::string name =
        std::string(moe[i] != 0 ? "moe" : "dense") + (pattern[i] != 0 ? "_window" : "");
    list.add(layer(name, pattern[i] != 0 ? window : full, f, 2 * model.hidden));
  }
}

void add_step(const HfConfig& config, catalog::Model& model) {
  const std::int64_t layers = config.integer("num_hidden_layers");
  const std::int64_t dense = config.integer_or("first_k_dense_replace", 0);
  const Attention full = grouped_query(config);
  Attention window = full;
  window.window = config.integer("sliding_window");
  const std::vector<bool> sliding = sliding_layers(config, layers);
  LayerList list(model);
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool narrow = sliding[static_cast<std::size_t>(i)];
    const FeedForward f =
        i >= dense ? routed_experts(config) : dense_block(config.integer("intermediate_size"));
    const std::string name = std::string(i >= dense ? "moe" : "dense") + (narrow ? "_window" : "");
    list.add(layer(name, narrow ? window : full, f, 2 * model.hidden));
  }
}

void add_gemma4(const HfConfig& config, catalog::Model& model) {
  for (const char* key : {"hidden_size_per_layer_input", "num_kv_shared_layers"}) {
    if (config.integer_or(key, 0) > 0) {
      config.error(key, "is above 0, which is not modelled", "only models without it are read");
    }
  }
  const std::int64_t layers = config.integer("num_hidden_layers");
  Attention window = grouped_query(config);
  Attention full = window;
  window.window = config.integer("sliding_window");
  // Where the value is the key (attention_k_eq_v), only the key is rotated: both are cached.
  if (config.has("global_head_dim")) full.head_dim = config.integer("global_head_dim");
  if (config.has("num_global_key_value_heads")) {
    full.kv_heads = config.integer("num_global_key_value_heads");
  }
  full.v_head_dim = full.head_dim;
  FeedForward f = dense_block(config.integer("intermediate_size"));
  if (config.flag("enable_moe_block")) {
    f = routed_experts(config);
    f.dense_intermediate = config.integer("intermediate_size");
  }
  const std::int64_t norms = (f.is_moe() ? 7 : 4) * model.hidden;
  LayerList list(model);
  for (const bool sliding : sliding_layers(config, layers)) {
    list.add(sliding ? layer("window", window, f, norms + 2 * window.head_dim)
                     : layer("full", full, f, norms + 2 * full.head_dim));
  }
}

}  // namespace

void add_windowed_layers(const HfConfig& config, const std::string& type, catalog::Model& model) {
  if (type == "gpt_oss") {
    add_gpt_oss(config, model);
  } else if (type == "llama4" || type == "llama4_text") {
    add_llama4(config, model);
  } else if (type == "mimo_v2_flash") {
    add_mimo_v2(config, model);
  } else if (type == "step3p7") {
    add_step(config, model);
  } else {
    add_gemma4(config, model);
  }
}

}  // namespace moesim::scenario
