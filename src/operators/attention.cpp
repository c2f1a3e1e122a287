#include "operators/attention.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "operators/roofline.h"

namespace moesim::operators {
namespace {

using catalog::Attention;
using catalog::AttentionKind;
using catalog::MathFormat;

/// Queries, outputs and expanded keys and values are bf16 whatever the cache holds.
constexpr Bytes kActivation = Bytes::from_base(2.0);
/// Tokens that share one pass over the state in the chunked scans of linear attention.
constexpr double kScanChunk = 64.0;

double shared(std::int64_t heads, std::int64_t tp) {
  const std::int64_t share = (heads + tp - 1) / tp;
  return static_cast<double>(share);
}

/// Sum of min(j, window) over j = 1..last.
double sliding_sum(double last, double window) {
  if (last <= window) return last * (last + 1.0) / 2.0;
  return window * (window + 1.0) / 2.0 + (last - window) * window;
}

/// Sum of ((j - 1) mod window) + 1 over j = 1..last.
double chunked_sum(std::int64_t last, std::int64_t window) {
  const std::int64_t chunks = last / window;
  const auto full = static_cast<double>(chunks);
  const auto rest = static_cast<double>(last % window);
  const auto w = static_cast<double>(window);
  return full * (w * (w + 1.0) / 2.0) + rest * (rest + 1.0) / 2.0;
}

}  // namespace

double causal_pairs(std::int64_t n, std::int64_t past, std::int64_t window, bool chunked) {
  MOESIM_CHECK(n >= 0 && past >= 0 && window >= 0, "counts of tokens are not negative");
  const auto last = static_cast<double>(past + n);
  if (window == 0) {
    return static_cast<double>(n) * (static_cast<double>(past) + last + 1.0) / 2.0;
  }
  if (chunked) return chunked_sum(past + n, window) - chunked_sum(past, window);
  const auto w = static_cast<double>(window);
  return sliding_sum(last, w) - sliding_sum(static_cast<double>(past), w);
}

AttentionTimer::AttentionTimer(const Attention& attention, std::int64_t tp, Bytes kv_element,
                               const catalog::Gpu& gpu, const Efficiency& prefill,
                               const Efficiency& decode)
    : entries_per_token_(attention.cache_entries_per_token),
      window_(attention.window),
      sparse_top_k_(attention.sparse_top_k),
      chunked_(attention.chunked) {
  MOESIM_CHECK(tp >= 1, "a tensor-parallel degree is below 1");
  decode_.launch = decode.launch;
  prefill_.launch = prefill.launch;
  if (attention.kind == AttentionKind::Linear) {
    cached_ = false;
    idle_ = attention.state_bytes == 0;
    if (!idle_) set_linear(attention, tp, gpu, prefill, decode);
  } else {
    cached_ = attention.kind != AttentionKind::Cross;
    set_softmax(attention, tp, kv_element, gpu, prefill, decode);
  }
}

AttentionTimer::AttentionTimer(const Attention& attention, std::int64_t tp, Bytes kv_element,
                               const catalog::Gpu& gpu, const Efficiency& prefill,
                               const Efficiency& decode, const AttentionCurves& curves)
    : AttentionTimer(attention, tp, kv_element, gpu, prefill, decode) {
  MOESIM_CHECK(attention.kind == AttentionKind::Gqa, "curves are of grouped-query attention");
  prefill_curve_ = curves.prefill;
  decode_curve_ = curves.decode;
}

void AttentionTimer::set_softmax(const Attention& a, std::int64_t tp, Bytes kv_element,
                                 const catalog::Gpu& gpu, const Efficiency& prefill,
                                 const Efficiency& decode) {
  const bool mla = a.kind == AttentionKind::Mla;
  const double heads = shared(a.heads, tp);
  const auto key = static_cast<double>(a.head_dim);
  const auto value = static_cast<double>(a.v_head_dim > 0 ? a.v_head_dim : a.head_dim);
  const auto latent = static_cast<double>(a.kv_lora_rank);
  const auto rope = static_cast<double>(a.qk_rope_dim);

  // Elements of one cache entry, of its expanded form in prefill, and of query plus output.
  const double entry =
      mla ? latent + rope : shared(a.kv_heads, tp) * (key + (a.shared_kv ? 0.0 : value));
  const Bytes cached_entry = cached_ ? entry * kv_element : Bytes{};
  const Bytes prefill_entry = mla ? heads * (key + value) * kActivation : cached_entry;
  const double decode_query = mla ? heads * (2.0 * latent + rope) : heads * (key + value);
  const double prefill_query = heads * (key + value);

  const Flops expanded_pair = 2.0 * heads * (key + value) * kFlop;
  const Flops absorbed_pair = 2.0 * heads * (2.0 * latent + rope) * kFlop;

  const auto fill = [&](Roof& roof, const Efficiency& efficiency, Flops pair, Bytes entry_bytes,
                        double query_elements) {
    const FlopsPerSecond rate = usable_rate(gpu, MathFormat::Bf16, efficiency);
    const BytesPerSecond bandwidth = usable_bandwidth(gpu, efficiency);
    roof.compute_per_pair = pair / rate / kSecond;
    roof.memory_per_entry = entry_bytes / bandwidth / kSecond;
    roof.memory_per_token = (query_elements * kActivation + cached_entry) / bandwidth / kSecond;
  };
  fill(decode_, decode, mla ? absorbed_pair : expanded_pair, cached_entry, decode_query);
  fill(prefill_, prefill, expanded_pair, prefill_entry, prefill_query);
  decode_indexer_ = IndexerTimer(a, gpu, decode);
  prefill_indexer_ = IndexerTimer(a, gpu, prefill);
  sparse_prefill_per_pair_ =
      mla ? absorbed_pair / usable_rate(gpu, MathFormat::Bf16, prefill) / kSecond
          : prefill_.compute_per_pair;
}

void AttentionTimer::set_linear(const Attention& a, std::int64_t tp, const catalog::Gpu& gpu,
                                const Efficiency& prefill, const Efficiency& decode) {
  const double state = static_cast<double>(a.state_bytes) / static_cast<double>(tp);
  const Bytes read_and_write = 2.0 * state * kByte;
  // Update and query of a state of 4-byte elements: 4 flops each; as much again inside a chunk.
  decode_.memory_per_token = read_and_write / usable_bandwidth(gpu, decode) / kSecond;
  decode_.compute_per_token = state * kFlop / usable_rate(gpu, MathFormat::Bf16, decode) / kSecond;
  prefill_.memory_per_token =
      read_and_write / kScanChunk / usable_bandwidth(gpu, prefill) / kSecond;
  prefill_.compute_per_token =
      2.0 * state * kFlop / usable_rate(gpu, MathFormat::Bf16, prefill) / kSecond;
}

double AttentionTimer::select(double all, double queries) const {
  const bool compressed = entries_per_token_ < 1.0;
  const double far = all * entries_per_token_;
  const double recent =
      compressed && window_ > 0 ? std::min(all, queries * static_cast<double>(window_)) : 0.0;
  const double chosen =
      sparse_top_k_ > 0 ? std::min(far, queries * static_cast<double>(sparse_top_k_)) : far;
  return recent + chosen;
}

OperatorTime AttentionTimer::indexer(const DecodeBatch& batch) const {
  const double context = cached_ ? static_cast<double>(batch.context_tokens) : 0.0;
  const double scored = context * entries_per_token_;
  return decode_indexer_.time(static_cast<double>(batch.queries) * scored, scored);
}

OperatorTime AttentionTimer::indexer(const PrefillBatch& batch) const {
  const double pairs = cached_ ? batch.pairs : 0.0;
  return prefill_indexer_.time(pairs * entries_per_token_,
                               static_cast<double>(batch.context_tokens) * entries_per_token_);
}

DecodeBatch AttentionTimer::attended(const DecodeBatch& batch) const {
  DecodeBatch chosen = batch;
  chosen.context_tokens = std::llround(
      select(static_cast<double>(batch.context_tokens), static_cast<double>(batch.sequences)));
  return chosen;
}

double AttentionTimer::attended_pairs(const PrefillBatch& batch) const {
  if (sparse_top_k_ == 0) return batch.pairs;
  const double absorbed = select(batch.pairs, static_cast<double>(batch.new_tokens)) *
                          sparse_prefill_per_pair_ / prefill_.compute_per_pair;
  return std::min(batch.pairs, absorbed);
}

OperatorTime AttentionTimer::decode(const DecodeBatch& batch) const {
  MOESIM_DCHECK(batch.sequences >= 0 && batch.context_tokens >= 0, "counts are not negative");
  if (idle_ || batch.sequences == 0) return {};
  OperatorTime time = decode_core(batch);
  time.time += indexer(batch).time;
  return time;
}

OperatorTime AttentionTimer::decode_core(const DecodeBatch& batch) const {
  const auto each = static_cast<double>(batch.queries);
  const double queries = each * static_cast<double>(batch.sequences);
  // Queries of one sequence read the same entries, but each selects its own.
  const double context = cached_ ? static_cast<double>(batch.context_tokens) : 0.0;
  const double attended = select(context, queries);
  if (decode_curve_) {
    return decode_curve_->time({.sequences = batch.sequences,
                                .context_tokens = std::llround(attended),
                                .hidden_tokens = batch.hidden_tokens,
                                .queries = batch.queries});
  }
  const Roof& r = decode_;
  const double pairs = each > 1.0 ? select(each * context, queries) : attended;
  const double compute = pairs * r.compute_per_pair + queries * r.compute_per_token;
  const double memory = attended * r.memory_per_entry + queries * r.memory_per_token;
  return roofline(r.launch, compute * kSecond, memory * kSecond);
}

OperatorTime AttentionTimer::prefill(const PrefillBatch& batch) const {
  MOESIM_DCHECK(batch.new_tokens >= 0 && batch.context_tokens >= 0 && batch.pairs >= 0.0,
                "counts are not negative");
  if (idle_ || batch.new_tokens == 0) return {};
  OperatorTime time = prefill_core(batch);
  time.time += indexer(batch).time;
  return time;
}

OperatorTime AttentionTimer::prefill_core(const PrefillBatch& batch) const {
  const auto queries = static_cast<double>(batch.new_tokens);
  const double pairs = cached_ ? batch.pairs : 0.0;
  const double context = cached_ ? static_cast<double>(batch.context_tokens) : 0.0;
  const double attended = select(pairs, queries);
  if (prefill_curve_) {
    return prefill_curve_->time({.new_tokens = batch.new_tokens,
                                 .context_tokens = std::llround(context * entries_per_token_),
                                 .pairs = attended});
  }
  // With selection the engine may still attend to everything (short prompts): the cheaper form.
  const Roof& r = prefill_;
  double attention = attended * r.compute_per_pair;
  if (sparse_top_k_ > 0) {
    attention = std::min(pairs * r.compute_per_pair, attended * sparse_prefill_per_pair_);
  }
  const double compute = attention + queries * r.compute_per_token;
  const double memory =
      context * entries_per_token_ * r.memory_per_entry + queries * r.memory_per_token;
  return roofline(r.launch, compute * kSecond, memory * kSecond);
}

std::int64_t AttentionTimer::mask_window() const { return entries_per_token_ < 1.0 ? 0 : window_; }

std::int64_t AttentionTimer::effective_context(std::int64_t context) const {
  if (!cached_) return 0;
  return mask_window() > 0 ? std::min(context, window_) : context;
}

double AttentionTimer::pairs(std::int64_t n, std::int64_t past) const {
  return cached_ ? causal_pairs(n, past, mask_window(), chunked_) : 0.0;
}

}  // namespace moesim::operators
