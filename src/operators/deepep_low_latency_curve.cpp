#include "operators/deepep_low_latency_curve.h"

#include <algorithm>

#include "core/check.h"
#include "core/math.h"
#include "operators/overlap.h"

namespace moesim::operators {
namespace {

using namespace moesim::literals;

enum Coefficient : std::size_t {
  kBase,
  kExperts,
  kHidden,
  kNetwork,
  kToken,
  kTokenHidden,
  kScaleUp,
  kNic,
  kOverlap,
};

constexpr std::array<CoefficientSpec, 9> kSpecs{{
    {"base_us", 8.0, 1.0, 40.0},
    {"experts_256_us", 3.0, 0.0, 15.0},
    {"hidden_1024_us", 0.2, 0.0, 2.0},
    {"network_us", 9.0, 2.0, 30.0},
    {"token_us", 1.0, 0.0, 10.0},
    {"token_hidden_1024_us", 0.1, 0.0, 1.0},
    {"scale_up_efficiency", 0.6, 0.1, 1.0},
    {"network_efficiency", 0.9, 0.3, 1.0},
    {"overlap", 0.3, 0.0, 1.0},
}};

/// Thread blocks a GPU runs at once: the multiprocessors of H100.
constexpr std::int64_t kBlocks = 132;

}  // namespace

Bytes low_latency_dispatch_copy(std::int64_t hidden) {
  const auto h = static_cast<double>(hidden);
  return (h + h / 128.0 * 4.0 + 16.0) * kByte;
}

Bytes low_latency_combine_copy(std::int64_t hidden) {
  return 2.0 * static_cast<double>(hidden) * kByte;
}

std::span<const CoefficientSpec> DeepEpLowLatencyCurve::coefficients() { return kSpecs; }

DeepEpLowLatencyCurve::DeepEpLowLatencyCurve(std::span<const double> values) {
  static_assert(kSpecs.size() == kCount);
  MOESIM_CHECK(values.size() == kCount, "a curve has all its coefficients");
  std::copy(values.begin(), values.end(), values_.begin());
}

Seconds DeepEpLowLatencyCurve::time(const LowLatencyShape& shape) const {
  const auto& v = values_;
  const std::int64_t groups = (shape.experts + kBlocks - 1) / kBlocks;
  const auto blocks = static_cast<double>((shape.experts + groups - 1) / groups);
  const double hidden = static_cast<double>(shape.hidden) / 1024.0;
  double floor =
      v[kBase] + v[kExperts] * static_cast<double>(shape.experts) / 256.0 + v[kHidden] * hidden;
  if (shape.nodes > 1) {
    constexpr double kLog2 = 0.693147180559945309417;
    floor += v[kNetwork] * (1.0 + 0.25 / kLog2 * math::log(static_cast<double>(shape.nodes)));
  }
  const double work = shape.tokens / blocks * (v[kToken] + v[kTokenHidden] * hidden) +
                      std::max(shape.scale_up / 1_us / v[kScaleUp], shape.network / 1_us / v[kNic]);
  return overlapped(floor, work, v[kOverlap]) * 1_us;
}

}  // namespace moesim::operators
