// Models built in code, so that the tests of this folder read no files.
#pragma once

#include "catalog/catalog.h"

namespace moesim::test {

/// DeepSeek-V3 by its config.json: 3 dense and 58 MoE layers of latent attention.
inline catalog::Model deepseek_v3() {
  catalog::LayerKind dense;
  dense.name = "dense";
  dense.attention = {.kind = catalog::AttentionKind::Mla,
                     .heads = 128,
                     .kv_heads = 128,
                     .head_dim = 192,
                     .v_head_dim = 128,
                     .q_lora_rank = 1536,
                     .kv_lora_rank = 512,
                     .qk_nope_dim = 128,
                     .qk_rope_dim = 64};
  dense.feed_forward.dense_intermediate = 18432;
  dense.norm_parameters = 2 * 7168 + 1536 + 512;
  catalog::LayerKind moe = dense;
  moe.name = "moe";
  moe.feed_forward = {.routed_experts = 256,
                      .expert_intermediate = 2048,
                      .shared_experts = 1,
                      .shared_intermediate = 2048,
                      .top_k = 8,
                      .groups = 8,
                      .top_groups = 4,
                      .parameters_other = 256};
  catalog::Model model;
  model.name = "DeepSeek-V3";
  model.hidden = 7168;
  model.vocabulary = 129280;
  model.kinds = {dense, moe};
  model.runs = {{.kind = 0, .count = 3}, {.kind = 1, .count = 58}};
  model.mtp_modules = 1;
  model.mtp_parameters = 11'610'068'224;
  model.mtp_copied_parameters = 2 * 129280LL * 7168LL;
  return model;
}

/// Dense, grouped-query: Llama 3.1 70B with (80, 8192, 64, 8, 28672, 128256).
inline catalog::Model dense_model(std::int32_t layers, std::int64_t hidden, std::int64_t heads,
                                  std::int64_t kv_heads, std::int64_t intermediate,
                                  std::int64_t vocabulary) {
  catalog::LayerKind kind;
  kind.name = "dense";
  kind.attention.heads = heads;
  kind.attention.kv_heads = kv_heads;
  kind.attention.head_dim = 128;
  kind.attention.v_head_dim = 128;
  kind.feed_forward.dense_intermediate = intermediate;
  kind.norm_parameters = 2 * hidden;
  catalog::Model model;
  model.name = "dense";
  model.hidden = hidden;
  model.vocabulary = vocabulary;
  model.kinds = {kind};
  model.runs = {{.kind = 0, .count = layers}};
  return model;
}
inline catalog::Model llama_70b() { return dense_model(80, 8192, 64, 8, 28672, 128256); }
inline catalog::Model mistral_7b(std::int64_t window) {
  catalog::Model model = dense_model(32, 4096, 32, 8, 14336, 32000);
  model.kinds[0].attention.window = window;
  return model;
}

/// bf16, fp8 by blocks, MXFP4 experts, Q4_K_M, and a mixture.
inline catalog::Catalog formats_only() {
  const auto format = [](const char* name, double bits, catalog::MathFormat math) {
    catalog::WeightFormat f;
    f.name = name;
    f.bits_per_weight = bits;
    f.math = math;
    return f;
  };
  catalog::Catalog c;
  c.formats = {format("bf16", 16.0, catalog::MathFormat::Bf16),
               format("fp8_block128", 8.0 + 32.0 / 16384.0, catalog::MathFormat::Fp8),
               format("mxfp4", 4.25, catalog::MathFormat::Bf16),
               format("Q4_K_M", 4.8944, catalog::MathFormat::Bf16)};
  c.formats[1].aliases = {"fp8"};
  c.formats[2].experts_only = true;
  c.formats[3].whole_file = true;
  catalog::PrecisionRecipe recipe;
  recipe.name = "fp4_experts+fp8";
  recipe.experts = "mxfp4";
  recipe.linear = "fp8_block128";
  recipe.rest = "bf16";
  c.recipes = {recipe};
  return c;
}

}  // namespace moesim::test
