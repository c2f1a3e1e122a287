#include "catalog/parameters.h"

#include <algorithm>

namespace moesim::catalog {
namespace {

/// Adds the projections of softmax attention with `kv_heads` key-value heads.
void add_grouped_query(std::int64_t hidden, const Attention& a, LayerParameters& out) {
  const std::int64_t query_width = a.heads * (a.head_dim + (a.output_gate ? a.v_head_dim : 0));
  if (a.q_lora_rank > 0) {
    out.attention_replicated += hidden * a.q_lora_rank;
    out.attention_sharded += a.q_lora_rank * query_width;
  } else {
    out.attention_sharded += hidden * query_width;
  }
  const std::int64_t kv_width = a.kv_heads * (a.head_dim + (a.shared_kv ? 0 : a.v_head_dim));
  out.attention_kv += hidden * kv_width;
  if (a.o_lora_rank > 0) {
    // Each group maps its heads to o_lora_rank values; a second matrix maps those to hidden.
    out.attention_sharded +=
        a.heads * a.v_head_dim * a.o_lora_rank + a.o_groups * a.o_lora_rank * hidden;
  } else {
    out.attention_sharded += a.heads * a.v_head_dim * hidden;
  }
}

/// Adds the projections of multi-head latent attention.
void add_latent(std::int64_t hidden, const Attention& a, LayerParameters& out) {
  if (a.q_lora_rank > 0) {
    out.attention_replicated += hidden * a.q_lora_rank;
    out.attention_sharded += a.q_lora_rank * a.heads * a.head_dim;
  } else {
    out.attention_sharded += hidden * a.heads * a.head_dim;
  }
  out.attention_replicated += hidden * (a.kv_lora_rank + a.qk_rope_dim);
  out.attention_sharded += a.kv_lora_rank * a.heads * (a.qk_nope_dim + a.v_head_dim);
  out.attention_sharded += a.heads * a.v_head_dim * hidden;
}

void add_feed_forward(std::int64_t hidden, const FeedForward& f, LayerParameters& out) {
  out.dense_ffn = f.matrices * hidden * f.dense_intermediate;
  if (!f.is_moe()) {
    out.dense_ffn += f.parameters_other;
    return;
  }
  const std::int64_t width = f.expert_hidden > 0 ? f.expert_hidden : hidden;
  out.router = hidden * f.routed_experts + f.parameters_other;
  if (f.expert_hidden > 0) out.router += 2 * hidden * f.expert_hidden;
  out.routed_expert = f.matrices * width * f.expert_intermediate + f.expert_parameters_other;
  out.shared_experts = f.shared_experts * f.matrices * hidden * f.shared_intermediate;
  out.routed_expert_count = f.routed_experts;
  out.active_expert_count = std::min(f.top_k, f.routed_experts);
}

}  // namespace

std::int64_t LayerParameters::total() const {
  return attention() + norms + dense_ffn + router + routed_expert * routed_expert_count +
         shared_experts;
}

std::int64_t LayerParameters::active() const {
  return attention() + norms + dense_ffn + router + routed_expert * active_expert_count +
         shared_experts;
}

std::int64_t ModelParameters::total() const {
  return attention + norms + dense_ffn + router + routed_experts + shared_experts + embedding +
         head + vision + other;
}

LayerParameters layer_parameters(const Model& model, const LayerKind& kind) {
  LayerParameters out;
  const Attention& a = kind.attention;
  switch (a.kind) {
    case AttentionKind::Gqa:
    case AttentionKind::Cross:
      add_grouped_query(model.hidden, a, out);
      break;
    case AttentionKind::Mla:
      add_latent(model.hidden, a, out);
      break;
    case AttentionKind::Linear:
      out.attention_sharded = a.parameters_linear_mixer;
      break;
  }
  out.attention_replicated += a.parameters_other;
  out.norms = kind.norm_parameters;
  add_feed_forward(model.hidden, kind.feed_forward, out);
  return out;
}

ModelParameters count_parameters(const Model& model) {
  ModelParameters out;
  for (const LayerRun& run : model.runs) {
    const LayerParameters layer =
        layer_parameters(model, model.kinds[static_cast<std::size_t>(run.kind)]);
    out.attention += run.count * layer.attention();
    out.norms += run.count * layer.norms;
    out.dense_ffn += run.count * layer.dense_ffn;
    out.router += run.count * layer.router;
    out.routed_experts += run.count * layer.routed_expert * layer.routed_expert_count;
    out.shared_experts += run.count * layer.shared_experts;
    out.active += run.count * layer.active();
  }
  out.norms += model.hidden;  // The final norm.
  out.embedding = model.vocabulary * model.hidden;
  out.head = model.tied_embeddings ? 0 : out.embedding;
  out.vision = model.parameters_vision;
  out.other = model.parameters_other;
  out.mtp = model.mtp_parameters;
  out.mtp_copied = model.mtp_copied_parameters;
  out.active += model.hidden + out.embedding + out.head + out.other;
  return out;
}

Bytes weight_bytes(const ModelParameters& parameters, const Precision& precision) {
  const auto size = [](std::int64_t count, const WeightFormat& format) {
    return static_cast<double>(count) * format.bytes_per_weight();
  };
  return size(parameters.attention, precision.attention) +
         size(parameters.dense_ffn, precision.dense_ffn) +
         size(parameters.routed_experts, precision.routed_experts) +
         size(parameters.shared_experts, precision.shared_experts) +
         size(parameters.router, precision.router) +
         size(parameters.embedding, precision.embedding) + size(parameters.head, precision.head) +
         size(parameters.norms + parameters.vision + parameters.other, precision.norms);
}

Bytes checkpoint_bytes(const ModelParameters& parameters, const Precision& precision) {
  return weight_bytes(parameters, precision) +
         static_cast<double>(parameters.mtp) * precision.routed_experts.bytes_per_weight() +
         static_cast<double>(parameters.mtp_copied) * precision.embedding.bytes_per_weight();
}

}  // namespace moesim::catalog
