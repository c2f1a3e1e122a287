// Time of a phase of TensorRT-LLM's all-to-all over NVLink, fitted to measurements.
//
// Model:   t = overlapped(base + step * log2(ranks), sqrt(memory^2 + link^2)): memory = tokens *
//          (token + passes * picks * bytes / memory rate), every pick's row passing device memory
//          whatever the number of ranks; link = bytes over the busiest NVLink, one copy per token
//          and rank.
// Source:  TensorRT-LLM's one-sided and two-sided kernels; constants are fitted.
// Omits:   racks joined by a network. Coefficients and errors: docs/models/collectives.md.
// Layer:   operators.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/units.h"
#include "operators/coefficient.h"

namespace moesim::operators {

struct NvlinkExchangeShape {
  double tokens = 0;  ///< Of the rank that has most.
  std::int64_t top_k = 0;
  std::int64_t ranks = 0;
  Bytes copy{};
  Seconds link{};  ///< Bytes over the busiest NVLink at its peak rate.
};

class NvlinkAllToAllCurve {
 public:
  [[nodiscard]] static std::span<const CoefficientSpec> coefficients();
  /// `values` in the order of coefficients(), of one phase and kernel.
  NvlinkAllToAllCurve(BytesPerSecond memory, std::span<const double> values);
  /// Rises with tokens, ranks, bytes and the link's time; at least that. Precondition: ranks >= 1.
  [[nodiscard]] Seconds time(const NvlinkExchangeShape& shape) const;

 private:
  static constexpr std::size_t kCount = 6;
  BytesPerSecond memory_;
  std::array<double, kCount> values_{};
};

}  // namespace moesim::operators
