// Time to move bytes that a kernel finds in the last-level cache if they are few, in memory if not.
//
// Model:   t = b / bandwidth * far (near + (1 - near) u^4 / (1 + u^4)), u = b / far_bytes.
// Source:  kernels timed back to back find their operands in the L2 cache up to about its size.
// Layer:   operators.
#pragma once

#include "core/units.h"

namespace moesim::operators {

class NearFarMemory {
 public:
  NearFarMemory() = default;
  /// `far`: time of many bytes as a multiple of bytes / bandwidth; `near`: share of it that each of
  /// few bytes takes, at most 1.
  NearFarMemory(BytesPerSecond bandwidth, double far, double near, Bytes far_bytes)
      : near_(far * near * (kByte / bandwidth / kSecond)),
        rise_(far * (1.0 - near) * (kByte / bandwidth / kSecond)),
        per_far_bytes_(kByte / far_bytes) {}
  /// Seconds; rises with `bytes`.
  [[nodiscard]] double seconds(double bytes) const {
    const double u = bytes * per_far_bytes_;
    const double u4 = u * u * (u * u);
    // u4 may overflow to infinity: all of it is far then.
    return bytes * (near_ + rise_ * (1.0 - 1.0 / (1.0 + u4)));
  }

 private:
  double near_ = 0;
  double rise_ = 0;
  double per_far_bytes_ = 1;
};

}  // namespace moesim::operators
