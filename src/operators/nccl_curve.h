// Time of a library collective (NCCL) among GPUs of one scale-up domain, fitted to measurements.
//
// Model:   t = base + step * steps + w / (rate e (1 - c / n)) * (1 + (ramp / w)^p), with w the
// bytes
//          over the busiest link of a ring. All-reduces of more than four GPUs behind a switch that
//          reduces take w = (1 + 1/n) bytes at an efficiency of their own where that is faster.
//          An all-to-all exchanges with all at once: base of its own, one more switch of protocol.
//          GPUs that share a host's PCIe get (2 / n)^q of the rate.
// Source:  fitted to nccl-tests; ring, tree and NVLS traffic as in NCCL's own tuning model.
// Omits:   channels, thread counts and protocols by name: their sum is the ramp.
//          Coefficients and errors: docs/models/collectives.md.
// Layer:   operators.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "catalog/gpu.h"
#include "core/units.h"
#include "operators/coefficient.h"

namespace moesim::operators {

enum class CollectiveOp { AllReduce, AllGather, ReduceScatter, AllToAll };

/// The links that join the GPUs of a scale-up domain.
struct ScaleUpLink {
  BytesPerSecond bandwidth;  ///< Peak of a GPU, one direction.
  bool reduces = false;      ///< The switch sums what passes it (NVLS), and that is faster.
  bool shared = false;       ///< The GPUs of a host meet on its PCIe.
};
/// As the data sheet of the GPU says. Reduction in the switch: Hopper; measured on Blackwell, rings
/// are as fast, and all-reduces of eight GPUs show no gain over them.
[[nodiscard]] ScaleUpLink scale_up_link(const catalog::Gpu& gpu);

/// A collective of one operation and group size, everything but the bytes folded in.
class RampedTime {
 public:
  /// Monotone; finite; at 0 bytes the latency alone.
  [[nodiscard]] Seconds time(Bytes bytes) const;

 private:
  friend class NcclCurve;
  friend class EngineAllReduceCurve;
  double latency_ = 0;  ///< Seconds, as all below.
  double late_latency_ = 0;
  double late_bytes_ = 1;
  double ring_wire_ = 0;  ///< Bytes over a link per byte of the message.
  double ring_seconds_per_byte_ = 0;
  double switch_wire_ = 0;  ///< 0: not reduced in the switch.
  double switch_seconds_per_byte_ = 0;
  double ramp_ = 1;
  double exponent_ = 0;
};

class NcclCurve {
 public:
  [[nodiscard]] static std::span<const CoefficientSpec> coefficients();
  /// `values` in the order of coefficients(), within their bounds.
  NcclCurve(const ScaleUpLink& link, std::span<const double> values);
  /// `bytes` of time(): all-reduce the buffer, all-gather the gathered total, reduce-scatter the
  /// input total, all-to-all what a rank sends, its own part included. Precondition: gpus >= 2.
  [[nodiscard]] RampedTime at(CollectiveOp op, std::int64_t gpus) const;
  [[nodiscard]] Seconds time(CollectiveOp op, std::int64_t gpus, Bytes bytes) const {
    return at(op, gpus).time(bytes);
  }

 private:
  static constexpr std::size_t kCount = 16;
  ScaleUpLink link_;
  std::array<double, kCount> values_{};
};

}  // namespace moesim::operators
