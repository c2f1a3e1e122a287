// Time of the prefill attention kernel of GQA and MHA layers, fitted to measurements.
//
// Model:   t = launch + memory + S(work, L), S = smooth_max.h: memory of queries, outputs, keys and
//          values and of the new cache entries (near_far_memory.h: an engine's pass that rotates
//          and stores them is a kernel of its own); work = 2 h (d + v) flops per pair of query and
//          key, with a surcharge on pairs masked out in tiles on the diagonal, over peak, plus a
//          fixed cost per tile of 128 queries and head over the SMs; L: one tile passing over all
//          keys of its sequence.
// Source:  fitted to timed kernels; tiling: Dao, "FlashAttention-2", 2023.
// Omits:   unequal prompts in one batch (their mean counts, weighed by tokens).
//          Coefficients and errors: docs/models/attention.md.
// Layer:   operators.
#pragma once

#include <span>
#include <string>

#include "catalog/gpu.h"
#include "catalog/precision.h"
#include "core/units.h"
#include "operators/attention_batch.h"
#include "operators/coefficient.h"
#include "operators/near_far_memory.h"
#include "operators/operator_time.h"

namespace moesim::operators {

class PrefillAttentionCurve {
 public:
  [[nodiscard]] static std::span<const CoefficientSpec> coefficients();
  /// "d64", "d128", "d192", "d256" by the nearest measured head width, with "-window" behind it for
  /// windows below 4,096 tokens.
  [[nodiscard]] static std::string variant(const AttentionHeads& heads);

  /// `values` in the order of coefficients(), within their bounds; `math`: of scores and values.
  PrefillAttentionCurve(const catalog::Gpu& gpu, const AttentionHeads& heads, Bytes kv_element,
                        catalog::MathFormat math, std::span<const double> values);
  /// Pure; never below the data sheet's roofs; rises with the number and the length of prompts.
  [[nodiscard]] OperatorTime time(const PrefillBatch& batch) const;

 private:
  /// Chunks of the batch, were they all alike.
  [[nodiscard]] double chunks(double tokens, double keys, double pairs) const;

  // Seconds, or seconds per unit, unless named otherwise.
  double launch_ = 0;
  NearFarMemory memory_;
  double bytes_per_token_ = 0;
  double bytes_per_cached_ = 0;
  double per_pair_ = 0;
  double per_masked_pair_ = 0;
  double per_tile_ = 0;
  double per_key_ = 0;
  double serial_ = 0;
  double window_ = 0;        ///< Tokens.
  double hidden_share_ = 0;  ///< Number in 0..1.
  double roof_per_pair_ = 0;
  double roof_per_byte_ = 0;
};

}  // namespace moesim::operators
