// Time of DeepEP's high-throughput dispatch or combine, fitted to measurements.
//
// Model:   t = floor + (copying^4 + scale-up^4 + network^4)^(1/4): copying = (copies *
//          (row + bytes / rate) + tokens * token) / SMs, more by a factor between nodes, where
//          copies are handed on; the network loses to many senders per port, from two nodes on up
//          to the eight that were measured.
//          Node-de-duplicated: a token travels once to each node and from there over scale-up.
//          The layout exchange before it (notify) is apart.
// Source:  DeepEP's normal kernels; constants are fitted.
// Omits:   order of the senders, chunk sizes, the time other kernels lose the SMs.
//          Coefficients and errors: docs/models/collectives.md.
// Layer:   operators.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/units.h"
#include "operators/coefficient.h"

namespace moesim::operators {

struct NormalExchangeShape {
  double tokens = 0;  ///< Of the rank that has most.
  double copies = 0;  ///< Over scale-up, out of or into the rank that has most.
  Bytes copy{};
  std::int64_t hidden = 0;
  std::int64_t top_k = 0;
  std::int64_t nodes = 1;
  std::int64_t sms = 20;
  Seconds scale_up{};  ///< Bytes over the busiest scale-up link at its peak rate.
  Seconds network{};   ///< Bytes over the busiest link of the network at its peak rate.
};

/// Bytes of one copy: FP8 with a scale for every 128 elements out, BF16 back, and for each pick its
/// expert and weight.
[[nodiscard]] Bytes normal_dispatch_copy(std::int64_t hidden, std::int64_t top_k);
[[nodiscard]] Bytes normal_combine_copy(std::int64_t hidden, std::int64_t top_k);
/// The exchange of sizes that goes before each dispatch between nodes; the median of those measured
/// (2 nodes 33 us, 4 nodes 54 us, 8 nodes 85 us on H100). One node: part of the dispatch.
[[nodiscard]] Seconds normal_notify(std::int64_t nodes);

class DeepEpNormalCurve {
 public:
  [[nodiscard]] static std::span<const CoefficientSpec> coefficients();
  /// `values` in the order of coefficients(), of dispatch or of combine.
  explicit DeepEpNormalCurve(std::span<const double> values);
  /// Rises with tokens, copies, bytes and both links' times, falls with SMs; at least the longer
  /// of the links' times. Preconditions: hidden, top_k, nodes and sms >= 1.
  [[nodiscard]] Seconds time(const NormalExchangeShape& shape) const;

 private:
  static constexpr std::size_t kCount = 12;
  std::array<double, kCount> values_{};
};

}  // namespace moesim::operators
