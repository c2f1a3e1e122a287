#include "operators/nvlink_all_to_all_curve.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/math.h"
#include "operators/overlap.h"

namespace moesim::operators {
namespace {

using namespace moesim::literals;

enum Coefficient : std::size_t { kBase, kStep, kMemory, kToken, kLink, kOverlap };

constexpr std::array<CoefficientSpec, 6> kSpecs{{
    {"base_us", 11.0, 1.0, 40.0},
    {"step_us", 1.0, 0.0, 6.0},
    {"memory_passes", 4.0, 0.1, 50.0},
    {"token_us", 0.005, 0.0, 0.1},
    {"link_efficiency", 0.65, 0.05, 1.0},
    {"overlap", 0.25, 0.0, 1.0},
}};

}  // namespace

std::span<const CoefficientSpec> NvlinkAllToAllCurve::coefficients() { return kSpecs; }

NvlinkAllToAllCurve::NvlinkAllToAllCurve(BytesPerSecond memory, std::span<const double> values)
    : memory_(memory) {
  static_assert(kSpecs.size() == kCount);
  MOESIM_CHECK(values.size() == kCount, "a curve has all its coefficients");
  std::copy(values.begin(), values.end(), values_.begin());
}

Seconds NvlinkAllToAllCurve::time(const NvlinkExchangeShape& shape) const {
  const auto& v = values_;
  constexpr double kLog2 = 0.693147180559945309417;
  const double floor = v[kBase] + v[kStep] / kLog2 * math::log(static_cast<double>(shape.ranks));
  const double row = static_cast<double>(shape.top_k) * (shape.copy / memory_) / 1_us;
  const double memory = shape.tokens * (v[kToken] + row * v[kMemory]);
  const double link = shape.link / 1_us / v[kLink];
  const double most = std::max(memory, link);
  if (most == 0.0) return floor * 1_us;
  const double ratio = std::min(memory, link) / most;
  return overlapped(floor, most * std::sqrt(1.0 + ratio * ratio), v[kOverlap]) * 1_us;
}

}  // namespace moesim::operators
