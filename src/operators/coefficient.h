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

/// What becomes of a coefficient on a GPU of the same architecture with another rate of arithmetic
/// per multiprocessor. Of a kernel that arithmetic binds, the time beyond that of its flops at the
/// peak (loads into the multiprocessor, addresses, exponentials) is work of the multiprocessor
/// outside its tensor cores, and stays what it is in seconds. With r the ratio of the rates:
enum class Carried {
  AsItIs,
  Nowhere,      ///< Of the measured board alone (its power limit, say): 0 on every other GPU.
  ShareOfPeak,  ///< s of the peak becomes 1 / (1 + (1/s - 1) r).
  TimesPeak,    ///< a times the time at the peak becomes 1 + (a - 1) r.
  BeyondPeak,   ///< x times the time at the peak, on top of it, becomes x r.
};

/// One coefficient. A positive `lower` bound says that it varies by factors (fitted as a
/// logarithm).
struct CoefficientSpec {
  std::string_view name;
  double start = 0;
  double lower = 0;
  double upper = 0;
  Carried carried = Carried::AsItIs;
};

/// Coefficients of the curves of `operation`, in the order their class takes them; empty if there
/// is no such operation.
[[nodiscard]] std::span<const CoefficientSpec> coefficients_of(std::string_view operation);
/// All operations that have curves.
[[nodiscard]] std::span<const std::string_view> curve_operations();

/// Values of a curve in the order of `specs`. Precondition: the curve has each of them.
[[nodiscard]] std::vector<double> values_of(const catalog::Curve& curve,
                                            std::span<const CoefficientSpec> specs);
/// The same for another GPU, with `ratio` times the arithmetic per multiprocessor.
[[nodiscard]] std::vector<double> carried(std::vector<double> values,
                                          std::span<const CoefficientSpec> specs,
                                          double ratio = 1.0);
/// Values of the curve found for `gpu`: its own, or carried from another GPU. The ratio is 1
/// between architectures, whose kernels are others, and where the best multiplies of both are known
/// (catalog::achievable).
[[nodiscard]] std::vector<double> values_for(const catalog::Gpu& gpu,
                                             const catalog::CurveMatch& match,
                                             std::span<const CoefficientSpec> specs);

}  // namespace moesim::operators
