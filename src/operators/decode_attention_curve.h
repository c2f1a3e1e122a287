// Time of the decode attention kernel of GQA and MHA layers, fitted to measurements.
//
// Model:   t = launch + S(L, S(S(memory, blocks), arithmetic)) + hidden, S = smooth_max.h:
//          memory of the cache read (near_far_memory.h) and of queries and outputs; blocks: one per
//          sequence and key-value head, at a fixed cost over the SMs; arithmetic 2 h (d + v) flops
//          per key over peak; L: a sequence's own length, until splitting it stops the growth;
//          hidden: keys outside the window that the kernel visits all the same.
// Source:  fitted to timed kernels; split-KV decoding: Dao et al., "Flash-Decoding", 2023.
// Omits:   unequal lengths in one batch (only their mean counts), choice of split by heuristics.
//          Coefficients and errors: docs/models/attention.md.
// Layer:   operators.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "catalog/gpu.h"
#include "catalog/precision.h"
#include "core/units.h"
#include "operators/attention_batch.h"
#include "operators/coefficient.h"
#include "operators/near_far_memory.h"
#include "operators/operator_time.h"

namespace moesim::operators {

class DecodeAttentionCurve {
 public:
  [[nodiscard]] static std::span<const CoefficientSpec> coefficients();
  /// Name of the kernel that `engine` runs for such heads: "d64", "d128", "d192", "d256" by the
  /// nearest measured head width; TensorRT-LLM runs others, one block per query head, for one query
  /// head per key-value head ("mha") and for more than 32 ("wide").
  [[nodiscard]] static std::string variant(std::string_view engine, const AttentionHeads& heads);

  /// `values` in the order of coefficients(), within their bounds, of a curve of `kernel` (a name
  /// as variant() gives); `math`: of scores and values.
  DecodeAttentionCurve(const catalog::Gpu& gpu, const AttentionHeads& heads, Bytes kv_element,
                       catalog::MathFormat math, std::string_view kernel,
                       std::span<const double> values);
  /// Pure; never below the data sheet's roofs; rises with contexts and with sequences as long as
  /// the others (a shorter one lowers the mean length, which counts where kernels do not split).
  [[nodiscard]] OperatorTime time(const DecodeBatch& batch) const;

 private:
  // Seconds, or seconds per unit, unless named otherwise.
  double launch_ = 0;
  double per_serial_token_ = 0;
  double per_split_token_ = 0;  ///< 1 / tokens.
  NearFarMemory memory_;
  double entry_bytes_ = 0;
  double per_query_ = 0;
  double per_block_ = 0;  ///< Of one sequence.
  double per_key_ = 0;
  double serial_ = 0;  ///< Number in 0..1.
  double serial_latency_ = 0;
  double per_hidden_token_ = 0;
  double most_hidden_ = 0;
  double roof_per_key_ = 0;
  double roof_per_entry_ = 0;
};

}  // namespace moesim::operators
