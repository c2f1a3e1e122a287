#include "serving/kv_pool.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace moesim::serving {
namespace {

std::size_t at(CacheTier tier) { return static_cast<std::size_t>(tier); }

}  // namespace

void PrefixCounts::add(const PrefixCounts& other) {
  asked += other.asked;
  computed_again += other.computed_again;
  for (std::size_t t = 0; t < kCacheTiers; ++t) found[t] += other.found[t];
}

void KvPool::cache_prefixes(std::int64_t hash_tokens, std::unique_ptr<LowerTier> host,
                            LowerTier* disk) {
  MOESIM_CHECK(hash_tokens > 0 && hash_tokens % block_size_ == 0,
               "prefix blocks are not whole KV blocks");
  hash_tokens_ = hash_tokens;
  host_ = std::move(host);
  disk_ = disk;
}

void KvPool::take(std::int64_t blocks) {
  while (free_.count() < blocks) {
    const std::int64_t dropped = cache_.drop_oldest();
    MOESIM_CHECK(dropped > 0, "more KV blocks taken than there are");
    free_.give(dropped);
  }
  free_.take(blocks);
  peak_ = std::max(peak_, total_ - available());
}

std::int32_t KvPool::blocks_of_id(std::size_t i, std::int64_t input) const {
  const std::int64_t start = static_cast<std::int64_t>(i) * hash_tokens_;
  return static_cast<std::int32_t>(std::min(hash_tokens_, input - start) / block_size_);
}

KvPool::Match KvPool::match(Ids prompt, const Sequence& sequence) const {
  Match match;
  if (finds_left(prompt, sequence)) {
    const std::int64_t whole = (sequence.prefill_target - 1) / block_size_;
    match.idle = std::min(free_.left_by(sequence.request), whole);
    match.tokens = static_cast<std::int32_t>(match.idle * block_size_);
    return match;
  }
  if (hash_tokens_ == 0) return match;
  // One token is computed at least: it yields the first of the answer.
  const std::int64_t limit = (sequence.input_tokens - 1) / block_size_ * block_size_;
  if (sequence.assumed_hit > 0) {
    match_assumed(sequence, limit, match);
    return match;
  }
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < prompt.size() && tokens < limit; ++i) {
    const std::int32_t blocks = blocks_of_id(i, sequence.input_tokens);
    const std::int64_t gain = std::min(blocks * block_size_, limit - tokens);
    CacheTier tier = CacheTier::Gpu;
    if (const PrefixCache::Block* block = cache_.find(prompt[i])) {
      if (block->holders == 0) match.idle += block->size;
    } else if (host_ && host_->holds(prompt[i])) {
      tier = CacheTier::Host;
    } else if (disk_ != nullptr && disk_->holds(prompt[i])) {
      tier = CacheTier::Disk;
    } else {
      break;
    }
    if (tier != CacheTier::Gpu) match.to_take += blocks;
    match.found[at(tier)] += gain;
    tokens += gain;
    ++match.ids;
  }
  match.tokens = static_cast<std::int32_t>(tokens);
  return match;
}

void KvPool::match_assumed(const Sequence& sequence, std::int64_t limit, Match& match) const {
  const std::int64_t tokens =
      std::min<std::int64_t>(sequence.assumed_hit / block_size_ * block_size_, limit);
  match.tokens = static_cast<std::int32_t>(tokens);
  match.to_take = tokens / block_size_;
  match.found[at(sequence.assumed_tier)] = tokens;
}

std::int64_t KvPool::cached_tokens(Ids prompt, std::int64_t input) const {
  if (hash_tokens_ == 0) return 0;
  return std::min(static_cast<std::int64_t>(cache_.leading_run(prompt)) * hash_tokens_, input);
}

