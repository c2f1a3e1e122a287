// Where blocks of prompts are kept for later prompts that begin alike.
//
// Layer: serving.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/units.h"

namespace moesim::serving {

/// Where a cached block was found.
enum class CacheTier : std::uint8_t { Gpu, Host, Disk };
inline constexpr std::size_t kCacheTiers = 3;

/// A memory below the GPUs' own.
struct TierSettings {
  Bytes capacity;            ///< Host: of each attention rank. Disk: of all together.
  BytesPerSecond bandwidth;  ///< Host: into each GPU. Disk: of all that is read from it.
  Seconds latency{};         ///< Until the first byte.
};

struct PrefixCacheSettings {
  bool enabled = false;
  std::optional<TierSettings> host{};
  std::optional<TierSettings> disk{};
};

/// A share of every prompt that is taken to be cached, where the workload says no more than that.
struct AssumedReuse {
  double share = 0;  ///< Of the input tokens, from the first on.
  CacheTier tier = CacheTier::Gpu;
};

}  // namespace moesim::serving
