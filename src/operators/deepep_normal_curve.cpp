#include "operators/deepep_normal_curve.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/math.h"

namespace moesim::operators {
namespace {

using namespace moesim::literals;

enum Coefficient : std::size_t {
  kBase,
  kHidden,
  kPicks,
  kNetworkFloor,
  kRow,
  kRate,
  kToken,
  kHandOn,
  kScaleUp,
  kNic,
  kIncast,
  kIncastExponent,
};

constexpr std::array<CoefficientSpec, 12> kSpecs{{
    {"base_us", 26.0, 5.0, 80.0},
    {"hidden_1024_us", 1.0, 0.0, 10.0},
    {"picks_8_us", 0.5, 0.0, 8.0},
    {"network_us", 5.0, 0.0, 40.0},
    {"row_us", 0.08, 0.0, 2.0},
    {"copy_gb_s", 30.0, 2.0, 200.0},
    {"token_us", 0.4, 0.0, 2.0},
    {"hand_on", 1.8, 0.5, 5.0},
    {"scale_up_efficiency", 0.75, 0.1, 1.0},
    {"network_efficiency", 0.95, 0.4, 1.0},
    {"incast", 0.8, 0.0, 3.0},
    {"incast_exponent", 2.0, 1.0, 3.0},
}};

double fourth_power(double x) { return x * x * (x * x); }

}  // namespace

Bytes normal_dispatch_copy(std::int64_t hidden, std::int64_t top_k) {
  const auto h = static_cast<double>(hidden);
  return (h + h / 128.0 * 4.0 + 8.0 * static_cast<double>(top_k)) * kByte;
}

Bytes normal_combine_copy(std::int64_t hidden, std::int64_t top_k) {
  return (2.0 * static_cast<double>(hidden) + 4.0 * static_cast<double>(top_k)) * kByte;
}

Seconds normal_notify(std::int64_t nodes) {
  if (nodes <= 1) return {};
  return (16.0 + 8.7 * static_cast<double>(nodes)) * 1_us;
}

std::span<const CoefficientSpec> DeepEpNormalCurve::coefficients() { return kSpecs; }

DeepEpNormalCurve::DeepEpNormalCurve(std::span<const double> values) {
  static_assert(kSpecs.size() == kCount);
  MOESIM_CHECK(values.size() == kCount, "a curve has all its coefficients");
  std::copy(values.begin(), values.end(), values_.begin());
}

Seconds DeepEpNormalCurve::time(const NormalExchangeShape& shape) const {
  const auto& v = values_;
  const auto nodes = static_cast<double>(shape.nodes);
  double floor = v[kBase] + v[kHidden] * static_cast<double>(shape.hidden) / 1024.0 +
                 v[kPicks] * static_cast<double>(shape.top_k) / 8.0;
  const double row = v[kRow] + shape.copy / kByte / (v[kRate] * 1e3);
  double copying = (shape.copies * row + shape.tokens * v[kToken]) / static_cast<double>(shape.sms);
  double network = shape.network / 1_us / v[kNic];
  if (shape.nodes > 1) {
    constexpr double kLog2 = 0.693147180559945309417;
    floor += v[kNetworkFloor] / kLog2 * math::log(nodes);
    copying *= v[kHandOn];
  }
  if (shape.nodes > 2) {
    // From 0 at two nodes to `incast` at eight, the most that were measured; no more beyond.
    const double crowd = std::min((nodes - 2.0) / 6.0, 1.0);
    network *= 1.0 + v[kIncast] * math::pow(crowd, v[kIncastExponent]);
  }
  const double scale_up = shape.scale_up / 1_us / v[kScaleUp];
  const double most = std::max({copying, scale_up, network});
  if (most == 0.0) return floor * 1_us;
  const double sum =
      fourth_power(copying / most) + fourth_power(scale_up / most) + fourth_power(network / most);
  return (floor + most * std::sqrt(std::sqrt(sum))) * 1_us;
}

}  // namespace moesim::operators
