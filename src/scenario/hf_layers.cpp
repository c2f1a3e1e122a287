#include "scenario/hf_layers.h"

#include <algorithm>
#include <vector>

namespace moesim::scenario {
namespace {

using catalog::Attention;
using catalog::AttentionKind;
using catalog::FeedForward;

std::int64_t biases(const Attention& a) {
  return a.heads * a.head_dim + a.kv_heads * (a.head_dim + a.v_head_dim);
}

/// For each layer: does it have experts?
std::vector<bool> moe_layers(const HfConfig& config, const std::string& type, std::int64_t layers) {
  const bool has_experts = type != "llama" && type != "mistral" && type != "qwen2" &&
                           type != "qwen3" && type != "mimo" && type != "phi3";
  std::vector<bool> moe(static_cast<std::size_t>(layers), has_experts);
  if (!has_experts) return moe;
  const std::int64_t dense = config.integer_or("first_k_dense_replace", 0);
  const std::int64_t step = std::max<std::int64_t>(config.integer_or("decoder_sparse_step", 1), 1);
  for (std::int64_t i = 0; i < layers; ++i) {
    moe[static_cast<std::size_t>(i)] = i >= dense && (i + 1) % step == 0;
  }
  if (config.has("mlp_only_layers")) {
    for (const std::int64_t i : config.integers("mlp_only_layers", HfConfig::kAnySize)) {
      if (i < layers) moe[static_cast<std::size_t>(i)] = false;
    }
  }
  return moe;
}

/// First layer with a window, and its size; no layer if there is none.
std::int64_t first_windowed(const HfConfig& config, const std::string& type, std::int64_t layers) {
  if (!config.has("sliding_window")) return layers;
  if (type == "mistral" || type == "phi3") return 0;
  if (!config.flag("use_sliding_window")) return layers;
  return config.integer_or("max_window_layers", layers);
}

}  // namespace

void LayerList::add(const catalog::LayerKind& kind) {
  auto& kinds = model_.kinds;
  const auto at = std::find_if(kinds.begin(), kinds.end(),
                               [&](const auto& known) { return known.name == kind.name; });
  const auto index = static_cast<std::int32_t>(at - kinds.begin());
  if (at == kinds.end()) kinds.push_back(kind);
  if (model_.runs.empty() || model_.runs.back().kind != index) {
    model_.runs.push_back({.kind = index, .count = 0});
  }
  ++model_.runs.back().count;
}

catalog::LayerKind layer(const std::string& name, const Attention& attention,
                         const FeedForward& feed_forward, std::int64_t norm_parameters) {
  return {.attention = attention,
          .feed_forward = feed_forward,
          .norm_parameters = norm_parameters,
          .name = name};
}

Attention grouped_query(const HfConfig& config) {
  Attention a;
  a.heads = config.integer("num_attention_heads");
  a.kv_heads = config.has("num_key_value_heads") ? config.integer("num_key_value_heads") : a.heads;
  if (config.has("head_dim")) {
    a.head_dim = config.integer("head_dim");
  } else {
    const std::int64_t hidden = config.integer("hidden_size");
    if (hidden % a.heads != 0) {
      config.error("head_dim", "is missing, and hidden_size does not divide by the heads",
                   "add it");
    }
    a.head_dim = std::max<std::int64_t>(hidden / a.heads, 1);
  }
  a.v_head_dim = a.head_dim;
  return a;
}

FeedForward dense_block(std::int64_t width) {
  FeedForward f;
  f.dense_intermediate = width;
  return f;
}

FeedForward routed_experts(const HfConfig& config) {
  FeedForward f;
  f.routed_experts = config.integer_of({"n_routed_experts", "num_experts", "num_local_experts"});
  f.expert_intermediate = config.integer_of({"moe_intermediate_size", "intermediate_size"});
  f.top_k = config.integer_of({"num_experts_per_tok", "experts_per_token", "top_k_experts"});
  f.groups = config.integer_or("n_group", 1);
  f.top_groups = config.integer_or("topk_group", 1);
  f.shared_experts = config.integer_or("n_shared_experts", 0);
  f.shared_intermediate = f.shared_experts > 0 ? f.expert_intermediate : 0;
  for (const char* key :
       {"shared_expert_intermediate_size", "shared_intermediate_size", "share_expert_dim"}) {
    if (config.integer_or(key, 0) > 0) {
      f.shared_experts = std::max<std::int64_t>(f.shared_experts, 1);
      f.shared_intermediate = config.integer(key);
    }
  }
  const bool correction_bias = config.text("topk_method") == "noaux_tc" ||
                               config.text("scoring_func") == "sigmoid" ||
                               config.flag("use_routing_bias");
  if (correction_bias) f.parameters_other = f.routed_experts;
  return f;
}

void add_grouped_query_layers(const HfConfig& config, const std::string& type,
                              catalog::Model& model) {
  const std::int64_t layers = config.integer("num_hidden_layers");
  Attention a = grouped_query(config);
  if (type == "qwen2" || config.flag("attention_bias")) a.parameters_other += biases(a);
  if (type == "llama" && config.flag("attention_bias")) a.parameters_other += model.hidden;
  std::int64_t norms = 2 * model.hidden;
  const bool norm_per_head =
      type == "qwen3" || type == "qwen3_moe" || (type == "glm4_moe" && config.flag("use_qk_norm"));
  const bool norm_per_layer =
      type == "olmoe" || (type == "minimax_m2" && config.flag("use_qk_norm"));
  if (norm_per_head) norms += 2 * a.head_dim;
  if (norm_per_layer) norms += (a.heads + a.kv_heads) * a.head_dim;

  const std::vector<bool> moe = moe_layers(config, type, layers);
  const std::int64_t windowed = first_windowed(config, type, layers);
  LayerList list(model);
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool is_moe = moe[static_cast<std::size_t>(i)];
    Attention attention = a;
    if (i >= windowed) attention.window = config.integer("sliding_window");
    const FeedForward f =
        is_moe ? routed_experts(config) : dense_block(config.integer("intermediate_size"));
    std::string name = is_moe ? "moe" : "dense";
    if (i >= windowed) name += "_window";
    list.add(layer(name, attention, f, norms));
  }
}

