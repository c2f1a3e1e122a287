#include "operators/board_power.h"

#include <algorithm>
#include <array>

#include "core/check.h"
#include "core/math.h"

namespace moesim::operators {
namespace {

constexpr std::array<CoefficientSpec, 5> kSpecs = {{
    {.name = "idle", .start = 0.2, .lower = 0.05, .upper = 0.4},
    {.name = "ceiling", .start = 0.95, .lower = 0.5, .upper = 1.0},
    {.name = "compute", .start = 3.0, .lower = 1.0, .upper = 30.0},
    {.name = "memory", .start = 1.5, .lower = 0.8, .upper = 10.0},
    {.name = "sharpness", .start = 1.2, .lower = 0.5, .upper = 3.0},
}};

/// What the curves of all measured GPUs have in common (docs/models/power.md).
constexpr std::array<double, kSpecs.size()> kUsual = {0.2, 0.9, 2.5, 1.5, 1.5};

}  // namespace

std::span<const CoefficientSpec> BoardPower::coefficients() { return kSpecs; }

BoardPower::BoardPower(const catalog::Gpu& gpu, std::span<const double> values) {
  MOESIM_CHECK(values.size() == kSpecs.size(), "a power curve has all its coefficients");
  MOESIM_CHECK(gpu.tdp > Watts{}, "power needs a tdp");
  idle_ = gpu.tdp * values[0];
  dynamic_ = gpu.tdp * std::max(values[1] - values[0], 0.0);
  compute_ = values[2];
  memory_ = values[3];
  sharpness_ = values[4];
}

Watts BoardPower::power(double compute_utilisation, double memory_utilisation) const {
  const double activity = compute_ * std::clamp(compute_utilisation, 0.0, 1.0) +
                          memory_ * std::clamp(memory_utilisation, 0.0, 1.0);
  if (!(activity > 0.0)) return idle_;
  return idle_ + dynamic_ * (1.0 - math::exp(-math::pow(activity, sharpness_)));
}

Watts board_power(const catalog::Gpu& gpu, double compute_utilisation, double memory_utilisation) {
  if (!(gpu.tdp > Watts{})) return {};
  return BoardPower(gpu, kUsual).power(compute_utilisation, memory_utilisation);
}

}  // namespace moesim::operators
