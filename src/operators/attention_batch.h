// What one layer's attention is asked to do on one rank: sums over the sequences of a step, and the
// heads that do it.
// Layer: operators.
#pragma once

#include <cstdint>

#include "catalog/model.h"

namespace moesim::operators {

/// Decode step of `sequences` sequences whose contexts, each through effective_context(), sum to
/// `context_tokens`. `queries` tokens of each look at its context together: the cache is read once.
struct DecodeBatch {
  std::int64_t sequences = 0;
  std::int64_t context_tokens = 0;
  /// Tokens of context that the layer's window hides, summed: kernels that visit them all the same
  /// lose time. 0: none, or not known.
  std::int64_t hidden_tokens = 0;
  /// Query tokens per sequence, at least 1: more than one verify drafts. Each counts as reading all
  /// of the context.
  std::int64_t queries = 1;
};

/// New tokens of prompts: `pairs` is the number of (query, key) pairs under the causal mask and the
/// layer's window: for one chunk of n tokens after p cached ones, n*p + n*(n+1)/2 without window.
struct PrefillBatch {
  std::int64_t new_tokens = 0;
  std::int64_t context_tokens =
      0;  ///< Keys read: sum over chunks of past + new (capped by the window).
  double pairs = 0;
};

/// Heads of one rank.
struct AttentionHeads {
  std::int64_t heads = 1;
  std::int64_t kv_heads = 1;
  std::int64_t head_dim = 128;    ///< Of queries and keys.
  std::int64_t v_head_dim = 128;  ///< Of values.
  bool shared_kv = false;         ///< The value is the key: one cache entry for both.
  std::int64_t window = 0;        ///< 0: none.

  /// Elements a query and its output, or a key and its value, have together per head.
  [[nodiscard]] double width() const { return static_cast<double>(head_dim + v_head_dim); }
  /// Elements of one cache entry.
  [[nodiscard]] double entry() const {
    return static_cast<double>(kv_heads * (shared_kv ? head_dim : head_dim + v_head_dim));
  }
};

/// Share of one of `tp` ranks; a key-value head is repeated once tp exceeds their number.
/// Precondition: a layer of Gqa or Cross kind.
[[nodiscard]] AttentionHeads attention_heads(const catalog::Attention& attention, std::int64_t tp);

}  // namespace moesim::operators
