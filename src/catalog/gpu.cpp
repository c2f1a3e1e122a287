#include "catalog/gpu.h"

namespace moesim::catalog {

FlopsPerSecond Gpu::peak(MathFormat format) const {
  const FlopsPerSecond none;
  switch (format) {
    case MathFormat::Fp4:
      return fp4 > none ? fp4 : peak(MathFormat::Fp8);
    case MathFormat::Fp8:
      return fp8 > none ? fp8 : peak(MathFormat::Bf16);
    case MathFormat::Int8:
      return int8 > none ? int8 : peak(MathFormat::Bf16);
    case MathFormat::Bf16:
      return bf16 > none ? bf16 : fp32;
    case MathFormat::Fp32:
      break;
  }
  return fp32;
}

}  // namespace moesim::catalog
