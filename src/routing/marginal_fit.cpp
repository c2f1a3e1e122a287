#include "routing/marginal_fit.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "core/check.h"
#include "core/math.h"

namespace moesim::routing {
namespace {

/// Fits the keeping of groups by the sum of their two best scores under independent Gumbel noise;
/// see docs/models/routing.md.
constexpr double kGroupExponent = 5.0 / 3.0;
constexpr double kLn2 = 0.693147180559945309417;
constexpr double kRootTwo = 1.41421356237309504880;
constexpr double kMarginalTolerance = 5e-4;
constexpr int kMaxIterations = 40;

/// Exact inclusion probabilities; buffers are sized once and serve all iterations of a layer.
class Inclusion {
 public:
  explicit Inclusion(const RoutingShape& shape)
      : experts_(static_cast<std::size_t>(shape.experts)),
        groups_(static_cast<std::size_t>(shape.groups)),
        kept_(static_cast<std::size_t>(shape.top_groups)),
        size_(experts_ / groups_),
        // Draws left after one expert of each kept group.
        free_(static_cast<std::size_t>(shape.top_k - shape.top_groups)),
        silent_(experts_),
        first_(experts_),
        all_(groups_ * free_),
        less_first_(groups_ * free_),
        others_(groups_ * free_),
        kept_probability_(groups_),
        ways_((kept_ + 1) * std::max<std::size_t>(free_, 1)),
        scratch_(2 * std::max<std::size_t>(free_, 1)),
        probability_(experts_) {}

  const std::vector<double>& of(std::span<const double> weight, std::span<const double> odds) {
    start(weight, odds);
    if (free_ > 0) integrate(weight);
    return probability_;
  }

  [[nodiscard]] const std::vector<double>& probability() const { return probability_; }
  [[nodiscard]] double kept(std::size_t group) const { return kept_probability_[group]; }

 private:
  void start(std::span<const double> weight, std::span<const double> odds);
  void integrate(std::span<const double> weight);
  double add_node(std::span<const double> weight, double time, double step);
  void group_polynomials();
  void other_groups(std::size_t group);
  [[nodiscard]] double chance_to_be_early(std::size_t expert);
  void without(std::size_t group, std::size_t expert);

