// Time of a batch of equal matrix multiplies as measured, one per head: what absorbs the
// up-projections of multi-head latent attention in decode.
//
// Model:   tiled_multiply.h, never split along k. Absorbing the queries multiplies, per head,
//          [tokens, 128] by [128, 512]; absorbing the outputs [tokens, 512] by [512, 128]. A narrow
//          format's time includes quantising the activations.
// Source:  coefficients fitted per GPU, format and engine: scenarios/catalog/curves/mla_bmm.txtpb;
//          errors: docs/models/gemm.md.
// Omits:   what tiled_multiply.h omits.
// Layer:   operators.
#pragma once

#include <cstdint>
#include <span>

#include "catalog/gpu.h"
#include "operators/coefficient.h"
#include "operators/kernel_format.h"
#include "operators/tiled_multiply.h"

namespace moesim::operators {

/// `batch` multiplies C[m,n] = A[m,k] * B[k,n], each with weights of its own.
struct BatchedGemmShape {
  std::int64_t batch = 0;
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
};

class BatchedGemmCurve {
 public:
  [[nodiscard]] static std::span<const CoefficientSpec> coefficients();
  /// `values` in the order of coefficients(), within their bounds.
  BatchedGemmCurve(const catalog::Gpu& gpu, const KernelFormat& format,
                   std::span<const double> values);
  /// Never below the data-sheet bound; monotone in batch and sides; an empty side takes no time.
  [[nodiscard]] OperatorTime time(const BatchedGemmShape& shape) const;
  [[nodiscard]] Seconds data_sheet_bound(const BatchedGemmShape& shape) const;

 private:
  TiledMultiply multiply_;
};

}  // namespace moesim::operators
