// Time of a serving engine's own all-reduce inside a scale-up domain, fitted to measurements.
//
// Model:   one shot (every rank reads all others' whole buffer: n-1 bytes per byte) or two shots
//          (reduce-scatter and all-gather among all pairs: 2 (n-1)/n), the faster of them; above
//          the engine's limit the library's collective (RampedTime). The switch at the limit is
//          steep but smooth.
// Source:  vLLM/SGLang custom all-reduce and TensorRT-LLM's plug-in work so; constants are fitted.
// Omits:   the variants' thread blocks. Coefficients and errors: docs/models/collectives.md.
// Layer:   operators.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/units.h"
#include "operators/coefficient.h"
#include "operators/nccl_curve.h"

namespace moesim::operators {

/// An engine's all-reduce in one group size.
class EngineAllReduceTime {
 public:
  /// Monotone in the bytes.
  [[nodiscard]] Seconds time(Bytes bytes) const;

 private:
  friend class EngineAllReduceCurve;
  double one_shot_ = 0;  ///< Seconds.
  double one_shot_per_byte_ = 0;
  double two_shot_ = 0;
  double two_shot_per_byte_ = 0;
  double limit_ = 1;  ///< Bytes.
  RampedTime library_;
};

class EngineAllReduceCurve {
 public:
  [[nodiscard]] static std::span<const CoefficientSpec> coefficients();
  /// `engine` decides how the limit depends on the ranks: "trtllm" lowers it by n^-1.7 (measured:
  /// about 6, 1.4 and 0.7 MB for 2, 4 and 8 H100), others keep it.
  EngineAllReduceCurve(const ScaleUpLink& link, std::string_view engine,
                       std::span<const double> values);
  /// Precondition: gpus >= 2.
  [[nodiscard]] EngineAllReduceTime at(std::int64_t gpus) const;
  [[nodiscard]] Seconds time(std::int64_t gpus, Bytes bytes) const { return at(gpus).time(bytes); }

 private:
  static constexpr std::size_t kCount = 13;
  ScaleUpLink link_;
  double limit_exponent_ = 0;
  std::array<double, kCount> values_{};
};

}  // namespace moesim::operators
