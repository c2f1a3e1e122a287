// Time of DeepEP's low-latency dispatch or combine, fitted to measurements.
//
// Model:   t = overlapped(floor, work): floor = base + per 256 experts + per KiB of hidden, and
//          between nodes network * (1 + log2(nodes) / 4); work = tokens a thread block handles *
//          (token + per KiB of hidden) + the busiest link's time at its efficiency. One copy goes
//          to the rank of each chosen expert. A kernel runs one thread block per expert, or per
//          equal share of the experts where they are more than the blocks of a GPU.
// Source:  DeepEP's low-latency kernels; constants are fitted.
// Omits:   which copies meet on a link (the caller counts), hooks that hide the transfer.
//          Coefficients and errors: docs/models/collectives.md.
// Layer:   operators.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/units.h"
#include "operators/coefficient.h"

namespace moesim::operators {

struct LowLatencyShape {
  double tokens = 0;  ///< Of the rank that has most.
  std::int64_t hidden = 0;
  std::int64_t experts = 0;
  std::int64_t nodes = 1;
  Seconds scale_up{};  ///< Bytes over the busiest scale-up link at its peak rate.
  Seconds network{};   ///< Bytes over the busiest link of the network at its peak rate.
};

/// Bytes of one copy: FP8 with a scale for every 128 elements and a header out, BF16 back.
[[nodiscard]] Bytes low_latency_dispatch_copy(std::int64_t hidden);
[[nodiscard]] Bytes low_latency_combine_copy(std::int64_t hidden);

class DeepEpLowLatencyCurve {
 public:
  [[nodiscard]] static std::span<const CoefficientSpec> coefficients();
  /// `values` in the order of coefficients(), of dispatch or of combine.
  explicit DeepEpLowLatencyCurve(std::span<const double> values);
  /// Rises with tokens and both links' times; at least the longer of those. Preconditions:
  /// experts, nodes and hidden >= 1.
  [[nodiscard]] Seconds time(const LowLatencyShape& shape) const;

 private:
  static constexpr std::size_t kCount = 9;
  std::array<double, kCount> values_{};
};

}  // namespace moesim::operators
