// Memory below the GPUs' own in which prefix blocks stay longer: of a host, or a disk that all
// share.
//
// Every computed prompt is written through to it beside serving; what it holds follows the same LRU
// rule as everything (prefix_cache.h). A hit is read over one link, first come first served:
//   t = latency + bytes / bandwidth.
// Omits: the time and bandwidth of writing; reading layer by layer behind the first computing.
// Layer: serving.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/sim_time.h"
#include "core/units.h"
#include "serving/prefix_cache.h"

namespace moesim::serving {

class LowerTier {
 public:
  /// `capacity` and `per_block` are of KV blocks: how many it holds, the time to read one.
  LowerTier(std::int64_t capacity, Seconds per_block, Seconds latency)
      : capacity_(capacity), per_block_(per_block), latency_(latency) {}

  [[nodiscard]] bool holds(PrefixCache::BlockId id) const { return cache_.find(id) != nullptr; }
  /// A prompt has been computed or read again.
  void use(std::span<const PrefixCache::BlockId> ids, std::int32_t size, std::int32_t last_size) {
    cache_.use(ids, size, last_size);
    cache_.trim(capacity_);
  }
  /// When so many blocks are on the GPU, if they are asked for now.
  [[nodiscard]] SimTime load(std::int64_t blocks, SimTime now) {
    free_at_ = std::max(free_at_, now) + SimTime::from(static_cast<double>(blocks) * per_block_);
    return free_at_ + SimTime::from(latency_);
  }

 private:
  PrefixCache cache_;
  std::int64_t capacity_;
  Seconds per_block_;
  Seconds latency_;
  SimTime free_at_;
};

}  // namespace moesim::serving
