// Roofline time of one dense matrix multiply on one GPU.
//
// Model:   operator_time.h; flops = 2 m n k; bytes = weights n k in their format, activations m k
//          and m n in theirs.
// Omits:   tile and wave quantisation; measured error and its range are in docs/models/gemm.md.
// Layer:   operators.
#pragma once

#include <cstdint>

#include "catalog/gpu.h"
#include "catalog/precision.h"
#include "operators/operator_time.h"

namespace moesim::operators {

/// C[m,n] = A[m,k] * B[k,n], B the weights. Sides count elements; m may be 0 (takes no time).
struct GemmShape {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
};

/// Time of one GEMM whose operands start and end in device memory.
/// Pure. Monotone in each side and in both rates of the GPU.
[[nodiscard]] OperatorTime gemm_time(const GemmShape& shape, const catalog::WeightFormat& weights,
                                     Bytes activation_element, const catalog::Gpu& gpu,
                                     const Efficiency& efficiency);

}  // namespace moesim::operators
