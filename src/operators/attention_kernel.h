// What attention kernels go by: the width of a head, and the multiprocessors they spread over.
// Layer: operators.
#pragma once

#include <cstdint>
#include <string>

#include "catalog/gpu.h"

namespace moesim::operators {

/// The narrowest measured width that holds `head_dim`: "d64", "d128", "d192", "d256", as kernels
/// pad to it. Wider heads: the widest.
[[nodiscard]] inline std::string width_variant(std::int64_t head_dim) {
  if (head_dim <= 64) return "d64";
  if (head_dim <= 128) return "d128";
  return head_dim <= 192 ? "d192" : "d256";
}

/// Multiprocessors of a GPU; a usual number where none is published.
[[nodiscard]] inline double multiprocessors(const catalog::Gpu& gpu) {
  constexpr std::int64_t kUsual = 132;
  return static_cast<double>(gpu.sms > 0 ? gpu.sms : kUsual);
}

}  // namespace moesim::operators