SimTime KvPool::begin(Ids prompt, const Match& match, Sequence& s, SimTime now) {
  if (finds_left(prompt, s)) {
    const std::int64_t left = free_.left_by(s.request);
    free_.take_back(s.request);
    give(left - match.idle);
    counts_.computed_again += match.tokens;
    s.prefilled = match.tokens;
    s.blocks = static_cast<std::int32_t>(match.idle);
    peak_ = std::max(peak_, total_ - available());
    return now;
  }
  if (hash_tokens_ == 0) return now;
  if (s.preemptions == 0) {
    counts_.asked += s.input_tokens;
    for (std::size_t t = 0; t < kCacheTiers; ++t) counts_.found[t] += match.found[t];
  } else {
    counts_.computed_again += match.tokens;
  }
  SimTime ready = now;
  const auto load = [&](CacheTier tier) {
    const std::int64_t blocks = (match.found[at(tier)] + block_size_ - 1) / block_size_;
    if (blocks == 0) return;
    LowerTier* const from = tier == CacheTier::Host ? host_.get() : disk_;
    MOESIM_CHECK(from != nullptr, "a hit in a tier that is not there");
    ready = std::max(ready, from->load(blocks, now));
  };
  load(CacheTier::Host);
  load(CacheTier::Disk);
  s.prefilled = match.tokens;
  s.blocks = static_cast<std::int32_t>(match.tokens / block_size_);
  if (s.assumed_hit > 0) {
    take(match.to_take);
    return ready;
  }
  // What is here is held before room is made for the rest.
  const Ids found = prompt.first(static_cast<std::size_t>(match.ids));
  missing_.clear();
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (const PrefixCache::Block* block = cache_.find(found[i])) {
      ready = std::max(ready, block->ready);
      cache_.hold(found[i]);
    } else {
      missing_.push_back(i);
    }
  }
  for (const std::size_t i : missing_) {
    const std::int32_t blocks = blocks_of_id(i, s.input_tokens);
    take(blocks);
    cache_.add_held(found[i], blocks, ready);
  }
  s.shared = s.blocks;
  s.held_ids = match.ids;
  return ready;
}

void KvPool::publish(Ids prompt, Sequence& s) {
  if (hash_tokens_ == 0 || prompt.empty()) return;
  const std::int64_t done = std::min(s.prefilled, s.input_tokens);
  for (auto i = static_cast<std::size_t>(s.held_ids); i < prompt.size(); ++i) {
    const std::int32_t blocks = blocks_of_id(i, s.input_tokens);
    const std::int64_t start = static_cast<std::int64_t>(i) * hash_tokens_;
    if (blocks == 0 || done < std::min<std::int64_t>(start + hash_tokens_, s.input_tokens)) break;
    if (const PrefixCache::Block* known = cache_.find(prompt[i])) {
      const std::int32_t same = std::min(blocks, known->size);
      cache_.hold(prompt[i]);
      give(same);
      s.shared += same;
    } else {
      cache_.add_held(prompt[i], blocks, SimTime{});
      s.shared += blocks;
    }
    ++s.held_ids;
  }
  if (done < s.input_tokens) return;
  const auto size = static_cast<std::int32_t>(hash_tokens_ / block_size_);
  const std::int32_t last = blocks_of_id(prompt.size() - 1, s.input_tokens);
  if (host_) host_->use(prompt, size, last);
  if (disk_ != nullptr) disk_->use(prompt, size, last);
}

void KvPool::leave(Ids prompt, Sequence& s, std::int64_t blocks) {
  give(blocks - s.shared);
  for (auto i = static_cast<std::size_t>(s.held_ids); i > 0; --i) cache_.release(prompt[i - 1]);
  s.shared = 0;
  s.held_ids = 0;
}

void KvPool::preempt(Ids prompt, Sequence& s, std::int64_t blocks, std::int64_t computed) {
  if (kept_ == catalog::PreemptedBlocks::None || !prompt.empty() || s.assumed_hit > 0) {
    leave(prompt, s, blocks);
    return;
  }
  if (kept_ == catalog::PreemptedBlocks::Prompt) {
    computed = std::min<std::int64_t>(computed, s.input_tokens);
  }
  const std::int64_t kept = std::min(computed / block_size_, blocks);
  give(blocks - kept);
  free_.leave(s.request, kept);
}

}  // namespace moesim::serving
