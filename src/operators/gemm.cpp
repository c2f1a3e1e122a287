#include "operators/gemm.h"

#include "core/check.h"
#include "operators/roofline.h"

namespace moesim::operators {

OperatorTime gemm_time(const GemmShape& shape, const catalog::WeightFormat& weights,
                       Bytes activation_element, const catalog::Gpu& gpu,
                       const Efficiency& efficiency) {
  MOESIM_CHECK(shape.m >= 0 && shape.n >= 0 && shape.k >= 0, "a matrix has no negative side");
  if (shape.m == 0 || shape.n == 0 || shape.k == 0) return {};
  const auto m = static_cast<double>(shape.m);
  const auto n = static_cast<double>(shape.n);
  const auto k = static_cast<double>(shape.k);
  const Flops flops = 2.0 * m * n * k * kFlop;
  const Bytes bytes = n * k * weights.bytes_per_weight() + (m * k + m * n) * activation_element;
  return roofline(efficiency.launch, flops / usable_rate(gpu, weights.math, efficiency),
                  bytes / usable_bandwidth(gpu, efficiency));
}

}  // namespace moesim::operators
