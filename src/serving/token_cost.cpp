#include "serving/token_cost.h"

#include <algorithm>

#include "operators/memory_pass.h"

namespace moesim::serving {
namespace {

/// Small kernels of an indexer beside its multiplies, as list_indexer() counts them.
constexpr int kIndexerPasses = 8;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

LayerTokenCost::LayerTokenCost(const Deployment& deployment, const catalog::LayerKind& kind,
                               bool whole_block, Kernels& kernels)
    : deployment_(&deployment) {
  list_indexer(kind.attention);
  if (!whole_block) list_attention(kind.attention);
  has_attention_ = whole_block || !attention_gemms_.empty();
  projects_last_ = has_attention_ && !whole_block;
  if (has_attention_) {  // norm with residual: two reads and two writes of the hidden state
    attention_pass_elements_ += static_cast<double>(4 * deployment.model.hidden);
    ++attention_kernels_;
  }
  list_feed_forward(kind.feed_forward);
  choose_timers(StepPart::Attention, attention_gemms_, kernels);
  choose_timers(StepPart::FeedForward, feed_forward_gemms_, kernels);
}

void LayerTokenCost::choose_timers(StepPart part, std::vector<Gemm>& gemms, Kernels& kernels) {
  const std::size_t first = timers_.size();
  for (Gemm& gemm : gemms) {
    const auto known = std::find(timed_formats_.begin() + static_cast<std::ptrdiff_t>(first),
                                 timed_formats_.end(), gemm.format);
    gemm.timer = static_cast<std::size_t>(known - timed_formats_.begin());
    if (known != timed_formats_.end()) continue;
    timed_formats_.push_back(gemm.format);
    timers_.push_back(kernels.gemm(part, *gemm.format));
  }
}

void LayerTokenCost::list_attention(const catalog::Attention& a) {
  switch (a.kind) {
    case catalog::AttentionKind::Gqa:
    case catalog::AttentionKind::Cross:
      list_grouped_query(a);
      break;
    case catalog::AttentionKind::Mla:
      list_latent(a);
      break;
    case catalog::AttentionKind::Linear:
      if (a.parameters_linear_mixer == 0) return;  // a layer that mixes nothing
      // The mixer's projections together: as many weights, hence as many flops per token.
      add_attention(
          ceil_div(a.parameters_linear_mixer / deployment_->model.hidden, deployment_->layout.tp),
          deployment_->model.hidden);
      break;
  }
  ++attention_kernels_;  // rotary embedding and cache write
}

void LayerTokenCost::list_indexer(const catalog::Attention& a) {
  if (a.index_heads == 0) return;
  // Queries from the latent; keys, and weights of the heads, from the hidden state.
  const std::int64_t queries = a.index_heads * a.index_dim;
  add_attention(queries, a.q_lora_rank > 0 ? a.q_lora_rank : deployment_->model.hidden);
  add_attention(a.index_dim + a.index_heads, deployment_->model.hidden);
  // Queries and keys together: rotary embedding; each: Hadamard transform, quantisation; keys: norm
  // and cache write; weights: scaled by those of the quantised queries. Each reads and writes.
  attention_pass_elements_ +=
      static_cast<double>(2 * (3 * queries + 5 * a.index_dim + a.index_heads));
  attention_kernels_ += kIndexerPasses;
}

void LayerTokenCost::add_attention(std::int64_t n, std::int64_t k) {
  attention_gemms_.push_back({n, k, &deployment_->precision.attention});
}

void LayerTokenCost::list_grouped_query(const catalog::Attention& a) {
  const std::int64_t hidden = deployment_->model.hidden;
  const std::int64_t tp = deployment_->layout.tp;
  const std::int64_t heads = ceil_div(a.heads, tp);
  const std::int64_t query = heads * (a.head_dim + (a.output_gate ? a.v_head_dim : 0));
  // Keys and values of text tokens; cross-attention looks at image tokens cached once.
  const std::int64_t kv_heads =
      a.kind == catalog::AttentionKind::Cross ? 0 : std::max<std::int64_t>(1, a.kv_heads / tp);
  const std::int64_t kv = kv_heads * (a.head_dim + (a.shared_kv ? 0 : a.v_head_dim));
  if (a.q_lora_rank > 0) {
    add_attention(a.q_lora_rank + kv, hidden);
    add_attention(query, a.q_lora_rank);
  } else {
    add_attention(query + kv, hidden);
  }
  if (a.o_lora_rank > 0) {
    const std::int64_t groups = ceil_div(a.o_groups, tp);
    add_attention(groups * a.o_lora_rank, heads * a.v_head_dim / groups);
    add_attention(hidden, groups * a.o_lora_rank);
  } else {
    add_attention(hidden, heads * a.v_head_dim);
  }
  // Rotary embedding and cache write read and write queries, keys and values.
  attention_pass_elements_ += static_cast<double>(2 * (heads * a.head_dim + kv));
}

void LayerTokenCost::list_latent(const catalog::Attention& a) {
  const std::int64_t hidden = deployment_->model.hidden;
  const std::int64_t heads = ceil_div(a.heads, deployment_->layout.tp);
  const std::int64_t latent = a.kv_lora_rank + a.qk_rope_dim;
  if (a.q_lora_rank > 0) {
    add_attention(a.q_lora_rank + latent, hidden);
    add_attention(heads * a.head_dim, a.q_lora_rank);
  } else {
    add_attention(heads * a.head_dim + latent, hidden);
  }
  add_attention(heads * (a.qk_nope_dim + a.v_head_dim), a.kv_lora_rank);
  add_attention(hidden, heads * a.v_head_dim);
  attention_pass_elements_ += static_cast<double>(2 * (heads * a.qk_rope_dim + 2 * latent));
}

void LayerTokenCost::list_feed_forward(const catalog::FeedForward& block) {
  const std::int64_t hidden = deployment_->model.hidden;
  const std::int64_t tp = deployment_->layout.tp;
  const std::int64_t up = block.matrices - 1;  // gate and up run as one GEMM
  auto gated = [&](std::int64_t width, const catalog::WeightFormat& format, bool shared) {
    feed_forward_gemms_.push_back({up * width, hidden, &format, 0, shared});
    feed_forward_gemms_.push_back({hidden, width, &format, 0, shared});
    feed_forward_pass_elements_ += static_cast<double>((up + 1) * width);
    ++feed_forward_kernels_;
  };
  if (block.dense_intermediate == 0 && !block.is_moe()) return;  // a lone mixer
  feed_forward_pass_elements_ = static_cast<double>(4 * hidden);
  feed_forward_kernels_ = 1;
  if (block.dense_intermediate > 0) {
    gated(ceil_div(block.dense_intermediate, tp), deployment_->precision.dense_ffn, false);
  }
  if (!block.is_moe()) return;
  feed_forward_gemms_.push_back({block.routed_experts, hidden, &deployment_->precision.router});
  feed_forward_pass_elements_ += static_cast<double>(2 * block.routed_experts);  // top-k
  ++feed_forward_kernels_;
  if (block.expert_hidden > 0) {  // narrower experts stand between two projections
    feed_forward_gemms_.push_back(
        {block.expert_hidden, hidden, &deployment_->precision.shared_experts});
    feed_forward_gemms_.push_back(
        {hidden, block.expert_hidden, &deployment_->precision.shared_experts});
  }
  if (block.shared_experts > 0) {
    gated(ceil_div(block.shared_experts * block.shared_intermediate, tp),
          deployment_->precision.shared_experts, true);
  }
}

void LayerTokenCost::run(const std::vector<Gemm>& gemms, std::int64_t tokens,
                         LimitedTime& time) const {
  for (const Gemm& g : gemms) time.add(gemm_time(g, tokens));
}

operators::OperatorTime LayerTokenCost::time_beside(const Gemm& gemm, std::int64_t tokens,
                                                    const operators::OperatorTime& alone) const {
  const Deployment& d = *deployment_;
  if (tokens > d.engine.shared_expert_stream_tokens) return alone;
  const Bytes weights = static_cast<double>(gemm.n * gemm.k) * gemm.format->bytes_per_weight();
  const operators::OperatorTime reading =
      operators::memory_pass_time(weights, 0, d.cluster.gpu, d.efficiency.memory_pass);
  return reading.time < alone.time ? reading : alone;
}

const TokenTimes& LayerTokenCost::compute(std::int64_t tokens) {
  const auto i = static_cast<std::size_t>(tokens);
  if (i >= known_.size()) known_.resize(i + 1);
  if (tokens == 0) return known_[0];
  auto pass = [&](double elements, int kernels, LimitedTime& time) {
    if (kernels == 0) return;
    const Bytes bytes =
        elements * static_cast<double>(tokens) * deployment_->precision.activation_element;
    time.add(operators::memory_pass_time(bytes, kernels, deployment_->cluster.gpu,
                                         deployment_->efficiency.memory_pass));
  };
  TokenTimes times;
  times.known = true;
  run(attention_gemms_, tokens, times.attention);
  pass(attention_pass_elements_, attention_kernels_, times.attention);
  times.before_core = times.attention.sum();
  if (projects_last_) {
    times.before_core -= gemm_time(attention_gemms_.back(), tokens).time;
  }
  for (const Gemm& g : feed_forward_gemms_) {
    const operators::OperatorTime time = gemm_time(g, tokens);
    times.feed_forward.add(time);
    times.feed_forward_beside.add(g.shared ? time_beside(g, tokens, time) : time);
    if (g.shared) times.shared += time.time;
  }
  pass(feed_forward_pass_elements_, feed_forward_kernels_, times.feed_forward);
  pass(feed_forward_pass_elements_, feed_forward_kernels_, times.feed_forward_beside);
  known_[i] = times;
  return known_[i];
}

operators::OperatorTime HeadCost::embedding(std::int64_t tokens) const {
  if (tokens == 0) return {};
  const Bytes bytes = 2.0 * static_cast<double>(tokens * deployment_->model.hidden) *
                      deployment_->precision.activation_element;
  return operators::memory_pass_time(bytes, 1, deployment_->cluster.gpu,
                                     deployment_->efficiency.memory_pass);
}

const LimitedTime& HeadCost::head(std::int64_t rows) {
  const auto i = static_cast<std::size_t>(rows);
  if (i >= known_.size()) known_.resize(i + 1);
  if (rows == 0 || known_[i].sum() > Seconds{}) return known_[i];
  const Deployment& d = *deployment_;
  const std::int64_t vocabulary = ceil_div(d.model.vocabulary, d.layout.tp);
  const Bytes element = d.precision.activation_element;
  // Final norm, then sampling: the logits are written in fp32 and read once more.
  const Bytes passes =
      static_cast<double>(rows) * (static_cast<double>(4 * d.model.hidden) * element +
                                   static_cast<double>(vocabulary) * 8.0 * kByte);
  known_[i].add(timer_.time({.m = rows, .n = vocabulary, .k = d.model.hidden}));
  known_[i].add(operators::memory_pass_time(passes, 2, d.cluster.gpu, d.efficiency.memory_pass));
  return known_[i];
}

}  // namespace moesim::serving
