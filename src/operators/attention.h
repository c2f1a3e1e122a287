// Attention over new tokens (prefill) and over the cache (decode), on one TP rank of one layer.
//
// Covers GQA/MHA, MLA (decode in absorbed form: every rank reads the latent), windows (sliding and
// chunked), sparse selection with its indexer, compressed caches and constant-state layers.
// Model:   operator_time.h with the flops and bytes of docs/models/attention.md; scores and values
//          are computed in bf16. Layers of GQA and MHA take fitted curves instead where they are
//          given (decode_attention_curve.h, prefill_attention_curve.h). The indexer comes on top.
// Omits:   image tokens of cross-attention; without curves: softmax arithmetic, split-KV
//          combination traffic, tile quantisation.
// Layer: operators.
#pragma once

#include <cstdint>
#include <optional>

#include "catalog/gpu.h"
#include "catalog/model.h"
#include "catalog/precision.h"
#include "operators/attention_batch.h"
#include "operators/attention_curves.h"
#include "operators/indexer.h"
#include "operators/operator_time.h"

namespace moesim::operators {

/// Pairs of a chunk of `n` tokens that follows `past` tokens, under `window` (0 = none), chunked or
/// sliding.
[[nodiscard]] double causal_pairs(std::int64_t n, std::int64_t past, std::int64_t window,
                                  bool chunked);

/// Attention core of one layer on one rank; projections (with the absorbing multiplications of MLA
/// and the expansion of the latent in prefill) are GEMMs and not included.
/// Built once per layer kind; both calls are O(1) and pure, monotone in every field of the batch.
/// A layer that mixes nothing (Linear without state) takes no time.
class AttentionTimer {
 public:
  AttentionTimer(const catalog::Attention& attention, std::int64_t tp, Bytes kv_element,
                 const catalog::Gpu& gpu, const Efficiency& prefill, const Efficiency& decode);
  /// The same on fitted curves, which replace the roofline of the phases they are given for.
  /// Precondition: a layer of Gqa kind; `curves` are of attention_heads(attention, tp).
  AttentionTimer(const catalog::Attention& attention, std::int64_t tp, Bytes kv_element,
                 const catalog::Gpu& gpu, const Efficiency& prefill, const Efficiency& decode,
                 const AttentionCurves& curves);
  [[nodiscard]] OperatorTime decode(const DecodeBatch& batch) const;
  [[nodiscard]] OperatorTime prefill(const PrefillBatch& batch) const;
  /// Tokens of context that count for one sequence in this layer: min(context, window), 0 for
  /// layers without a cache, all of it for compressed and sparse ones. Never falls as the context
  /// grows; for chunked windows it is the most a query of the chunk can see (mean: half of it).
  [[nodiscard]] std::int64_t effective_context(std::int64_t context) const;
  /// Window that causal_pairs() is to be given for this layer: 0 where compressed entries reach
  /// over the whole context.
  [[nodiscard]] std::int64_t mask_window() const;
  /// causal_pairs() of a chunk under this layer's mask; 0 for layers without a cache.
  [[nodiscard]] double pairs(std::int64_t n, std::int64_t past) const;

  /// For a core that is priced elsewhere (mla_block_curve.h): what of a batch is attended to, and
  /// what choosing it takes. Queries that verify drafts of one sequence choose alike.
  [[nodiscard]] DecodeBatch attended(const DecodeBatch& batch) const;
  /// Pairs of the expanded form that take as long as the cheaper of both forms: all of them
  /// expanded, or the chosen ones absorbed. Precondition: Mla kind.
  [[nodiscard]] double attended_pairs(const PrefillBatch& batch) const;
  [[nodiscard]] OperatorTime indexer(const DecodeBatch& batch) const;
  [[nodiscard]] OperatorTime indexer(const PrefillBatch& batch) const;

 private:
  /// Seconds per unit of work on both roofs.
  struct Roof {
    Seconds launch;
    double compute_per_pair = 0;   ///< (query, entry) pair attended to
    double compute_per_token = 0;  ///< query token (Linear)
    double memory_per_entry = 0;   ///< cache entry read
    double memory_per_token = 0;   ///< query token: query, output, what it adds to the cache
  };
  void set_softmax(const catalog::Attention& attention, std::int64_t tp, Bytes kv_element,
                   const catalog::Gpu& gpu, const Efficiency& prefill, const Efficiency& decode);
  void set_linear(const catalog::Attention& attention, std::int64_t tp, const catalog::Gpu& gpu,
                  const Efficiency& prefill, const Efficiency& decode);
  /// Entries (decode) or pairs (prefill) attended to, of `all`.
  [[nodiscard]] double select(double all, double queries) const;

  [[nodiscard]] OperatorTime decode_core(const DecodeBatch& batch) const;
  [[nodiscard]] OperatorTime prefill_core(const PrefillBatch& batch) const;

  Roof decode_;
  Roof prefill_;
  IndexerTimer decode_indexer_;
  IndexerTimer prefill_indexer_;
  std::optional<PrefillAttentionCurve> prefill_curve_;
  std::optional<DecodeAttentionCurve> decode_curve_;
  double sparse_prefill_per_pair_ = 0;  ///< MLA with selection: compute of the absorbed form.
  double entries_per_token_ = 1;
  std::int64_t window_ = 0;
  std::int64_t sparse_top_k_ = 0;
  bool chunked_ = false;
  bool cached_ = true;  ///< Softmax attention over text tokens.
  bool idle_ = false;
};

}  // namespace moesim::operators
