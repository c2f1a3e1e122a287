// Layers without a growing cache between others: Qwen3.5, Nemotron-H, Nemotron-NAS.
#include <cmath>
#include <string>
#include <vector>

#include "scenario/hf_layers.h"

namespace moesim::scenario {
namespace {

using catalog::Attention;
using catalog::AttentionKind;
using catalog::FeedForward;

/// A mixer with constant state.
Attention constant_state(std::int64_t parameters, std::int64_t state_bytes) {
  Attention a;
  a.kind = AttentionKind::Linear;
  a.parameters_linear_mixer = parameters;
  a.state_bytes = state_bytes;
  return a;
}

/// Gated delta net: q, k, v and gate projections, two scalars per value head, a short convolution.
/// State: one key x value matrix per value head in fp32, and the convolution's window in bf16.
Attention delta_net(const HfConfig& config, std::int64_t hidden) {
  const std::int64_t value_heads = config.integer("linear_num_value_heads", 4096);
  const std::int64_t key_dim = config.integer("linear_key_head_dim", 4096);
  const std::int64_t value_dim = config.integer("linear_value_head_dim", 4096);
  const std::int64_t keys = config.integer("linear_num_key_heads", 4096) * key_dim;
  const std::int64_t values = value_heads * value_dim;
  const std::int64_t kernel = config.integer("linear_conv_kernel_dim", 64);
  const std::int64_t channels = 2 * keys + values;
  return constant_state(hidden * (2 * keys + 3 * values + 2 * value_heads) + channels * kernel +
                            2 * value_heads + value_dim,
                        4 * value_heads * key_dim * value_dim + 2 * channels * (kernel - 1));
}

/// Mamba-2 (Dao, Gu 2024): one input projection, a short convolution, a gated norm.
Attention mamba2(const HfConfig& config, std::int64_t hidden) {
  const std::int64_t heads = config.integer("mamba_num_heads", 4096);
  const std::int64_t head_dim = config.integer("mamba_head_dim", 4096);
  const std::int64_t state = config.integer("ssm_state_size", 4096);
  const std::int64_t kernel = config.integer("conv_kernel", 64);
  const std::int64_t inner = heads * head_dim;
  const std::int64_t channels = inner + 2 * config.integer("n_groups", 4096) * state;
  const std::int64_t element = config.text("mamba_ssm_cache_dtype") == "float32" ? 4 : 2;
  return constant_state(hidden * (inner + channels + heads) +
                            channels * (kernel + (config.flag("use_conv_bias") ? 1 : 0)) +
                            3 * heads + inner + inner * hidden,
                        element * heads * head_dim * state + 2 * channels * (kernel - 1));
}

}  // namespace

void add_delta_net_layers(const HfConfig& config, catalog::Model& model) {
  const std::int64_t layers = config.integer("num_hidden_layers");
  Attention full = grouped_query(config);
  full.output_gate = config.flag("attn_output_gate");
  const Attention linear = delta_net(config, model.hidden);
  FeedForward f;
  if (config.has("num_experts")) {
    f = routed_experts(config);
    if (f.shared_experts > 0) f.parameters_other += model.hidden;  // Gate of the shared expert.
  } else {
    f = dense_block(config.integer("intermediate_size"));
  }
  LayerList list(model);
  for (const std::string& type : config.texts("layer_types", layers)) {
    if (type == "full_attention") {
      list.add(layer("full", full, f, 2 * model.hidden + 2 * full.head_dim));
    } else if (type == "linear_attention") {
      list.add(layer("linear", linear, f, 2 * model.hidden));
    } else {
      config.error("layer_types", "names \"" + type + "\"",
                   "known are linear_attention and full_attention");
      return;
    }
  }
}

void add_mamba2_layers(const HfConfig& config, catalog::Model& model) {
  FeedForward experts;
  if (config.has("n_routed_experts")) {
    experts = routed_experts(config);
    experts.parameters_other = experts.routed_experts;  // Correction bias of the routing.
    experts.matrices = 2;
    experts.expert_hidden = config.integer_or("moe_latent_size", 0);
    if (config.has("moe_shared_expert_intermediate_size")) {
      experts.shared_intermediate = config.integer("moe_shared_expert_intermediate_size");
    }
  }
  LayerList list(model);
  for (const char c : config.text("hybrid_override_pattern")) {
    switch (c) {
      case 'M':
        list.add(layer("mamba", mamba2(config, model.hidden), {}, model.hidden));
        break;
      case '*':
        list.add(layer("attention", grouped_query(config), {}, model.hidden));
        break;
      case 'E':
        if (!experts.is_moe()) config.error("n_routed_experts", "is missing", "add it");
        list.add(layer("moe", constant_state(0, 0), experts, model.hidden));
        break;
      case '-': {
        FeedForward f = dense_block(config.integer("intermediate_size"));
        f.matrices = 2;
        list.add(layer("dense", constant_state(0, 0), f, model.hidden));
        break;
      }
      default:
        config.error("hybrid_override_pattern", std::string("has an unknown layer '") + c + "'",
                     "known are M, *, E and -");
        return;
    }
  }
  if (model.layers() != config.integer("num_hidden_layers")) {
    config.error("hybrid_override_pattern",
                 "has " + std::to_string(model.layers()) + " layers, unlike num_hidden_layers",
                 "give one letter per layer");
  }
}

void add_searched_layers(const HfConfig& config, catalog::Model& model) {
  const std::int64_t layers = config.integer("num_hidden_layers");
  const std::int64_t heads = config.integer("num_attention_heads");
  LayerList list(model);
  for (const HfConfig& block : config.objects("block_configs", layers)) {
    if (!block.is_object("attention") || !block.is_object("ffn")) {
      block.error("attention", "or ffn is no object", "give both");
      return;
    }
    const HfConfig attention = block.object("attention");
    const HfConfig ffn = block.object("ffn");
    for (const HfConfig& part : {attention, ffn}) {
      if (part.flag("replace_with_linear")) {
        part.error("replace_with_linear", "is true, which is not modelled", "use another model");
      }
    }
    Attention a = constant_state(0, 0);
    std::string name = "none";
    if (!attention.flag("no_op")) {
      const std::int64_t group = attention.integer("n_heads_in_group");
      a = Attention{};
      a.heads = heads;
      a.kv_heads = std::max<std::int64_t>(heads / group, 1);
      a.head_dim = std::max<std::int64_t>(model.hidden / heads, 1);
      a.v_head_dim = a.head_dim;
      a.window = attention.integer_or("window_length", 0);
      name = "kv" + std::to_string(a.kv_heads);
      if (a.window > 0) name += "_window" + std::to_string(a.window);
    }
    FeedForward f;
    if (!ffn.flag("no_op")) {
      // Nemotron-NAS: two thirds of twice the multiple of hidden, rounded up to 256.
      const double width = 2.0 * ffn.real("ffn_mult") * static_cast<double>(model.hidden) / 3.0;
      f.dense_intermediate = (static_cast<std::int64_t>(width) + 255) / 256 * 256;
      name += "_ffn" + std::to_string(f.dense_intermediate);
    }
    const std::int64_t norms = (a.kind == AttentionKind::Gqa ? model.hidden : 0) +
                               (f.dense_intermediate > 0 ? model.hidden : 0);
    list.add(layer(name, a, f, norms));
  }
}

}  // namespace moesim::scenario
