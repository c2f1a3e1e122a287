#include "serving/prefix_cache.h"

#include <utility>

#include "core/check.h"

namespace moesim::serving {
namespace {

constexpr std::size_t kSmallestTable = 64;

/// Spreads ids that traces number in a row (the finaliser of SplitMix64).
std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

}  // namespace

std::size_t PrefixCache::home(BlockId id) const { return mixed(id) & (table_.size() - 1); }

std::size_t PrefixCache::place_of(BlockId id) const {
  std::size_t place = home(id);
  while (table_[place] != kNone && blocks_[static_cast<std::size_t>(table_[place])].id != id) {
    place = (place + 1) & (table_.size() - 1);
  }
  return place;
}

const PrefixCache::Block* PrefixCache::find(BlockId id) const {
  if (table_.empty()) return nullptr;
  const std::int32_t i = table_[place_of(id)];
  return i == kNone ? nullptr : &blocks_[static_cast<std::size_t>(i)];
}

std::size_t PrefixCache::leading_run(std::span<const BlockId> ids) const {
  std::size_t run = 0;
  while (run < ids.size() && find(ids[run]) != nullptr) ++run;
  return run;
}

void PrefixCache::link_newest(std::int32_t i) {
  Block& block = at(i);
  block.older = newest_;
  block.newer = kNone;
  (newest_ == kNone ? oldest_ : at(newest_).newer) = i;
  newest_ = i;
  idle_ += block.size;
}

void PrefixCache::unlink(std::int32_t i) {
  const Block& block = at(i);
  (block.older == kNone ? oldest_ : at(block.older).newer) = block.newer;
  (block.newer == kNone ? newest_ : at(block.newer).older) = block.older;
  idle_ -= block.size;
}

void PrefixCache::grow() {
  const std::size_t places = table_.empty() ? kSmallestTable : 2 * table_.size();
  const std::vector<std::int32_t> before =
      std::exchange(table_, std::vector<std::int32_t>(places, kNone));
  for (const std::int32_t i : before) {
    if (i != kNone) table_[place_of(at(i).id)] = i;
  }
}

std::int32_t PrefixCache::add(BlockId id, std::int32_t size) {
  if (2 * static_cast<std::size_t>(count_ + 1) > table_.size()) grow();
  std::int32_t i = unused_;
  if (i == kNone) {
    i = static_cast<std::int32_t>(blocks_.size());
    blocks_.emplace_back();
  } else {
    unused_ = at(i).older;
  }
  at(i) = {.id = id, .size = size};
  table_[place_of(id)] = i;
  ++count_;
  size_ += size;
  return i;
}

void PrefixCache::erase(std::size_t place) {
  const std::int32_t i = table_[place];
  --count_;
  size_ -= at(i).size;
  at(i).older = unused_;
  unused_ = i;
  // What stands behind moves up, so that every id is found from its home without a gap.
  const std::size_t mask = table_.size() - 1;
  std::size_t gap = place;
  for (std::size_t next = (gap + 1) & mask; table_[next] != kNone; next = (next + 1) & mask) {
    const std::size_t wanted = home(at(table_[next]).id);
    if (((next - wanted) & mask) < ((next - gap) & mask)) continue;
    table_[gap] = table_[next];
    gap = next;
  }
  table_[gap] = kNone;
}

void PrefixCache::use(std::span<const BlockId> ids, std::int32_t size) { use(ids, size, size); }

void PrefixCache::use(std::span<const BlockId> ids, std::int32_t size, std::int32_t last_size) {
  for (std::size_t n = ids.size(); n > 0; --n) {
    const std::int32_t own = n == ids.size() ? last_size : size;
    if (own == 0) continue;
    const BlockId id = ids[n - 1];
    const std::int32_t known = table_.empty() ? kNone : table_[place_of(id)];
    if (known == kNone) {
      link_newest(add(id, own));
    } else if (at(known).holders == 0 && known != newest_) {
      unlink(known);
      link_newest(known);
    }
  }
}

void PrefixCache::hold(BlockId id) {
  const std::int32_t i = table_[place_of(id)];
  MOESIM_DCHECK(i != kNone, "a block is held that is not in the cache");
  if (at(i).holders++ == 0) unlink(i);
}

void PrefixCache::add_held(BlockId id, std::int32_t size, SimTime ready) {
  const std::int32_t i = add(id, size);
  at(i).holders = 1;
  at(i).ready = ready;
}

void PrefixCache::release(BlockId id) {
  const std::int32_t i = table_[place_of(id)];
  MOESIM_CHECK(i != kNone && at(i).holders > 0, "a block is released that nobody holds");
  if (--at(i).holders == 0) link_newest(i);
}

std::int64_t PrefixCache::drop_oldest() {
  if (oldest_ == kNone) return 0;
  const std::int32_t i = oldest_;
  const std::int64_t freed = at(i).size;
  unlink(i);
  erase(place_of(at(i).id));
  return freed;
}

void PrefixCache::trim(std::int64_t capacity) {
  while (size_ > capacity && drop_oldest() > 0) {
  }
}

}  // namespace moesim::serving
