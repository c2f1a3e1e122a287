// Host memory that keeps the KV blocks of preempted sequences.
//
//   time of an iteration = latency + blocks / (usable bandwidth of the GPU's PCIe link)
//
// A rank's blocks lie on its tp GPUs, each of which copies its own part over its own link, before
// the iteration computes anything (vLLM's first version copies on the stream that computes). Out
// and in do not overlap. Omits: copies smaller than a page of the link, links that GPUs share.
// Layer: serving.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/units.h"

namespace moesim::serving {

struct SwapCounts {
  std::int64_t room = 0;   ///< Blocks of a rank.
  std::int64_t peak = 0;   ///< On the fullest rank.
  std::int64_t swaps = 0;  ///< Sequences swapped out.
  std::int64_t moved = 0;  ///< Blocks, out or in.
  void add(const SwapCounts& other) {
    room = std::max(room, other.room);
    peak = std::max(peak, other.peak);
    swaps += other.swaps;
    moved += other.moved;
  }
};

/// The space of one attention rank.
class SwapSpace {
 public:
  explicit SwapSpace(std::int64_t blocks) : free_(blocks) { counts_.room = blocks; }
  /// False: there is no room.
  [[nodiscard]] bool put(std::int64_t blocks) {
    if (blocks > free_) return false;
    free_ -= blocks;
    ++counts_.swaps;
    counts_.moved += blocks;
    counts_.peak = std::max(counts_.peak, counts_.room - free_);
    return true;
  }
  void take(std::int64_t blocks) {
    free_ += blocks;
    counts_.moved += blocks;
  }
  [[nodiscard]] bool empty() const { return free_ == counts_.room; }
  [[nodiscard]] const SwapCounts& counts() const { return counts_; }

 private:
  std::int64_t free_;
  SwapCounts counts_;
};

/// What copying takes.
struct SwapPrice {
  Seconds latency{};
  Seconds per_block{};
  [[nodiscard]] Seconds time(std::int64_t blocks) const {
    return blocks == 0 ? Seconds{} : latency + static_cast<double>(blocks) * per_block;
  }
};

}  // namespace moesim::serving
