// Element-wise passes (norm, rotary embedding, residual, activation, quantise, sampling): bytes
// only.
//
// Layer: operators.
#pragma once

#include "catalog/gpu.h"
#include "operators/operator_time.h"

namespace moesim::operators {

/// `bytes`: sum of what is read and what is written, in `kernels` launches. No bytes, no time.
[[nodiscard]] OperatorTime memory_pass_time(Bytes bytes, int kernels, const catalog::Gpu& gpu,
                                            const Efficiency& efficiency);

}  // namespace moesim::operators
