// Time of one dense matrix multiply as measured: tiles, waves, split k, cache, quantisation.
//
// Model:   tiled_multiply.h with a batch of one. A narrow format's time includes quantising its
//          activations from 16 bit, as the engines do it.
// Source:  coefficients fitted per GPU, format and engine: scenarios/catalog/curves/gemm.txtpb;
//          formula, range and errors: docs/models/gemm.md.
// Omits:   what tiled_multiply.h omits.
// Layer:   operators.
#pragma once

#include <span>

#include "catalog/gpu.h"
#include "operators/coefficient.h"
#include "operators/gemm.h"
#include "operators/kernel_format.h"
#include "operators/tiled_multiply.h"

namespace moesim::operators {

class GemmCurve {
 public:
  [[nodiscard]] static std::span<const CoefficientSpec> coefficients();
  /// `values` in the order of coefficients(), within their bounds.
  GemmCurve(const catalog::Gpu& gpu, const KernelFormat& format, std::span<const double> values);
  /// Never below the data-sheet bound; monotone in each side; an empty side takes no time.
  [[nodiscard]] OperatorTime time(const GemmShape& shape) const;
  [[nodiscard]] Seconds data_sheet_bound(const GemmShape& shape) const;

 private:
  TiledMultiply multiply_;
};

}  // namespace moesim::operators
