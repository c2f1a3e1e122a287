// Lengths of requests: inverse distribution functions joined by a Gaussian copula.
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/check.h"
#include "core/math.h"
#include "workload/generator.h"

namespace moesim::workload {
namespace {

/// Whole tokens, at least 1, within 32 bits.
std::int32_t whole_tokens(double tokens) {
  return static_cast<std::int32_t>(std::floor(std::clamp(tokens, 1.0, 1e9) + 0.5));
}

PreparedLength prepare(LengthLaw law) {
  PreparedLength prepared{.law = std::move(law), .log_tokens = {}};
  if (const auto* grid = std::get_if<GridLength>(&prepared.law)) {
    for (const double tokens : grid->tokens) {
      prepared.log_tokens.push_back(math::log(std::max(1.0, tokens)));
    }
  }
  return prepared;
}

std::int32_t grid_length(const GridLength& grid, const std::vector<double>& log_tokens, double p) {
  if (p <= grid.levels.front()) return whole_tokens(grid.tokens.front());
  if (p >= grid.levels.back()) return whole_tokens(grid.tokens.back());
  const auto above = std::upper_bound(grid.levels.begin(), grid.levels.end(), p);
  const auto j = static_cast<std::size_t>(above - grid.levels.begin());
  const double weight = (p - grid.levels[j - 1]) / (grid.levels[j] - grid.levels[j - 1]);
  return whole_tokens(math::exp(log_tokens[j - 1] + weight * (log_tokens[j] - log_tokens[j - 1])));
}

/// Length where the standard normal `z` has the same probability below it.
std::int32_t length_at(const PreparedLength& prepared, double z) {
  struct Visitor {
    const std::vector<double>& log_tokens;
    double z;
    std::int32_t operator()(const FixedLength& law) const { return law.tokens; }
    std::int32_t operator()(const UniformLength& law) const {
      const double width = static_cast<double>(law.max) - law.min + 1.0;
      const auto step = static_cast<std::int64_t>(std::floor(math::normal_cdf(z) * width));
      return static_cast<std::int32_t>(std::min<std::int64_t>(law.min + step, law.max));
    }
    std::int32_t operator()(const LognormalLength& law) const {
      const double exponent = std::min(math::log(law.median) + law.sigma * z, 600.0);
      return std::clamp(whole_tokens(math::exp(std::max(exponent, -600.0))), law.min, law.max);
    }
    std::int32_t operator()(const GridLength& law) const {
      return grid_length(law, log_tokens, math::normal_cdf(z));
    }
  };
  return std::visit(Visitor{.log_tokens = prepared.log_tokens, .z = z}, prepared.law);
}

}  // namespace

LengthSampler::LengthSampler(const WorkloadModel& model, std::uint64_t seed) : seed_(seed) {
  MOESIM_CHECK(model.input && model.output, "a workload model without lengths cannot be sampled");
  input_ = prepare(*model.input);
  output_ = prepare(*model.output);
  // Spearman's correlation s of a Gaussian copula of correlation r: s = 6/pi asin(r/2).
  normal_correlation_ = 2.0 * math::sin_pi(model.rank_correlation.value_or(0.0) / 6.0);
}

Lengths LengthSampler::at(std::int64_t number) const {
  RandomStream stream(seed_, "workload.length", static_cast<std::uint64_t>(number));
  const double first = stream.normal();
  const double rho = normal_correlation_;
  const double second = rho * first + std::sqrt(std::max(0.0, 1.0 - rho * rho)) * stream.normal();
  return {.input_tokens = length_at(input_, first), .output_tokens = length_at(output_, second)};
}

std::int32_t length_quantile(const LengthLaw& law, double p) {
  MOESIM_CHECK(p > 0.0 && p < 1.0, "a quantile needs a probability strictly inside (0, 1)");
  return length_at(prepare(law), math::inverse_normal_cdf(p));
}

double mean_length(const LengthLaw& law) {
  constexpr int kLevels = 4096;
  const PreparedLength prepared = prepare(law);
  double sum = 0.0;
  for (int i = 0; i < kLevels; ++i) {
    sum += length_at(prepared, math::inverse_normal_cdf((i + 0.5) / kLevels));
  }
  return sum / kLevels;
}

}  // namespace moesim::workload
