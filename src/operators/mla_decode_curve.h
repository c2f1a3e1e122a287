// Time of the MLA decode kernel alone (absorbed: one latent shared by all heads), fitted.
//
// Model:   t = floor + smooth_max(w, smooth_max(c, x)): w = sequences * sequence (1 + heads /
//          sequence_heads), the work blocks every sequence needs; c = what one sequence cannot
//          split, rising with its length and saturating; x = smooth_max(bytes, flops) at fitted
//          shares of the data-sheet rates. A cache that stays in L2 is read faster;
//          17 to 32 heads take two tiles, the second at a fitted share of the first.
// Source:  measured kernels of TensorRT-LLM and SGLang; docs/models/mla.md.
// Omits:   unequal lengths (the mean stands for all); kernels that change at some head count.
// Layer:   operators.
#pragma once

#include <span>

#include "catalog/gpu.h"
#include "operators/attention_batch.h"
#include "operators/coefficient.h"
#include "operators/kernel_format.h"
#include "operators/mla_shape.h"
#include "operators/operator_time.h"

namespace moesim::operators {

class MlaDecodeCurve {
 public:
  [[nodiscard]] static std::span<const CoefficientSpec> coefficients();
  /// `cache`: the format of cached latents ("bf16", "fp8"), in which scores are computed as well.
  /// `values` in the order of coefficients().
  MlaDecodeCurve(const catalog::Gpu& gpu, const KernelFormat& cache, const MlaShape& shape,
                 std::span<const double> values);
  /// Pure; no sequence, no time. Rises with the length of the sequences, with sequences of equal
  /// length and with heads (but from 32 to 33, see MlaShape::second_tile()); never below bytes or
  /// flops at the data-sheet rates.
  [[nodiscard]] OperatorTime time(const DecodeBatch& batch) const;

 private:
  // Microseconds, per cached token or per sequence.
  double floor_ = 0;
  double sequence_ = 0;
  double entry_bytes_ = 0;  ///< At the data-sheet rate.
  double query_bytes_ = 0;
  double entry_flops_ = 0;
  double inverse_memory_ = 1;  ///< 1 / share of the rate.
  double inverse_compute_ = 1;
  double resident_ = 0;          ///< Share of the memory time saved in L2.
  double inverse_resident_ = 0;  ///< 1 / time of reading as much as fits, at the data-sheet rate.
  double serial_ = 0;
  double serial_token_ = 0;
  double serial_share_ = 0;
};

}  // namespace moesim::operators
