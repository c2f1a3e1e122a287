#include "cost/energy.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "operators/board_power.h"
#include "operators/coefficient.h"

namespace moesim::cost {
namespace {

struct Powers {
  Watts busy;
  Watts idle;
  bool estimate = false;
  double error = 0;
};

Powers powers(const catalog::Gpu& gpu, const catalog::CurveSet* curves, double compute,
              double memory) {
  if (curves != nullptr) {
    // Whatever the format: the runs in bf16 were the longest, the meter is slow.
    constexpr std::array<std::string_view, 1> kFormats = {"bf16"};
    const auto match = curves->find("power_gemm", gpu, kFormats, "trtllm");
    if (match) {
      const operators::BoardPower curve(
          gpu, operators::values_of(*match->curve, operators::BoardPower::coefficients()));
      const bool own = match->curve->key.gpu == gpu.name;
      return {curve.power(compute, memory), curve.idle(), !own,
              own ? match->curve->cross_validated.median : match->band.median};
    }
  }
  // Without a curve: the scatter of the curves that the middle was taken from.
  constexpr double kScatter = 0.25;
  return {operators::board_power(gpu, compute, memory), operators::board_power(gpu, 0.0, 0.0), true,
          kScatter};
}

}  // namespace

Energy energy(const catalog::Gpu& gpu, const catalog::WeightFormat& weights,
              const catalog::CurveSet* curves, const GpuActivity& activity, double gpus,
              double output_tokens_per_s, double hours_per_month, double dollars_per_kwh) {
  Energy e;
  if (gpu.tdp <= Watts{}) return e;
  e.known = true;
  const double busy = std::clamp(activity.busy, 0.0, 1.0);
  const auto while_busy = [&](double share) {
    return busy > 0.0 ? std::clamp(share / busy, 0.0, 1.0) : 0.0;
  };
  const Powers p = powers(
      gpu, curves, while_busy(activity.flops_per_s * kFlop / kSecond / gpu.peak(weights.math)),
      while_busy(activity.bytes_per_s * kByte / kSecond / gpu.memory_bandwidth));
  e.estimate = p.estimate;
  e.error = p.error;
  e.board = busy * p.busy + (1.0 - busy) * p.idle;
  e.facility = e.board + std::max(Watts{}, gpu.all_in_power - gpu.tdp);
  constexpr double kWattsPerKilowatt = 1000.0;
  e.all_gpus_kwh_per_month = e.facility / kWatt * gpus / kWattsPerKilowatt * hours_per_month;
  if (output_tokens_per_s > 0.0) {
    e.joules_per_output_token = e.facility / kWatt * gpus / output_tokens_per_s;
  }
  e.usd_per_month = e.all_gpus_kwh_per_month * dollars_per_kwh;
  return e;
}

}  // namespace moesim::cost
