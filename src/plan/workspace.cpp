#include "plan/workspace.h"

#include <algorithm>

namespace moesim::plan {
namespace {

using catalog::Attention;
using catalog::AttentionKind;
using catalog::FeedForward;

double as_double(std::int64_t count) { return static_cast<double>(count); }

/// Elements per token between the projections of an attention block on one rank.
double attention_elements(const catalog::Model& model, const Attention& a, double tp) {
  switch (a.kind) {
    case AttentionKind::Gqa:
    case AttentionKind::Cross: {
      const double kv_heads = std::max(1.0, as_double(a.kv_heads) / tp);
      const double gates = a.output_gate ? as_double(a.heads * a.v_head_dim) / tp : 0.0;
      return as_double(a.q_lora_rank) + as_double(a.heads * (a.head_dim + a.v_head_dim)) / tp +
             kv_heads * as_double(a.head_dim + a.v_head_dim) + gates;
    }
    case AttentionKind::Mla:
      // Prefill expands the latent: query, key, value and output of each head.
      return as_double(a.q_lora_rank + a.kv_lora_rank + a.qk_rope_dim) +
             as_double(a.heads * 2 * (a.head_dim + a.v_head_dim)) / tp;
    case AttentionKind::Linear:
      // Widths of all its projections together: each matrix has `hidden` on one side.
      return as_double(a.parameters_linear_mixer) / as_double(model.hidden) / tp;
  }
  return 0.0;
}

/// Gate, up and their product of a gated block; the product alone counts twice in a plain one.
double block_elements(std::int64_t matrices, double columns) {
  return as_double(matrices) * columns;
}

/// Rows of all routed experts of a rank when tokens spread evenly, per token of max batch.
Bytes expert_bytes(const catalog::Model& model, const FeedForward& f,
                   const catalog::Precision& precision, const Layout& layout, double tokens) {
  const double rows =
      tokens * as_double(layout.dp * std::min(f.top_k, f.routed_experts)) / as_double(layout.ep);
  const double width = as_double(f.expert_hidden > 0 ? f.expert_hidden : model.hidden);
  const double columns = as_double(f.expert_intermediate) / as_double(layout.expert_tp());
  Bytes bytes = rows * (width + block_elements(f.matrices, columns)) * precision.activation_element;
  // Received tokens: those of the rank's experts, or all of them where several GPUs split experts.
  if (layout.dp > 1) {
    const double received = layout.expert_tp() > 1 ? tokens * as_double(layout.dp) : rows;
    bytes += received * width * precision.dispatch_element;
  }
  return bytes;
}

Bytes feed_forward_bytes(const catalog::Model& model, const FeedForward& f,
                         const catalog::Precision& precision, const Layout& layout, double tokens) {
  const double tp = as_double(layout.tp);
  const Bytes dense = tokens * block_elements(f.matrices, as_double(f.dense_intermediate) / tp) *
                      precision.activation_element;
  if (!f.is_moe()) return dense;
  const double shared_columns = as_double(f.shared_experts * f.shared_intermediate) / tp;
  const Bytes shared =
      tokens * block_elements(f.matrices, shared_columns) * precision.activation_element;
  return std::max({dense, shared, expert_bytes(model, f, precision, layout, tokens)});
}

}  // namespace

Bytes activation_peak(const catalog::Model& model, const catalog::Precision& precision,
                      const Layout& layout, const MemoryOptions& options, std::int64_t stage) {
  const double tokens = as_double(options.max_num_batched_tokens);
  const StageLayers range = split_layers(model, layout)[static_cast<std::size_t>(stage)];
  Bytes block;
  std::int64_t begin = 0;
  for (const catalog::LayerRun& run : model.runs) {
    const std::int64_t end = begin + run.count;
    if (std::min(end, range.last) > std::max(begin, range.first)) {
      const catalog::LayerKind& kind = model.kinds[static_cast<std::size_t>(run.kind)];
      const Bytes attention = tokens *
                              attention_elements(model, kind.attention, as_double(layout.tp)) *
                              precision.activation_element;
      block = std::max({block, attention,
                        feed_forward_bytes(model, kind.feed_forward, precision, layout, tokens)});
    }
    begin = end;
  }
  // Residual, input and output of the block.
  Bytes peak = block + 3.0 * tokens * as_double(model.hidden) * precision.activation_element;
  if (stage == layout.pp - 1) {
    // Gathered logits as computed, and in fp32 for sampling.
    constexpr Bytes kFp32 = Bytes::from_base(4.0);
    const double logits = as_double(std::min(options.max_num_seqs, options.max_num_batched_tokens) *
                                    model.vocabulary);
    peak = std::max(peak, logits * (precision.activation_element + kFp32));
  }
  return peak;
}

Bytes graphs_and_communication(const catalog::Model& model, const catalog::Precision& precision,
                               const Layout& layout, const MemoryOptions& options) {
  Bytes sum = options.cuda_graphs ? kCudaGraphs : Bytes{};
  if (layout.tp * layout.dp > 1) sum += kCollectiveBuffers;
  if (layout.dp > 1) {
    // Low-latency all-to-all: a slot for each expert and dispatched token, send and receive, two
    // buffers of each, sized by the larger element (combine).
    std::int64_t experts = 0;
    for (const catalog::LayerKind& kind : model.kinds) {
      experts = std::max(experts, kind.feed_forward.routed_experts);
    }
    sum += 4.0 * as_double(experts + options.redundant_experts) *
           as_double(std::min(kLowLatencyDispatchTokens, options.max_num_batched_tokens)) *
           as_double(model.hidden) *
           std::max(precision.dispatch_element, precision.combine_element);
  }
  return sum;
}

}  // namespace moesim::plan
