// Attention over new tokens (prefill) and over the cache (decode), on one TP rank of one layer.
//
// Covers GQA/MHA, MLA (decode in absorbed form: every rank reads the latent), windows (sliding and
// chunked), sparse selection and constant-state layers. Formula: docs/models/attention.md.
// Layer: operators.
#pragma once

#include <cstdint>

#include "catalog/gpu.h"
#include "catalog/model.h"
#include "catalog/precision.h"
#include "operators/operator_time.h"

namespace moesim::operators {

/// Decode step of `sequences` sequences whose contexts (capped at the layer's window where there
/// is one) sum to `context_tokens`. One query token per sequence.
struct DecodeBatch {
  std::int64_t sequences = 0;
  std::int64_t context_tokens = 0;
};

/// New tokens of prompts: `pairs` is the number of (query, key) pairs under the causal mask and the
/// layer's window: for one chunk of n tokens after p cached ones, n*p + n*(n+1)/2 without window.
struct PrefillBatch {
  std::int64_t new_tokens = 0;
  std::int64_t context_tokens =
      0;  ///< Keys read: sum over chunks of past + new (capped by the window).
  double pairs = 0;
};

/// Pairs of a chunk of `n` tokens that follows `past` tokens, under `window` (0 = none), chunked or
/// sliding.
[[nodiscard]] double causal_pairs(std::int64_t n, std::int64_t past, std::int64_t window,
                                  bool chunked);

/// Attention core of one layer on one rank; projections are GEMMs and not included.
/// Built once per layer kind; both calls are O(1) and pure, monotone in every field of the batch.
class AttentionTimer {
 public:
  AttentionTimer(const catalog::Attention& attention, std::int64_t tp, Bytes kv_element,
                 const catalog::Gpu& gpu, const Efficiency& prefill, const Efficiency& decode);
  [[nodiscard]] OperatorTime decode(const DecodeBatch& batch) const;
  [[nodiscard]] OperatorTime prefill(const PrefillBatch& batch) const;
  /// Tokens of context that count for one sequence in this layer: min(context, window).
  [[nodiscard]] std::int64_t effective_context(std::int64_t context) const;

 private:
  struct Roof {
    Seconds launch;
    double seconds_per_pair = 0;      ///< compute roof
    double seconds_per_context = 0;   ///< memory roof, per cached token read
    double seconds_per_token = 0;     ///< memory roof, per query token
    double seconds_per_sequence = 0;  ///< memory roof, constant state
  };
  Roof decode_;
  Roof prefill_;
  std::int64_t window_ = 0;
  bool chunked_ = false;
  std::int64_t sparse_top_k_ = 0;
};

}  // namespace moesim::operators
