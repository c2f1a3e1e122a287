// The KV blocks of one attention rank: free ones, those of running sequences, and cached prefixes.
//
// Cached blocks that nobody reads count as free; they are dropped, least recently used first, when
// the free ones run out: so the pool that sequences leave over is the first tier of the prefix
// cache. A block of a prompt enters the cache when it is computed; a sequence that computed one
// that another had finished before gives its copy back. Prompts share blocks of the workload's own
// length (512 tokens, say), each of which is a whole number of KV blocks. Where the workload names
// no blocks, a preempted sequence finds what it left (free_blocks.h).
// docs/models/prefix_cache.md.
// Layer: serving.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "catalog/engine.h"
#include "core/sim_time.h"
#include "serving/free_blocks.h"
#include "serving/lower_tier.h"
#include "serving/prefix_cache.h"
#include "serving/prefix_settings.h"
#include "serving/sequence.h"

namespace moesim::serving {

/// What prompts found in the cache when they began. Counts of tokens.
struct PrefixCounts {
  std::int64_t asked = 0;  ///< Input tokens of the prompts.
  std::array<std::int64_t, kCacheTiers> found{};
  std::int64_t computed_again = 0;  ///< Found by prompts that had been preempted.
  void add(const PrefixCounts& other);
};

class KvPool {
 public:
  using Ids = std::span<const PrefixCache::BlockId>;

  KvPool(std::int64_t blocks, std::int64_t block_size)
      : total_(blocks), free_(blocks), block_size_(block_size) {}

  /// Turns the prefix cache on. `hash_tokens`: tokens that one id of a prompt stands for, a
  /// multiple of the block size; `disk` may be shared with other ranks and must outlive the pool.
  void cache_prefixes(std::int64_t hash_tokens, std::unique_ptr<LowerTier> host, LowerTier* disk);

  [[nodiscard]] std::int64_t total() const { return total_; }
  /// Blocks that can be had at once.
  [[nodiscard]] std::int64_t available() const { return free_.count() + cache_.idle(); }
  [[nodiscard]] std::int64_t peak() const { return peak_; }
  void take(std::int64_t blocks);
  void give(std::int64_t blocks) { free_.give(blocks); }
  /// From here on preempted sequences find such blocks of theirs again.
  void keep_preempted(catalog::PreemptedBlocks kept) { kept_ = kept; }

  /// What a prompt would find now.
  struct Match {
    std::int32_t tokens = 0;  ///< Leading ones that need no computing: whole blocks, not all of it.
    std::int32_t ids = 0;     ///< Of the prompt, that they lie in.
    std::int64_t to_take = 0;  ///< Blocks that have to come from a lower tier.
    std::int64_t idle = 0;     ///< Blocks found here that count as available until it begins.
    std::array<std::int64_t, kCacheTiers> found{};  ///< Tokens by where they were.
  };
  [[nodiscard]] Match match(Ids prompt, const Sequence& sequence) const;
  /// Tokens of the prompt that are on this GPU: the router's measure.
  [[nodiscard]] std::int64_t cached_tokens(Ids prompt, std::int64_t input) const;
  /// The prompt begins: it reads what was matched. Returns when all of it is here.
  SimTime begin(Ids prompt, const Match& match, Sequence& sequence, SimTime now);
  /// The blocks that `prefilled` tokens of the prompt fill can be read by others.
  void publish(Ids prompt, Sequence& sequence);
  /// The sequence gives up all it holds: `blocks`, those it shares among them.
  void leave(Ids prompt, Sequence& sequence, std::int64_t blocks);
  /// The same for a sequence that will come back: `computed` tokens of prompt and answer are in
  /// its blocks.
  void preempt(Ids prompt, Sequence& sequence, std::int64_t blocks, std::int64_t computed);

  [[nodiscard]] const PrefixCounts& counts() const { return counts_; }

 private:
  /// KV blocks that id `i` of a prompt of so many tokens fills.
  [[nodiscard]] std::int32_t blocks_of_id(std::size_t i, std::int64_t input) const;
  [[nodiscard]] bool finds_left(Ids prompt, const Sequence& sequence) const {
    return kept_ != catalog::PreemptedBlocks::None && sequence.preemptions > 0 && prompt.empty() &&
           sequence.assumed_hit == 0;
  }
  void match_assumed(const Sequence& sequence, std::int64_t limit, Match& match) const;

  std::int64_t total_;
  FreeBlocks free_;
  catalog::PreemptedBlocks kept_ = catalog::PreemptedBlocks::None;
  std::int64_t peak_ = 0;
  std::int64_t block_size_;
  std::int64_t hash_tokens_ = 0;  ///< 0: prefixes are not cached.
  PrefixCache cache_;
  std::unique_ptr<LowerTier> host_;
  LowerTier* disk_ = nullptr;
  std::vector<std::size_t> missing_;  ///< Of the prompt that begins.
  PrefixCounts counts_;
};

}  // namespace moesim::serving
