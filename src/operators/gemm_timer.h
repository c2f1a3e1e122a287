// Time of dense multiplies with one format of weights: on a fitted curve, else on the roofline.
//
// Layer: operators.
#pragma once

#include <optional>

#include "operators/gemm.h"
#include "operators/gemm_curve.h"

namespace moesim::operators {

class GemmTimer {
 public:
  /// On the plain roofline.
  GemmTimer(const catalog::WeightFormat& weights, Bytes activation_element, const catalog::Gpu& gpu,
            const Efficiency& efficiency)
      : weights_(weights), activation_(activation_element), gpu_(gpu), efficiency_(efficiency) {}
  /// On the curve.
  GemmTimer(const catalog::WeightFormat& weights, Bytes activation_element, const catalog::Gpu& gpu,
            const GemmCurve& curve)
      : weights_(weights), activation_(activation_element), gpu_(gpu), curve_(curve) {}

  [[nodiscard]] OperatorTime time(const GemmShape& shape) const {
    return curve_ ? curve_->time(shape)
                  : gemm_time(shape, weights_, activation_, gpu_, efficiency_);
  }

 private:
  catalog::WeightFormat weights_;
  Bytes activation_;
  catalog::Gpu gpu_;
  Efficiency efficiency_;
  std::optional<GemmCurve> curve_;
};

}  // namespace moesim::operators