void add_latent_layers(const HfConfig& config, catalog::Model& model) {
  Attention a;
  a.kind = AttentionKind::Mla;
  a.heads = config.integer("num_attention_heads");
  a.kv_heads = a.heads;
  a.q_lora_rank = config.integer_or("q_lora_rank", 0);
  a.kv_lora_rank = config.integer("kv_lora_rank");
  a.qk_nope_dim = config.integer("qk_nope_head_dim");
  a.qk_rope_dim = config.integer("qk_rope_head_dim");
  a.head_dim = a.qk_nope_dim + a.qk_rope_dim;
  a.v_head_dim = config.integer("v_head_dim");
  if (config.has("index_n_heads")) {
    // DeepSeek-V3.2: queries from the query latent, one key and one weight per head from hidden.
    a.index_heads = config.integer("index_n_heads");
    a.index_dim = config.integer("index_head_dim");
    a.sparse_top_k = config.integer("index_topk");
    a.index_cache_bytes = a.index_dim + 4 * ((a.index_dim + 127) / 128);  // fp8, fp32 per 128.
    a.parameters_other = a.q_lora_rank * a.index_heads * a.index_dim +
                         model.hidden * (a.index_dim + a.index_heads) + 2 * a.index_dim;
  }
  const std::int64_t norms = 2 * model.hidden + a.q_lora_rank + a.kv_lora_rank;
  const std::int64_t layers = config.integer("num_hidden_layers");
  const std::int64_t dense = config.integer_or("first_k_dense_replace", 0);
  const std::int64_t step = std::max<std::int64_t>(config.integer_or("moe_layer_freq", 1), 1);
  LayerList list(model);
  for (std::int64_t i = 0; i < layers; ++i) {
    if (i >= dense && i % step == 0) {
      list.add(layer("moe", a, routed_experts(config), norms));
    } else {
      list.add(layer("dense", a, dense_block(config.integer("intermediate_size")), norms));
    }
  }
}

