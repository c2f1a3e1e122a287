// Models, formats and GPUs with round or published numbers, built in code so that the tests of
// this folder need no file.
#pragma once

#include <cstdint>
#include <string>

#include "catalog/gpu.h"
#include "catalog/model.h"
#include "catalog/precision.h"
#include "core/units.h"

namespace moesim::plan::test {

using namespace moesim::literals;

/// 4 layers: 1 dense, 3 MoE. hidden 8, 4 heads of 2, 2 key-value heads, 8 experts of width 4.
inline catalog::Model toy_moe() {
  catalog::LayerKind dense;
  dense.attention = {.heads = 4, .kv_heads = 2, .head_dim = 2, .v_head_dim = 2};
  dense.feed_forward = {.dense_intermediate = 16};
  dense.norm_parameters = 16;
  catalog::LayerKind moe = dense;
  moe.feed_forward = {.routed_experts = 8,
                      .expert_intermediate = 4,
                      .shared_experts = 1,
                      .shared_intermediate = 4,
                      .top_k = 2};
  catalog::Model model;
  model.name = "Toy";
  model.hidden = 8;
  model.vocabulary = 100;
  model.kinds = {dense, moe};
  model.runs = {{.kind = 0, .count = 1}, {.kind = 1, .count = 3}};
  model.context_length = 1 << 20;
  return model;
}

inline catalog::Model dense_model(std::string name, std::int64_t layers, std::int64_t hidden,
                                  std::int64_t heads, std::int64_t intermediate,
                                  std::int64_t vocabulary) {
  catalog::LayerKind kind;
  kind.attention = {.heads = heads, .kv_heads = 8, .head_dim = 128, .v_head_dim = 128};
  kind.feed_forward = {.dense_intermediate = intermediate};
  kind.norm_parameters = 2 * hidden;
  catalog::Model model;
  model.name = std::move(name);
  model.hidden = hidden;
  model.vocabulary = vocabulary;
  model.kinds = {kind};
  model.runs = {{.kind = 0, .count = static_cast<std::int32_t>(layers)}};
  model.context_length = 131072;
  return model;
}

inline catalog::Model deepseek_v3() {
  catalog::LayerKind dense;
  dense.attention = {.kind = catalog::AttentionKind::Mla,
                     .heads = 128,
                     .kv_heads = 128,
                     .head_dim = 192,
                     .v_head_dim = 128,
                     .q_lora_rank = 1536,
                     .kv_lora_rank = 512,
                     .qk_nope_dim = 128,
                     .qk_rope_dim = 64};
  dense.feed_forward = {.dense_intermediate = 18432};
  dense.norm_parameters = 2 * 7168 + 1536 + 512;
  catalog::LayerKind moe = dense;
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
  model.context_length = 131072;
  return model;
}

inline catalog::Model model_named(const std::string& name) {
  if (name == "DeepSeek-V3") return deepseek_v3();
  if (name == "Llama-3.1-8B") return dense_model(name, 32, 4096, 32, 14336, 128256);
  if (name == "Llama-3.1-70B") return dense_model(name, 80, 8192, 64, 28672, 128256);
  if (name == "Qwen2.5-72B") return dense_model(name, 80, 8192, 64, 29568, 152064);
  return dense_model(name, 88, 12288, 96, 28672, 32768);  // Mistral-Large-2407-123B
}

/// One format for linear weights; bf16 for the rest unless `whole_file`.
inline catalog::Precision precision_of(double bits, bool whole_file = false) {
  catalog::WeightFormat linear;
  linear.bits_per_weight = bits;
  const catalog::WeightFormat bf16;
  catalog::Precision p;
  p.name = "test";
  p.attention = p.dense_ffn = p.routed_experts = p.shared_experts = linear;
  p.router = p.embedding = p.head = p.norms = whole_file ? linear : bf16;
  return p;
}

inline catalog::Precision precision_named(const std::string& name) {
  if (name == "bf16") return precision_of(16.0);
  if (name == "fp8_block128") return precision_of(8.00195);
  if (name == "int8_w8a8") return precision_of(8.0);
  if (name == "int4_g128_sym") return precision_of(4.125);
  if (name == "awq_gptq_g128") return precision_of(4.15625);
  if (name == "mxfp4") return precision_of(4.25);
  if (name == "nvfp4") return precision_of(4.5);
  return precision_of(4.8944, true);  // Q4_K_M
}

inline catalog::Gpu gpu_of(Bytes memory) {
  catalog::Gpu gpu;
  gpu.name = "Test";
  gpu.memory = memory;
  return gpu;
}

/// Memory as the driver shows it or, where that is not published, the label read in GiB; 141 GB is
/// the label of 140.4 GiB.
inline catalog::Gpu gpu_named(const std::string& name) {
  if (name == "H200-SXM") return gpu_of(143'771 * 1_MiB);
  if (name == "B200") return gpu_of(180_GiB);
  if (name == "MI300X") return gpu_of(192_GiB);
  if (name == "MI355X") return gpu_of(288_GiB);
  if (name == "L40S") return gpu_of(46'068 * 1_MiB);
  if (name == "RTX-4090") return gpu_of(24_GiB);
  return gpu_of(80_GiB);  // A100-80GB-SXM, H100-SXM
}

}  // namespace moesim::plan::test
