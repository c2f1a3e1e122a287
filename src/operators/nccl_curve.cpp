#include "operators/nccl_curve.h"

#include <algorithm>

#include "core/check.h"
#include "core/math.h"

namespace moesim::operators {
namespace {

using namespace moesim::literals;

enum Coefficient : std::size_t {
  kBase,
  kStep,
  kExchangeBase,
  kExchangePeer,
  kExchangeLate,
  kExchangeLateBytes,
  kRamp,
  kExponent,
  kGather,
  kGatherFew,
  kReduce,
  kReduceFew,
  kExchange,
  kExchangeFew,
  kSharing,
  kSwitch,
};

constexpr std::array<CoefficientSpec, 16> kSpecs{{
    {"base_us", 6.0, 1.0, 30.0},
    {"step_us", 1.0, 0.2, 3.0},
    {"exchange_base_us", 8.0, 1.0, 30.0},
    {"exchange_peer_us", 0.3, 0.0, 2.0},
    {"exchange_late_us", 4.0, 0.0, 10.0},
    {"exchange_late_bytes", 2e4, 1e3, 1e6},
    {"ramp_bytes", 3e6, 1e3, 3e7},
    {"ramp_exponent", 0.45, 0.2, 0.8},
    {"gather_efficiency", 0.9, 0.05, 1.0},
    {"gather_few", 0.6, 0.0, 0.9},
    {"reduce_efficiency", 0.9, 0.05, 1.0},
    {"reduce_few", 0.4, 0.0, 0.9},
    {"exchange_efficiency", 0.85, 0.05, 1.0},
    {"exchange_few", 0.4, 0.0, 0.9},
    {"sharing_exponent", 2.0, 0.0, 2.5},
    {"switch_efficiency", 0.68, 0.3, 1.0},
}};

/// Fewer GPUs leave reduction in the switch to rings.
constexpr std::int64_t kFewestForSwitch = 5;

}  // namespace

ScaleUpLink scale_up_link(const catalog::Gpu& gpu) {
  return {.bandwidth = gpu.scale_up_bandwidth,
          .reduces = gpu.scale_up == catalog::ScaleUpKind::NvSwitch && gpu.architecture == "Hopper",
          .shared = gpu.scale_up == catalog::ScaleUpKind::Pcie};
}

Seconds RampedTime::time(Bytes bytes) const {
  const double b = bytes / kByte;
  double latency = latency_;
  if (late_latency_ > 0.0) {
    const double u = b / late_bytes_ * (b / late_bytes_);
    // Both protocols lie between their latencies; u may overflow to infinity.
    latency += late_latency_ * (1.0 - 1.0 / (1.0 + u));
  }
  const auto moved = [&](double wire, double seconds_per_byte) {
    // One byte more keeps the ramp finite for the smallest messages.
    const double w = wire * b;
    return w * seconds_per_byte * (1.0 + math::pow(ramp_ / (w + 1.0), exponent_));
  };
  double seconds = moved(ring_wire_, ring_seconds_per_byte_);
  if (switch_wire_ > 0.0) {
    seconds = std::min(seconds, moved(switch_wire_, switch_seconds_per_byte_));
  }
  return (latency + seconds) * kSecond;
}

std::span<const CoefficientSpec> NcclCurve::coefficients() { return kSpecs; }

NcclCurve::NcclCurve(const ScaleUpLink& link, std::span<const double> values) : link_(link) {
  static_assert(kSpecs.size() == kCount);
  MOESIM_CHECK(values.size() == kCount, "a curve has all its coefficients");
  std::copy(values.begin(), values.end(), values_.begin());
}

RampedTime NcclCurve::at(CollectiveOp op, std::int64_t gpus) const {
  MOESIM_CHECK(gpus >= 2, "a collective joins GPUs");
  const auto n = static_cast<double>(gpus);
  const bool reduce = op == CollectiveOp::AllReduce;
  const bool exchange = op == CollectiveOp::AllToAll;
  const double passes = reduce ? 2.0 : 1.0;
  RampedTime t;
  if (exchange) {
    t.latency_ = (values_[kExchangeBase] + values_[kExchangePeer] * (n - 1.0)) * 1e-6;
    t.late_latency_ = values_[kExchangeLate] * 1e-6;
    t.late_bytes_ = values_[kExchangeLateBytes] * n;
  } else {
    t.latency_ = (values_[kBase] + values_[kStep] * passes * (n - 1.0)) * 1e-6;
  }
  const std::size_t efficiency = reduce ? kReduce : exchange ? kExchange : kGather;
  const double rate = link_.bandwidth / 1_Bps;
  t.ring_wire_ = passes * (n - 1.0) / n;
  const double share = link_.shared ? math::pow(2.0 / n, values_[kSharing]) : 1.0;
  t.ring_seconds_per_byte_ =
      1.0 / (rate * share * values_[efficiency] * (1.0 - values_[efficiency + 1] / n));
  if (reduce && link_.reduces && gpus >= kFewestForSwitch) {
    t.switch_wire_ = 1.0 + 1.0 / n;
    t.switch_seconds_per_byte_ = 1.0 / (rate * values_[kSwitch]);
  }
  t.ramp_ = values_[kRamp];
  t.exponent_ = values_[kExponent];
  return t;
}

}  // namespace moesim::operators
