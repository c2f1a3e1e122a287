// Means of independent replications with their confidence interval, and of differences in pairs.
//
// Formula: mean +- t(n-1, 0.975) * s / sqrt(n), s^2 = sum (x - mean)^2 / (n - 1); for differences
// the
//          same of d_i = other_i - first_i, which keeps what both owe to a common seed out of s.
// Source:  Student, "The probable error of a mean", Biometrika 6(1), 1908; Law, Kelton, "Simulation
//          Modeling and Analysis", 3rd ed., 2000, 4.5 and 10.2.1. Quantiles: Boost.Math.
// Omits:   several intervals at once (each holds with 95 %, not all of them together), and the
// error
//          of the model, which no replication shows. Few values are taken as normally distributed.
// Layer:   report.
#pragma once

#include <cstdint>
#include <span>

namespace moesim::report {

/// Two-sided, 95 %.
struct Interval {
  double mean = 0;
  double half_width = 0;
  [[nodiscard]] double low() const { return mean - half_width; }
  [[nodiscard]] double high() const { return mean + half_width; }
  [[nodiscard]] bool excludes_zero() const { return low() > 0 || high() < 0; }
  /// Of a difference: the same under every seed.
  [[nodiscard]] bool is_zero() const { return mean == 0 && half_width == 0; }
};

/// 97.5 % quantile of Student's t. Precondition: degrees >= 1.
[[nodiscard]] double t_quantile(std::int64_t degrees);

/// Of independent samples. Precondition: at least two.
[[nodiscard]] Interval mean_interval(std::span<const double> samples);

/// Of other[i] - first[i]; what lies within the rounding of the samples is zero. Precondition: as
/// many of both, at least two.
[[nodiscard]] Interval paired_difference(std::span<const double> first,
                                         std::span<const double> other);

}  // namespace moesim::report
