#include "strategies/partition_drift.h"

#include <algorithm>
#include <cmath>

#include "core/math.h"

namespace moesim::strategies {
namespace {

constexpr std::size_t kPoints = 16;

struct Quadrature {
  std::array<double, kPoints> factor{};  ///< exp(s z)
  std::array<double, kPoints> weight{};
};

Quadrature quadrature(double noise) {
  Quadrature q;
  double sum = 0.0;
  for (std::size_t i = 0; i < kPoints; ++i) {
    const double z = 6.0 * static_cast<double>(i) / static_cast<double>(kPoints - 1) - 3.0;
    q.factor[i] = math::exp(noise * z);
    sum += q.weight[i] = math::exp(-0.5 * z * z);
  }
  for (double& w : q.weight) w /= sum;
  return q;
}

const std::array<Quadrature, DriftRisk::kLevels>& quadratures() {
  static const std::array<Quadrature, DriftRisk::kLevels> all = [] {
    std::array<Quadrature, DriftRisk::kLevels> q;
    for (std::size_t level = 0; level < q.size(); ++level) {
      q[level] = quadrature(DriftRisk::kNoise[level]);
    }
    return q;
  }();
  return all;
}

double effective_load(double share, double slope, const Quadrature& q) {
  const double top = share * q.factor.back();
  double sum = 0.0;
  for (std::size_t i = 0; i < kPoints; ++i) {
    sum += q.weight[i] * math::exp(slope * (share * q.factor[i] - top));
  }
  return top + math::log(sum) / slope;
}

/// Effective loads of the GPUs of a plan.
std::vector<double> gpu_loads(std::span<const std::int32_t> slots, std::span<const double> load,
                              std::size_t slots_per_gpu) {
  std::vector<double> sums(slots.size() / slots_per_gpu, 0.0);
  for (std::size_t s = 0; s < slots.size(); ++s) {
    sums[s / slots_per_gpu] += load[static_cast<std::size_t>(slots[s])];
  }
  return sums;
}

/// ln(sum of exp(slope * load)) / slope
double soft_maximum(std::span<const double> loads, double slope) {
  const double top = *std::max_element(loads.begin(), loads.end());
  double sum = 0.0;
  for (const double load : loads) sum += math::exp(slope * (load - top));
  return top + math::log(sum) / slope;
}

}  // namespace

DriftRisk::DriftRisk(std::span<const std::int32_t> slots, std::span<const double> share,
                     std::size_t slots_per_gpu, const Sums& tolerance)
    : effective_(share.size()) {
  constexpr std::size_t kSlopes = 7;
  const auto gpus = static_cast<double>(slots.size() / slots_per_gpu);
  double squares = 0.0;
  for (const std::int32_t e : slots) {
    squares += share[static_cast<std::size_t>(e)] * share[static_cast<std::size_t>(e)];
  }
  const double guess = std::sqrt(2.0 * math::log(std::max(gpus, 2.0)) * gpus / squares);
  std::vector<double> load(share.size());
  for (std::size_t level = 0; level < kLevels; ++level) {
    const Quadrature& q = quadratures()[level];
    double best = 0.0;
    for (std::size_t i = 0; i < kSlopes; ++i) {
      const double slope = guess / kNoise[level] * math::exp(0.35 * (static_cast<double>(i) - 5.0));
      for (std::size_t e = 0; e < share.size(); ++e) load[e] = effective_load(share[e], slope, q);
      const std::vector<double> gpu = gpu_loads(slots, load, slots_per_gpu);
      const double bound = soft_maximum(gpu, slope);
      if (i > 0 && bound >= best) continue;
      best = bound;
      slope_[level] = slope;
      reference_[level] = *std::max_element(gpu.begin(), gpu.end());
      for (std::size_t e = 0; e < share.size(); ++e) effective_[e][level] = load[e];
    }
    limit_[level] =
        math::exp(slope_[level] * (best * (1.0 + tolerance[level]) - reference_[level]));
  }
}

void DriftRisk::set_share(std::size_t expert, double share) {
  for (std::size_t level = 0; level < kLevels; ++level) {
    effective_[expert][level] = effective_load(share, slope_[level], quadratures()[level]);
  }
}

DriftRisk::Sums DriftRisk::of_gpu(const Sums& sum) const {
  Sums risk{};
  for (std::size_t i = 0; i < kLevels; ++i) {
    risk[i] = math::exp(slope_[i] * (sum[i] - reference_[i]));
  }
  return risk;
}

}  // namespace moesim::strategies