  std::size_t experts_, groups_, kept_, size_, free_;
  std::vector<double> silent_;      ///< exp(-w t): not rung yet.
  std::vector<double> first_;       ///< Chance to be the one expert its kept group is sure of.
  std::vector<double> all_;         ///< [group][j] P(j of the group rang), without a sure expert.
  std::vector<double> less_first_;  ///< [group][j] P(j of the group but its sure expert rang).
  std::vector<double> others_;      ///< [group][j] P(kept, at most j of other kept groups rang).
  std::vector<double> kept_probability_;
  std::vector<double> ways_;
  std::vector<double> scratch_;
  std::vector<double> probability_;
  std::vector<double> odds_;
  double total_ways_ = 0.0;
};

void Inclusion::start(std::span<const double> weight, std::span<const double> odds) {
  odds_.assign(odds.begin(), odds.end());
  // Elementary symmetric functions of the odds, with and without each group.
  const auto symmetric = [&](std::size_t skip, std::size_t degree) {
    std::fill(ways_.begin(), ways_.end(), 0.0);
    ways_[0] = 1.0;
    for (std::size_t h = 0; h < groups_; ++h) {
      if (h == skip) continue;
      for (std::size_t c = degree; c > 0; --c) ways_[c] += odds_[h] * ways_[c - 1];
    }
    return ways_[degree];
  };
  total_ways_ = symmetric(groups_, kept_);
  for (std::size_t g = 0; g < groups_; ++g) {
    kept_probability_[g] = odds_[g] * symmetric(g, kept_ - 1) / total_ways_;
    const auto members = weight.subspan(g * size_, size_);
    double sum = 0.0;
    for (const double w : members) sum += w;
    for (std::size_t i = 0; i < size_; ++i) {
      first_[g * size_ + i] = members[i] / sum;
      probability_[g * size_ + i] = members[i] / sum * kept_probability_[g];
    }
  }
}

void Inclusion::integrate(std::span<const double> weight) {
  double total = 0.0;
  for (const double w : weight) total += w;
  // About 1/128 of the time at which the draws are complete. Doubling the time squares exp(-w t),
  // so that a step of ln 2 / phases takes one exponential per expert and phase.
  const double start = static_cast<double>(free_) / total / 128.0;
  const int phases = free_ > 2 ? 2 : 1;
  const double step = kLn2 / phases;
  for (int phase = 0; phase < phases; ++phase) {
    double time = phase == 0 ? start : start * kRootTwo;
    for (std::size_t e = 0; e < experts_; ++e) {
      silent_[e] = math::exp(-weight[e] * time);
      // The nodes left of the first one, where nothing has rung yet: a geometric series.
      probability_[e] += step * weight[e] * time * (1.0 - first_[e]) * kept_probability_[e / size_];
    }
    for (int node = 0; node < 60; ++node) {
      if (add_node(weight, time, step) < 1e-7 && node > 7) break;
      time *= 2.0;
      for (double& s : silent_) s *= s;
    }
  }
}

/// Adds the flow of draws at `time` to the probabilities; returns its sum.
double Inclusion::add_node(std::span<const double> weight, double time, double step) {
  group_polynomials();
  double flow = 0.0;
  for (std::size_t g = 0; g < groups_; ++g) {
    other_groups(g);
    for (std::size_t e = g * size_; e < (g + 1) * size_; ++e) {
      const double part = step * weight[e] * time * silent_[e] * chance_to_be_early(e);
      probability_[e] += part;
      flow += part;
    }
  }
  return flow;
}

void Inclusion::group_polynomials() {
  std::fill(all_.begin(), all_.end(), 0.0);
  std::fill(less_first_.begin(), less_first_.end(), 0.0);
  for (std::size_t g = 0; g < groups_; ++g) {
    double* all = &all_[g * free_];
    double* less = &less_first_[g * free_];
    all[0] = 1.0;
    for (std::size_t e = g * size_; e < (g + 1) * size_; ++e) {
      const double s = silent_[e];
      for (std::size_t j = free_; j-- > 0;) {
        const double rang_less = j > 0 ? less[j - 1] * (1.0 - s) : 0.0;
        const double rang_all = j > 0 ? all[j - 1] * (1.0 - s) : 0.0;
        less[j] = less[j] * s + rang_less + first_[e] * all[j];
        all[j] = all[j] * s + rang_all;
      }
    }
  }
}

void Inclusion::other_groups(std::size_t group) {
  std::fill(ways_.begin(), ways_.end(), 0.0);
  ways_[0] = 1.0;
  for (std::size_t h = 0; h < groups_; ++h) {
    if (h == group) continue;
    const double* less = &less_first_[h * free_];
    for (std::size_t c = kept_ - 1; c > 0; --c) {
      const double* from = &ways_[(c - 1) * free_];
      double* to = &ways_[c * free_];
      for (std::size_t i = 0; i < free_; ++i) {
        const double x = odds_[h] * from[i];
        if (x == 0.0) continue;
        for (std::size_t j = 0; i + j < free_; ++j) to[i + j] += x * less[j];
      }
    }
  }
  const double scale = odds_[group] / total_ways_;
  double sum = 0.0;
  for (std::size_t j = 0; j < free_; ++j) {
    sum += ways_[(kept_ - 1) * free_ + j];
    others_[group * free_ + j] = scale * sum;
  }
}

/// P(group kept, the expert not its sure one, and fewer than `free_` other draws rang before).
double Inclusion::chance_to_be_early(std::size_t expert) {
  const std::size_t g = expert / size_;
  const double s = silent_[expert];
  const double* all = &all_[g * free_];
  const double* less = &less_first_[g * free_];
  const double* others = &others_[g * free_];
  double sum = 0.0;
  if (s < 0.3) {  // Dividing by s + (1 - s) x would lose digits: multiply the rest anew.
    without(g, expert);
    for (std::size_t j = 0; j < free_; ++j) sum += scratch_[j] * others[free_ - 1 - j];
    return sum;
  }
  const double p = 1.0 - s;
  const double inverse = 1.0 / s;
  double b = 0.0;  // all / (s + p x), then (less_first - first * b) / (s + p x)
  double a = 0.0;
  for (std::size_t j = 0; j < free_; ++j) {
    b = (all[j] - p * b) * inverse;
    a = (less[j] - first_[expert] * b - p * a) * inverse;
    sum += a * others[free_ - 1 - j];
  }
  return sum;
}

void Inclusion::without(std::size_t group, std::size_t expert) {
  std::fill(scratch_.begin(), scratch_.end(), 0.0);
  double* less = scratch_.data();
  double* all = less + free_;
  all[0] = 1.0;
  for (std::size_t e = group * size_; e < (group + 1) * size_; ++e) {
    if (e == expert) continue;
    const double s = silent_[e];
    for (std::size_t j = free_; j-- > 0;) {
      less[j] = less[j] * s + (j > 0 ? less[j - 1] * (1.0 - s) : 0.0) + first_[e] * all[j];
      all[j] = all[j] * s + (j > 0 ? all[j - 1] * (1.0 - s) : 0.0);
    }
  }
}

/// x^(3/4) by square roots.
double three_quarter_power(double x) {
  const double root = std::sqrt(x);
  return root * std::sqrt(root);
}

/// Time after which a clock of rate 1 has rung with this probability.
double ring_time(double probability) { return -math::log(1.0 - std::min(probability, 0.9999)); }

/// One step towards the target loads; returns the largest relative deviation before it.
double improve(const RoutingShape& shape, std::span<const double> share, const Inclusion& at,
               std::vector<double>& weight) {
  const auto groups = static_cast<std::size_t>(shape.groups);
  const std::size_t size = weight.size() / groups;
  const auto top_k = static_cast<double>(shape.top_k);
  double deviation = 0.0;
  double sum = 0.0;
  for (std::size_t g = 0; g < groups; ++g) {
    double wanted = 0.0;
    double got = 0.0;
    for (std::size_t e = g * size; e < (g + 1) * size; ++e) {
      wanted += share[e] * top_k;
      got += at.probability()[e];
    }
    // Load of a group grows with about the 4/3 power of its weight.
    const double ratio = wanted / got;
    const double group_factor = groups == 1 ? 1.0 : three_quarter_power(ratio);
    for (std::size_t e = g * size; e < (g + 1) * size; ++e) {
      const double probability = at.probability()[e];
      const double target = share[e] * top_k;
      deviation = std::max(deviation, std::abs(probability / target - 1.0));
      // In a kept group, as if each expert rang by a fixed time.
      const double kept = at.kept(g);
      const double factor = ring_time(target / ratio / kept) / ring_time(probability / kept);
      weight[e] *= std::clamp(group_factor * factor, 0.25, 4.0);
      sum += weight[e];
    }
  }
  // No weight below 1e-9 of the sum: the draw must be able to find every expert.
  for (double& w : weight) w = std::max(w / sum, 1e-9);
  return deviation;
}

}  // namespace

std::vector<double> group_odds(const RoutingShape& shape, std::span<const double> weight) {
  const auto groups = static_cast<std::size_t>(shape.groups);
  const std::size_t size = weight.size() / groups;
  std::vector<double> odds(groups, 0.0);
  double total = 0.0;
  for (std::size_t e = 0; e < weight.size(); ++e) {
    odds[e / size] += weight[e];
    total += weight[e];
  }
  for (double& o : odds) {
    o = math::pow(o / total * static_cast<double>(groups), kGroupExponent);
  }
  return odds;
}

std::vector<double> inclusion_probabilities(const RoutingShape& shape,
                                            std::span<const double> weight) {
  MOESIM_CHECK(shape_errors(shape).empty(), "routing shape was refused before");
  return Inclusion(shape).of(weight, group_odds(shape, weight));
}

FittedWeights fit_weights(const RoutingShape& shape, std::span<const double> share) {
  MOESIM_CHECK(shape_errors(shape).empty(), "routing shape was refused before");
  Inclusion inclusion(shape);
  std::vector<double> weight(share.begin(), share.end());
  FittedWeights best{.weight = weight, .deviation = 1e300};
  for (int i = 0; i < kMaxIterations; ++i) {
    const std::vector<double> tried = weight;
    inclusion.of(tried, group_odds(shape, tried));
    const double deviation = improve(shape, share, inclusion, weight);
    if (deviation < best.deviation) best = {.weight = tried, .deviation = deviation};
    if (best.deviation < kMarginalTolerance) break;
  }
  return best;
}

}  // namespace moesim::routing
