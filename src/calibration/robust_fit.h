// Coefficients that bring predictions near measurements, in a way a few wild rows cannot spoil.
//
// Minimises sum of s^2 (sqrt(1 + (r/s)^2) - 1) over r = ln(predicted / measured): quadratic for
// small errors, absolute for large ones (the pseudo-Huber loss; Charbonnier et al., ICIP 1994), by
// Levenberg-Marquardt steps on reweighted squares within the bounds, from several fixed starting
// points. Deterministic: the same input gives the same digits.
// Layer: calibration.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "operators/coefficient.h"

namespace moesim::calibration {

/// Predicted values, in the order of `measured`, under the values of the coefficients.
using Prediction =
    std::function<void(std::span<const double> coefficients, std::span<double> predicted)>;

struct FitSettings {
  int starts = 3;            ///< The first at the specs' start, others spread over the bounds.
  int iterations = 60;       ///< Steps of each start, at most.
  double loss_scale = 0.05;  ///< s above.
};

struct FitResult {
  std::vector<double> coefficients;
  double loss = 0;  ///< Mean over rows; infinite if no start gave finite predictions.
};

/// Preconditions: measured values are positive, at least one.
[[nodiscard]] FitResult robust_fit(std::span<const operators::CoefficientSpec> specs,
                                   std::span<const double> measured, const Prediction& predict,
                                   const FitSettings& settings = {});

}  // namespace moesim::calibration
