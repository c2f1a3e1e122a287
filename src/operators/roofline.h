// Usable rates of a GPU and the larger of the two roofs; shared by the operators.
//
// A published best matrix multiply (MAMF) is a ceiling on the compute rate: no efficiency goes
// above it. Source: docs/models/operators.md.
// Layer: operators.
#pragma once

#include "catalog/gpu.h"
#include "catalog/precision.h"
#include "operators/operator_time.h"

namespace moesim::operators {

/// Rate of matrix arithmetic in `format`: peak times efficiency, not above the measured ceiling.
[[nodiscard]] FlopsPerSecond usable_rate(const catalog::Gpu& gpu, catalog::MathFormat format,
                                         const Efficiency& efficiency);

[[nodiscard]] BytesPerSecond usable_bandwidth(const catalog::Gpu& gpu,
                                              const Efficiency& efficiency);

/// launch + max(compute, memory).
[[nodiscard]] inline OperatorTime roofline(Seconds launch, Seconds compute, Seconds memory) {
  return compute >= memory ? OperatorTime{.time = launch + compute, .bound = Bound::Compute}
                           : OperatorTime{.time = launch + memory, .bound = Bound::Memory};
}

}  // namespace moesim::operators
