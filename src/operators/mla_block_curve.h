// Time of a whole MLA block on one rank (projections, absorption, attention, output), fitted.
//
// Model:   t = base + rows * row + sum over matrix multiplies + attention.
//          Multiplies: smooth_max(bytes, flops) each, at one fitted share of the data-sheet rates
//          for all of them: down projections (not split by tensor parallelism), query up
//          projection, output projection; in decode the two batched multiplies that absorb the
//          key-value up projection (a memory share of their own), in prefill that projection over
//          all keys seen.
//          Attention: decode, bytes of the latents and flops in smooth_max (17 to 32 heads: a
//          second tile) plus a part that rises with length and saturates; prefill as in
//          mla_prefill_curve.h without its floor.
// Source:  measured blocks of DeepSeek-V3 in TensorRT-LLM with 1 to 128 heads; docs/models/mla.md.
// Omits:   norms, rotary embedding and cache write apart from `row` and `base`; the indexer of
//          sparse attention (give the pairs and tokens attended to).
// Layer:   operators.
#pragma once

#include <array>
#include <span>

#include "catalog/gpu.h"
#include "operators/attention_batch.h"
#include "operators/coefficient.h"
#include "operators/kernel_format.h"
#include "operators/mla_shape.h"
#include "operators/operator_time.h"

namespace moesim::operators {

class MlaBlockCurve {
 public:
  [[nodiscard]] static std::span<const CoefficientSpec> coefficients();
  /// `weights`: format of the projections; `cache`: of cached latents ("bf16", "fp8"). `values` in
  /// the order of coefficients(). Precondition: every side of the shape but q_lora_rank >= 1.
  MlaBlockCurve(const catalog::Gpu& gpu, const KernelFormat& weights, const KernelFormat& cache,
                const MlaShape& shape, std::span<const double> values);
  /// One token of each sequence, or several that look at the same cache. Pure; no sequence, no
  /// time. Rises with the length of the sequences and with sequences of equal length; never below
  /// bytes or flops at the data-sheet rates.
  [[nodiscard]] OperatorTime decode(const DecodeBatch& batch) const;
  /// The part of it until the attention core may start: down projections, query up projection,
  /// absorption into queries, half of what is fixed. Less than decode().
  [[nodiscard]] Seconds decode_before_core(const DecodeBatch& batch) const;
  /// The same for chunks of prompts; rises with new tokens, pairs and context tokens as well.
  [[nodiscard]] OperatorTime prefill(const MlaPrefillBatch& batch) const;

 private:
  /// Microseconds of one multiply: memory = fixed + rows * memory_row, flops = rows * compute_row.
  struct Multiply {
    double fixed = 0;
    double memory_row = 0;
    double compute_row = 0;
  };
  /// What was added up, and what of it each roof alone would take.
  struct Sum {
    double time = 0;
    double memory = 0;
    double compute = 0;
    void add(const Multiply& multiply, double rows);
  };
  static constexpr std::size_t kShared = 3;
  static constexpr std::size_t kAbsorbing = 2;

  void fold_multiplies(const catalog::Gpu& gpu, const KernelFormat& weights, const MlaShape& shape,
                       std::span<const double> values);

  std::array<Multiply, kShared> shared_{};
  std::array<Multiply, kAbsorbing> absorbing_{};
  Multiply expanding_;
  double heads_ = 0;
  // Microseconds.
  double decode_base_ = 0;
  double decode_row_ = 0;
  double decode_entry_memory_ = 0;
  double decode_query_memory_ = 0;
  double decode_entry_compute_ = 0;
  double decode_serial_ = 0;
  double decode_serial_token_ = 0;
  double prefill_base_ = 0;
  double prefill_row_ = 0;
  double prefill_pair_ = 0;
  double prefill_token_memory_ = 0;
  double prefill_sequence_ = 0;
  double prefill_serial_token_ = 0;
  double prefill_serial_share_ = 0;
};

}  // namespace moesim::operators
