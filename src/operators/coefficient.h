// What an operator's curve is made of: named coefficients with their physical bounds.
//
// Each calibrated operator lists its own; `calibration` fits them, `scenario` checks the shipped
// ones against them. coefficients_of() is the one list of all operations.
// Layer: operators.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "catalog/curve.h"

namespace moesim::operators {

/// One coefficient. A positive `lower` bound says that it varies by factors (fitted as a
/// logarithm).
struct CoefficientSpec {
  std::string_view name;
  double start = 0;
  double lower = 0;
  double upper = 0;
  /// Of the measured board alone (its power limit, say): on another GPU the coefficient is 0.
  bool stays = false;
};

/// Coefficients of the curves of `operation`, in the order their class takes them; empty if there
/// is no such operation.
[[nodiscard]] std::span<const CoefficientSpec> coefficients_of(std::string_view operation);
/// All operations that have curves.
[[nodiscard]] std::span<const std::string_view> curve_operations();

/// Values of a curve in the order of `specs`. Precondition: the curve has each of them.
[[nodiscard]] std::vector<double> values_of(const catalog::Curve& curve,
                                            std::span<const CoefficientSpec> specs);
/// The same without what stays with the GPU of the curve, for another one.
[[nodiscard]] std::vector<double> carried(std::vector<double> values,
                                          std::span<const CoefficientSpec> specs);
/// Values of the curve found for `gpu`: its own, or carried from another GPU.
[[nodiscard]] std::vector<double> values_for(const catalog::Gpu& gpu,
                                             const catalog::CurveMatch& match,
                                             std::span<const CoefficientSpec> specs);

}  // namespace moesim::operators
