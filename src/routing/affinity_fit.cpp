#include "routing/affinity_fit.h"

#include <algorithm>
#include <cmath>

#include "core/math.h"

namespace moesim::routing {
namespace {

/// Mean relative error (weighted by share) below which a fit is good enough.
constexpr double kFitTolerance = 0.004;
/// Offsets are cut off here: with both parts of the affinity, times stay within a float.
constexpr double kMostOffset = 28.0;

/// Growth of ln P(score > z) with the score's mean in standard deviations, about 3 % above the
/// normal distribution's hazard.
double hazard(double z) { return 0.5 * (z + std::sqrt(z * z + 4.0)); }

void adapt_gain(double error, double before, double& gain) {
  if (error * before < 0.0) {
    if (std::abs(error) > 0.25 * std::abs(before)) gain = std::max(0.5 * gain, 0.15);
  } else if (std::abs(error) > 0.5 * std::abs(before)) {
    gain = std::min(1.4 * gain, 2.0);
  }
}

}  // namespace

OffsetFit::OffsetFit(const RaceLayout& layout, std::span<const double> share,
                     std::span<const double> variance)
    : layout_(layout), share_(share.begin(), share.end()), gain_(share.size(), 0.9) {
  constexpr double kGumbelVariance = 1.6449340668482264;  // pi^2 / 6
  const auto top_k = static_cast<double>(layout_.top_k);
  double mean = 0.0;
  for (std::size_t e = 0; e < share_.size(); ++e) {
    const double sigma = std::sqrt(variance[e] + kGumbelVariance);
    const double z = math::inverse_normal_cdf(1.0 - std::clamp(share_[e] * top_k, 1e-9, 0.99));
    slope_.push_back(std::clamp(hazard(z) / sigma, 0.2, 1.0));
    offset_.push_back(-z * sigma);
    mean += offset_.back() / static_cast<double>(share_.size());
  }
  for (double& a : offset_) a -= mean;
  set_factors();
}

void OffsetFit::set_factors() {
  factor_.assign(layout_.places, 1.0F);
  for (std::size_t e = 0; e < offset_.size(); ++e) {
    offset_[e] = std::clamp(offset_[e], -kMostOffset, kMostOffset);
    factor_[layout_.place(e)] = static_cast<float>(math::exp(-offset_[e]));
  }
}

void OffsetFit::stay_within(double margin) {
  margin_ = margin;
  centre_ = offset_;
  error_.clear();
}

bool OffsetFit::at_margin() const {
  for (std::size_t e = 0; e < offset_.size(); ++e) {
    if (std::abs(offset_[e] - centre_[e]) >= 0.999 * margin_) return true;
  }
  return false;
}

std::vector<float> OffsetFit::change() const {
  std::vector<float> change(layout_.places, 1.0F);
  for (std::size_t e = 0; e < offset_.size(); ++e) {
    change[layout_.place(e)] = static_cast<float>(math::exp(centre_[e] - offset_[e]));
  }
  return change;
}

bool OffsetFit::improve(std::span<const std::int64_t> count, std::int64_t tokens) {
  const auto choices = static_cast<double>(tokens * static_cast<std::int64_t>(layout_.top_k));
  double deviation = 0.0;
  for (std::size_t e = 0; e < offset_.size(); ++e) {
    deviation += std::abs(static_cast<double>(count[e]) / choices - share_[e]);
  }
  if (deviation < kFitTolerance) return true;
  const bool first = error_.empty();
  error_.resize(offset_.size());
  for (std::size_t e = 0; e < offset_.size(); ++e) {
    const double wanted = share_[e] * choices + 0.5;
    const double error = math::log(wanted / (static_cast<double>(count[e]) + 0.5));
    if (!first) adapt_gain(error, error_[e], gain_[e]);
    error_[e] = error;
    offset_[e] += std::clamp(gain_[e] / slope_[e] * error, -3.0, 3.0);
    if (!centre_.empty()) {
      offset_[e] = std::clamp(offset_[e], centre_[e] - margin_, centre_[e] + margin_);
    }
  }
  set_factors();
  return false;
}

}  // namespace moesim::routing