void add_compressed_layers(const HfConfig& config, catalog::Model& model) {
  Attention a = grouped_query(config);
  a.shared_kv = true;
  a.q_lora_rank = config.integer("q_lora_rank");
  a.o_lora_rank = config.integer("o_lora_rank");
  a.o_groups = config.integer("o_groups");
  a.window = config.integer("sliding_window");
  FeedForward f = routed_experts(config);
  f.parameters_other = 0;  // The correction bias is below what the published total resolves.
  const std::int64_t layers = config.integer("num_hidden_layers");
  const auto ratios = config.integers("compress_ratios", HfConfig::kAnySize);
  if (static_cast<std::int64_t>(ratios.size()) < layers) {
    config.error("compress_ratios", "has fewer entries than layers", "give one per layer");
    return;
  }
  LayerList list(model);
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::int64_t ratio = ratios[static_cast<std::size_t>(i)];
    Attention b = a;
    if (ratio > 0) b.cache_entries_per_token = 1.0 / static_cast<double>(ratio);
    // The compressor maps hidden to values and gates, twice where windows overlap (ratio 4), where
    // an indexer with a compressor of its own selects entries as well.
    const bool selects = ratio > 0 && ratio < 128;
    if (ratio > 0) b.parameters_other = (selects ? 4 : 2) * model.hidden * a.head_dim;
    if (selects) {
      b.index_heads = config.integer("index_n_heads");
      b.index_dim = config.integer("index_head_dim");
      b.sparse_top_k = config.integer("index_topk");
      b.index_cache_bytes = 2 * b.index_dim;
      b.parameters_other += a.q_lora_rank * b.index_heads * b.index_dim +
                            model.hidden * b.index_heads + 4 * model.hidden * b.index_dim;
    }
    const std::string name = ratio == 0 ? "window" : "ratio_" + std::to_string(ratio);
    list.add(layer(name, b, f, 2 * model.hidden));
  }
}

void add_block_sparse_layers(const HfConfig& config, catalog::Model& model) {
  const std::int64_t layers = config.integer("num_hidden_layers");
  const auto moe = config.integers("moe_layer_freq", layers);
  Attention full = grouped_query(config);
  Attention sparse = full;
  std::vector<std::int64_t> is_sparse(static_cast<std::size_t>(layers), 0);
  if (config.is_object("sparse_attention_config")) {
    const HfConfig s = config.object("sparse_attention_config");
    is_sparse = s.integers("sparse_attention_freq", layers);
    sparse.index_heads = s.integer("sparse_num_index_heads");
    sparse.index_dim = s.integer("sparse_index_dim");
    sparse.sparse_top_k = s.integer("sparse_topk_blocks") * s.integer("sparse_block_size");
    sparse.index_cache_bytes = 2 * sparse.index_dim;
    sparse.parameters_other = model.hidden * sparse.index_dim * (sparse.index_heads + 1);
  }
  const std::int64_t norms = 2 * model.hidden + 2 * full.head_dim;
  LayerList list(model);
  for (std::size_t i = 0; i < static_cast<std::size_t>(layers); ++i) {
    const FeedForward f = moe[i] != 0 ? routed_experts(config)
                                      : dense_block(config.integer("dense_intermediate_size"));
    const std::string name = moe[i] != 0 ? "moe" : "dense";
    list.add(is_sparse[i] != 0 ? layer(name + "_sparse", sparse, f, norms)
                               : layer(name, full, f, norms));
  }
}

}  // namespace moesim::scenario
