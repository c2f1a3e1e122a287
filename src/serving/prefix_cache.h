// Which prefix blocks a memory holds: least recently used ones go first.
//
// Blocks are named by ids that stand for the whole prompt up to their end (chained hashes), so the
// longest run of cached leading ids is what a radix tree over the prompts would find. A block that
// running sequences hold stays; the others form a list by last use. Within a request the head
// counts as used last, so that a prompt loses its tail first. Source: Kwon et al., "Efficient
// Memory Management for Large Language Model Serving with PagedAttention", SOSP 2023 (blocks by
// hash); Zheng et al., "SGLang", NeurIPS 2024 (radix tree, leaves evicted by LRU). A table with
// open addressing and a list through one array: nothing is allocated once the array has grown to
// the blocks held at once. docs/models/prefix_cache.md. Layer: serving.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/sim_time.h"

namespace moesim::serving {

class PrefixCache {
 public:
  using BlockId = std::uint64_t;
  struct Block {
    BlockId id = 0;
    std::int32_t size = 1;     ///< What it takes of the memory, in the caller's unit.
    std::int32_t holders = 0;  ///< Sequences that read it; 0: it may be dropped.
    SimTime ready{};           ///< Its contents are there from then on.
    std::int32_t older = kNone;
    std::int32_t newer = kNone;
  };

  /// The leading ids that are here.
  [[nodiscard]] std::size_t leading_run(std::span<const BlockId> ids) const;
  /// Null if it is not here; valid until the cache changes.
  [[nodiscard]] const Block* find(BlockId id) const;

  /// Makes ids[0] the block used last, ids[1] the one before it and so on, adding (of `size`,
  /// nobody holding them) those that are not here.
  void use(std::span<const BlockId> ids, std::int32_t size = 1);
  /// The same for a prompt's blocks whose last one is of another size; 0: it is left out.
  void use(std::span<const BlockId> ids, std::int32_t size, std::int32_t last_size);

  /// One more sequence reads the block. It must be here.
  void hold(BlockId id);
  /// Adds a block that is not here, held by one sequence.
  void add_held(BlockId id, std::int32_t size, SimTime ready);
  /// One sequence fewer reads it; with the last one it becomes the block used last.
  void release(BlockId id);

  /// Drops the block nobody holds that was used longest ago and returns its size; 0: there is none.
  std::int64_t drop_oldest();
  /// Drops blocks until what is here takes at most `capacity`, or nothing more can go.
  void trim(std::int64_t capacity);

  [[nodiscard]] std::int64_t size() const { return size_; }
  /// Of the blocks that nobody holds.
  [[nodiscard]] std::int64_t idle() const { return idle_; }
  [[nodiscard]] std::int64_t count() const { return count_; }

 private:
  static constexpr std::int32_t kNone = -1;

  [[nodiscard]] std::size_t home(BlockId id) const;
  /// Place of the id in the table, or the empty one where it would go.
  [[nodiscard]] std::size_t place_of(BlockId id) const;
  [[nodiscard]] Block& at(std::int32_t i) { return blocks_[static_cast<std::size_t>(i)]; }
  std::int32_t add(BlockId id, std::int32_t size);
  void grow();
  void erase(std::size_t place);
  void link_newest(std::int32_t i);
  void unlink(std::int32_t i);

  std::vector<std::int32_t> table_;  ///< Index into blocks_, or kNone; a power of two.
  std::vector<Block> blocks_;
  std::int32_t unused_ = kNone;  ///< Entries of blocks_ given back, a list through `older`.
  std::int32_t oldest_ = kNone;
  std::int32_t newest_ = kNone;
  std::int64_t count_ = 0;
  std::int64_t size_ = 0;
  std::int64_t idle_ = 0;
};

}  // namespace moesim::serving
