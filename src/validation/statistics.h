// How far predictions lie from measurements, and how alike two samples are.
//
// Errors:  e_i = predicted_i / measured_i - 1; median and p90 of |e| by nearest rank; bias is the
//          median of e.
// Kendall: tau-b of predicted against measured: (C - D) / sqrt((n0 - tx) (n0 - ty)), n0 = n
// (n-1)/2,
//          C and D the pairs ordered alike and unlike, tx and ty the pairs tied in either.
// KS:      largest distance of two empirical distribution functions.
// Source:  Kendall, "The treatment of ties in ranking problems", Biometrika 33(3), 1945; Smirnov,
//          "Table for estimating the goodness of fit of empirical distributions", 1948.
// Layer:   validation.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace moesim::validation {

struct ErrorFigures {
  std::int64_t rows = 0;
  double median = 0;  ///< Of |e|.
  double p90 = 0;
  double bias = 0;  ///< Median of e.
  double low = 1;   ///< 10th percentile of measured / predicted ...
  double high = 1;  ///< ... and the 90th.
};

/// Precondition: as many of both, measured above 0. All zero for none.
[[nodiscard]] ErrorFigures error_figures(std::span<const double> measured,
                                         std::span<const double> predicted);

/// Nothing if all values of either are equal, or there are fewer than two. O(n^2).
[[nodiscard]] std::optional<double> kendall_tau(std::span<const double> a,
                                                std::span<const double> b);

/// In 0..1. Precondition: neither is empty. O(n log n).
[[nodiscard]] double ks_distance(std::span<const double> a, std::span<const double> b);

}  // namespace moesim::validation
