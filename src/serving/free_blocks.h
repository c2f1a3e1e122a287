// Free KV blocks of a rank in the order in which they became free, and what preempted sequences
// left in theirs.
//
// Engines that cache prefixes take the block that has been free longest, and a sequence frees its
// last block first. So a preempted sequence that comes back finds its leading blocks again, but for
// those that others have taken since. Only counts are kept: runs of blocks freed together.
// Source: Kwon et al., "Efficient Memory Management for Large Language Model Serving with
// PagedAttention", SOSP 2023; automatic prefix caching of vLLM (design document).
// docs/models/prefix_cache.md. Layer: serving.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace moesim::serving {

class FreeBlocks {
 public:
  explicit FreeBlocks(std::int64_t blocks);

  [[nodiscard]] std::int64_t count() const { return count_; }
  /// Blocks that nobody will look for.
  void give(std::int64_t blocks);
  /// Leading blocks of a preempted request (its number); it has none here yet.
  void leave(std::int64_t request, std::int64_t blocks);
  /// Those free longest first; of a request its last ones first. Precondition (checked): they are
  /// there.
  void take(std::int64_t blocks);
  /// Blocks of the request that are still as it left them. O(runs).
  [[nodiscard]] std::int64_t left_by(std::int64_t request) const;
  /// The request takes those.
  void take_back(std::int64_t request);

 private:
  static constexpr std::int64_t kNobody = -1;
  struct Run {
    std::int64_t request = kNobody;
    std::int64_t blocks = 0;
  };
  std::int64_t count_ = 0;
  std::size_t oldest_ = 0;  ///< Index into runs_; those before are used up.
  std::vector<Run> runs_;
};

}  // namespace moesim::serving
