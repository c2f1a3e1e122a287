#include "operators/roofline.h"

#include <algorithm>

#include "core/check.h"

namespace moesim::operators {

FlopsPerSecond usable_rate(const catalog::Gpu& gpu, catalog::MathFormat format,
                           const Efficiency& efficiency) {
  MOESIM_CHECK(efficiency.compute > 0.0 && efficiency.compute <= 1.0,
               "an efficiency is a share of the peak");
  const FlopsPerSecond peak = gpu.peak(format);
  MOESIM_CHECK(peak > FlopsPerSecond{}, "the GPU computes");
  const FlopsPerSecond rate = peak * efficiency.compute;
  // The ceiling that belongs to the unit which does the work (fp8 may have fallen back to bf16).
  const bool eight_bit = format == catalog::MathFormat::Fp8 && gpu.fp8 > FlopsPerSecond{};
  const bool sixteen_bit = peak == gpu.bf16;
  FlopsPerSecond ceiling;
  if (eight_bit) {
    ceiling = gpu.measured_fp8;
  } else if (sixteen_bit) {
    ceiling = gpu.measured_bf16;
  }
  return ceiling > FlopsPerSecond{} ? std::min(rate, ceiling) : rate;
}

BytesPerSecond usable_bandwidth(const catalog::Gpu& gpu, const Efficiency& efficiency) {
  MOESIM_CHECK(efficiency.memory > 0.0 && efficiency.memory <= 1.0,
               "an efficiency is a share of the peak");
  MOESIM_CHECK(gpu.memory_bandwidth > BytesPerSecond{}, "the GPU has memory");
  return gpu.memory_bandwidth * efficiency.memory;
}

}  // namespace moesim::operators
