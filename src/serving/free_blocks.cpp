#include "serving/free_blocks.h"

#include <algorithm>

#include "core/check.h"

namespace moesim::serving {

FreeBlocks::FreeBlocks(std::int64_t blocks) { give(blocks); }

void FreeBlocks::give(std::int64_t blocks) {
  if (blocks == 0) return;
  count_ += blocks;
  if (oldest_ < runs_.size() && runs_.back().request == kNobody) {
    runs_.back().blocks += blocks;
  } else {
    runs_.push_back({.blocks = blocks});
  }
}

void FreeBlocks::leave(std::int64_t request, std::int64_t blocks) {
  if (blocks == 0) return;
  count_ += blocks;
  runs_.push_back({.request = request, .blocks = blocks});
}

void FreeBlocks::take(std::int64_t blocks) {
  MOESIM_CHECK(blocks <= count_, "more KV blocks taken than there are");
  count_ -= blocks;
  while (blocks > 0) {
    Run& oldest = runs_[oldest_];
    const std::int64_t taken = std::min(blocks, oldest.blocks);
    oldest.blocks -= taken;
    blocks -= taken;
    if (oldest.blocks == 0) ++oldest_;
  }
  // What is used up is dropped once it is most of the list.
  if (2 * oldest_ <= runs_.size()) return;
  runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(oldest_));
  oldest_ = 0;
}

std::int64_t FreeBlocks::left_by(std::int64_t request) const {
  for (std::size_t i = oldest_; i < runs_.size(); ++i) {
    if (runs_[i].request == request) return runs_[i].blocks;
  }
  return 0;
}

void FreeBlocks::take_back(std::int64_t request) {
  for (std::size_t i = oldest_; i < runs_.size(); ++i) {
    if (runs_[i].request != request) continue;
    count_ -= runs_[i].blocks;
    runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

}  // namespace moesim::serving
