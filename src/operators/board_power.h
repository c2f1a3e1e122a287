// Electric power of a GPU board from how busy its arithmetic and its memory are.
//
// Model:   P = tdp (idle + (ceiling - idle) (1 - exp(-(compute u_c + memory u_m)^sharpness)))
//          u_c = flops / (time * peak of the format), u_m = bytes / (time * bandwidth), both as
//          shares of the data sheet. Rises with both; never above the ceiling, which is at most
//          tdp.
// Source:  coefficients fitted per GPU and format to board power during GEMMs:
//          scenarios/catalog/curves/power_gemm.txtpb; errors and limits: docs/models/power.md.
//          Another GPU scales them by its tdp.
// Omits:   links, host, fans and supplies; temperature and clocks set by hand; power over less
//          than the tens of milliseconds a board meter averages.
// Layer:   operators.
#pragma once

#include <span>

#include "catalog/gpu.h"
#include "core/units.h"
#include "operators/coefficient.h"

namespace moesim::operators {

class BoardPower {
 public:
  [[nodiscard]] static std::span<const CoefficientSpec> coefficients();
  /// `values` in the order of coefficients(), within their bounds. Precondition: the GPU has a tdp.
  BoardPower(const catalog::Gpu& gpu, std::span<const double> values);
  /// Average board power; utilisations of 0..1, values beyond are taken as the nearer end.
  [[nodiscard]] Watts power(double compute_utilisation, double memory_utilisation) const;
  [[nodiscard]] Watts idle() const { return idle_; }

 private:
  Watts idle_{};
  Watts dynamic_{};  ///< Ceiling less idle.
  double compute_ = 0;
  double memory_ = 0;
  double sharpness_ = 1;
};

/// Power of a GPU for which no curve exists, from its tdp alone: the middle of those fitted. Zero
/// for a GPU without a tdp.
[[nodiscard]] Watts board_power(const catalog::Gpu& gpu, double compute_utilisation,
                                double memory_utilisation);

}  // namespace moesim::operators
