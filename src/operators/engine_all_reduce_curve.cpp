#include "operators/engine_all_reduce_curve.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/math.h"

namespace moesim::operators {
namespace {

using namespace moesim::literals;

enum Coefficient : std::size_t {
  kBase,
  kRank,
  kSecondShot,
  kOneShot,
  kTwoShot,
  kLimit,
  kLibraryBase,
  kLibrary,
  kLibraryFew,
  kRamp,
  kExponent,
  kSwitch,
  kSharing,
};

constexpr std::array<CoefficientSpec, 13> kSpecs{{
    {"base_us", 3.0, 0.5, 30.0},
    {"rank_share", 0.04, 0.03, 0.12},
    {"second_shot_us", 6.0, 3.0, 35.0},
    {"one_shot_efficiency", 0.65, 0.4, 0.8},
    {"two_shot_efficiency", 0.8, 0.4, 0.95},
    {"limit_bytes", 1.5e7, 2e6, 1e8},
    {"library_base_us", 15.0, 5.0, 50.0},
    {"library_efficiency", 0.88, 0.75, 1.0},
    {"library_few", 0.33, 0.28, 0.38},
    {"ramp_bytes", 1e6, 1e5, 1e7},
    {"ramp_exponent", 0.42, 0.36, 0.48},
    {"switch_efficiency", 0.68, 0.6, 0.75},
    {"sharing_exponent", 1.2, 0.5, 2.5},
}};

constexpr std::int64_t kFewestForSwitch = 5;

/// x^8 by squaring.
double eighth_power(double x) {
  const double square = x * x;
  const double fourth = square * square;
  return fourth * fourth;
}

/// The smaller of two, a little less where they cross: (a^-8 + b^-8)^(-1/8).
double soft_min(double a, double b) {
  const double low = std::min(a, b);
  const double ratio = low / std::max(a, b);
  const double sum = 1.0 + eighth_power(ratio);
  return low / std::sqrt(std::sqrt(std::sqrt(sum)));
}

}  // namespace

Seconds EngineAllReduceTime::time(Bytes bytes) const {
  const double b = bytes / kByte;
  const double own =
      soft_min(one_shot_ + b * one_shot_per_byte_, two_shot_ + b * two_shot_per_byte_);
  const double over = eighth_power(std::min(b / limit_, 1e6));
  const double library = library_.time(bytes) / kSecond;
  return (own + over / (1.0 + over) * std::max(library - own, 0.0)) * kSecond;
}

std::span<const CoefficientSpec> EngineAllReduceCurve::coefficients() { return kSpecs; }

EngineAllReduceCurve::EngineAllReduceCurve(const ScaleUpLink& link, std::string_view engine,
                                           std::span<const double> values)
    : link_(link), limit_exponent_(engine == "trtllm" ? 1.7 : 0.0) {
  static_assert(kSpecs.size() == kCount);
  MOESIM_CHECK(values.size() == kCount, "a curve has all its coefficients");
  std::copy(values.begin(), values.end(), values_.begin());
}

EngineAllReduceTime EngineAllReduceCurve::at(std::int64_t gpus) const {
  MOESIM_CHECK(gpus >= 2, "an all-reduce joins GPUs");
  const auto n = static_cast<double>(gpus);
  double rate = link_.bandwidth / 1_Bps;
  double slower = 1e-6 * (1.0 + values_[kRank] * (n - 2.0));
  if (link_.shared) {
    // Crowding of the host tells on flags almost as much as on data.
    constexpr double kFlags = 0.6;
    rate *= math::pow(2.0 / n, values_[kSharing]);
    slower *= math::pow(n / 2.0, kFlags * values_[kSharing]);
  }
  const double ring = 2.0 * (n - 1.0) / n;
  EngineAllReduceTime t;
  t.one_shot_ = values_[kBase] * slower;
  t.one_shot_per_byte_ = (n - 1.0) / (rate * values_[kOneShot]);
  t.two_shot_ = (values_[kBase] + values_[kSecondShot]) * slower;
  t.two_shot_per_byte_ = ring / (rate * values_[kTwoShot]);
  t.limit_ = values_[kLimit] * math::pow(2.0 / n, limit_exponent_);
  t.library_.latency_ = values_[kLibraryBase] * slower;
  t.library_.ring_wire_ = ring;
  t.library_.ring_seconds_per_byte_ =
      1.0 / (rate * values_[kLibrary] * (1.0 - values_[kLibraryFew] / n));
  if (link_.reduces && gpus >= kFewestForSwitch) {
    t.library_.switch_wire_ = 1.0 + 1.0 / n;
    t.library_.switch_seconds_per_byte_ = 1.0 / (link_.bandwidth / 1_Bps * values_[kSwitch]);
  }
  t.library_.ramp_ = values_[kRamp];
  t.library_.exponent_ = values_[kExponent];
  return t;
}

}  // namespace moesim::operators
