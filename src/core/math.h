// Elementary functions with the same bits on every machine.
//
// glibc picks FMA variants of log, exp, pow and sin by CPU; their last bit differs. What feeds
// event times or samples uses these, built from + - * / and sqrt, which IEEE 754 fixes.
// Accuracy: relative error below 4e-15 on the stated range. `scenario` refuses what lies outside.
// Layer: core.
#pragma once

namespace moesim::math {

[[nodiscard]] double log(double x);                 ///< x > 0, finite.
[[nodiscard]] double exp(double x);                 ///< |x| <= 700; beyond: 0 or infinity.
[[nodiscard]] double pow(double x, double y);       ///< x > 0.
[[nodiscard]] double sin_pi(double x);              ///< sin(pi * x), |x| <= 1e6.
[[nodiscard]] double normal_cdf(double z);          ///< Standard normal distribution function.
[[nodiscard]] double inverse_normal_cdf(double p);  ///< 0 < p < 1.

}  // namespace moesim::math
