// What multi-head latent attention (MLA) of one layer is on one rank, and the batches it works on.
//
// Source: DeepSeek-V2, arXiv 2405.04434, section 2.1; docs/models/mla.md.
// Layer:  operators.
#pragma once

#include <cstdint>

#include "catalog/model.h"
#include "operators/operator_time.h"

namespace moesim::operators {

/// Sides of the block's matrices; `heads` are those of this rank.
struct MlaShape {
  std::int64_t hidden = 0;
  std::int64_t heads = 0;
  std::int64_t q_lora_rank = 0;  ///< 0: queries are projected directly.
  std::int64_t kv_lora_rank = 0;
  std::int64_t qk_nope_dim = 0;
  std::int64_t qk_rope_dim = 0;
  std::int64_t v_head_dim = 0;

  /// Precondition: a layer of AttentionKind::Mla; tp >= 1.
  [[nodiscard]] static MlaShape of(const catalog::Attention& a, std::int64_t hidden,
                                   std::int64_t tp) {
    return {.hidden = hidden,
            .heads = (a.heads + tp - 1) / tp,
            .q_lora_rank = a.q_lora_rank,
            .kv_lora_rank = a.kv_lora_rank,
            .qk_nope_dim = a.qk_nope_dim,
            .qk_rope_dim = a.qk_rope_dim,
            .v_head_dim = a.v_head_dim};
  }
  /// Absorbed decode kernels come in tiles of 16 heads and of 64: 17 to 32 heads take two of the
  /// small ones, and what is cached passes twice.
  [[nodiscard]] bool second_tile() const { return heads > 16 && heads <= 32; }
  /// Elements of a cached token: latent and rope key.
  [[nodiscard]] double latent() const { return static_cast<double>(kv_lora_rank + qk_rope_dim); }
  /// Multiplications per (query, key) pair and head, absorbed: scores and values in the latent.
  [[nodiscard]] double absorbed() const {
    return static_cast<double>(2 * kv_lora_rank + qk_rope_dim);
  }
  /// The same expanded: width of a query and of a value.
  [[nodiscard]] double expanded() const {
    return static_cast<double>(qk_nope_dim + qk_rope_dim + v_head_dim);
  }
};

/// Chunks of prompts: `sequences` of them; new tokens, keys seen (past and new) and causal (query,
/// key) pairs are their sums.
struct MlaPrefillBatch {
  std::int64_t sequences = 0;
  std::int64_t new_tokens = 0;
  std::int64_t context_tokens = 0;
  double pairs = 0;
};

/// Which of three parts of a time is the largest.
[[nodiscard]] inline Bound larger_part(double launch, double compute, double memory) {
  if (launch > compute && launch > memory) return Bound::Launch;
  return compute > memory ? Bound::Compute : Bound::Memory;
}

}  // namespace moesim::operators
