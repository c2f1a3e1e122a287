// Time of the MLA prefill kernel alone (not absorbed: keys and values of every head), fitted.
//
// Model:   t = floor + smooth_max(serial_token * length, flops + bytes + heads * sequences * tile +
//          new tokens * token): the last queries of one sequence walk its keys one tile after the
//          other; flops and bytes at fitted shares of the data-sheet rates; a tile that a short
//          sequence does not fill costs as much as a full one.
// Source:  measured kernels of TensorRT-LLM and SGLang; docs/models/mla.md.
// Omits:   unequal lengths: the mean length stands for all.
// Layer:   operators.
#pragma once

#include <span>

#include "catalog/gpu.h"
#include "operators/coefficient.h"
#include "operators/kernel_format.h"
#include "operators/mla_shape.h"
#include "operators/operator_time.h"

namespace moesim::operators {

class MlaPrefillCurve {
 public:
  [[nodiscard]] static std::span<const CoefficientSpec> coefficients();
  /// `cache`: the format of cached latents ("bf16", "fp8"). `values` in the order of
  /// coefficients().
  MlaPrefillCurve(const catalog::Gpu& gpu, const KernelFormat& cache, const MlaShape& shape,
                  std::span<const double> values);
  /// Pure; no token, no time. Rises with new tokens, context tokens, pairs, heads and with
  /// sequences of equal length; never below flops or bytes at the data-sheet rates.
  [[nodiscard]] OperatorTime time(const MlaPrefillBatch& batch) const;

 private:
  // Microseconds.
  double floor_ = 0;
  double pair_ = 0;
  double new_bytes_ = 0;
  double context_bytes_ = 0;
  double new_token_ = 0;
  double sequence_ = 0;
  double serial_token_ = 0;
  double serial_share_ = 0;
};

}  // namespace moesim::operators
