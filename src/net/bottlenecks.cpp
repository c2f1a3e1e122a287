#include "net/bottlenecks.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/check.h"

namespace moesim::net {

Bottlenecks::Bottlenecks(std::span<const BytesPerSecond> capacity) {
  double widest = 0.0;
  for (const BytesPerSecond c : capacity) {
    const double bytes_per_second = c / (kByte / kSecond);
    MOESIM_CHECK(bytes_per_second >= 0.0 && bytes_per_second < kOpen, "links have rates");
    widest = std::max(widest, bytes_per_second);
  }
  // A power of two, so that going from quanta to bytes is exact.
  int exponent = 0;
  (void)std::frexp(widest, &exponent);
  quantum_ = std::ldexp(1.0, exponent - 52);
  for (const BytesPerSecond c : capacity) {
    capacity_.push_back(whole(c / (kByte / kSecond) / quantum_));
    MOESIM_CHECK(capacity_.back() >= 1.0 || c == BytesPerSecond{},
                 "links of one network are within 2^51 of each other");
  }
  const std::size_t links = capacity_.size();
  const std::size_t padded = (links + kBlock - 1) / kBlock * kBlock;
  load_.assign(links, 0.0);
  level_.assign(links, kOpen);
  owned_weight_.assign(links, 0.0);
  crossings_.resize(links);
  is_dirty_.assign(links, 0);
  touched_.assign(links, 0);
  slot_.assign(links, 0);
  filled_.assign(padded, 0);
  shared_.assign(padded, 0);
  left_.assign(padded, kOpen);
  weight_.assign(padded, 1.0);
  trigger_.assign(padded, kOpen);
  lowest_of_block_.assign(padded / kBlock, kOpen);
  stale_block_.assign(padded / kBlock, 0);
  touched_links_.reserve(links);
}

std::size_t Bottlenecks::touch(std::int32_t id) {
  const std::size_t link = at(id);
  if (touched_[link] == solve_) return at(slot_[link]);
  const std::size_t slot = touched_links_.size();
  touched_[link] = solve_;
  slot_[link] = static_cast<std::int32_t>(slot);
  touched_links_.push_back(id);
  filled_[slot] = 0;
  shared_[slot] = 0;
  left_[slot] = capacity_[link] - load_[link];
  weight_[slot] = owned_weight_[link];
  trigger_[slot] = level_[link];
  if (owned_weight_[link] > 0.0) left_[slot] += owned_weight_[link] * level_[link];
  stale_block_[slot / kBlock] = 1;
  return slot;
}

void Bottlenecks::give(std::size_t slot, double left, double weight) {
  MOESIM_DCHECK(filled_[slot] == 0, "nothing changes on a link that has filled up");
  left_[slot] += left;
  weight_[slot] += weight;
  shared_[slot] = 1;
  stale_block_[slot / kBlock] = 1;
}

/// Takes a slot out of the search.
void Bottlenecks::close(std::size_t slot) {
  left_[slot] = kOpen;
  weight_[slot] = 1.0;
  trigger_[slot] = kOpen;
  stale_block_[slot / kBlock] = 1;
}

double Bottlenecks::key(std::size_t slot) const {
  const double share = left_[slot] / weight_[slot];
  const double level = weight_[slot] > 0.0 ? share : kOpen;
  return level < trigger_[slot] ? level : trigger_[slot];
}

double Bottlenecks::lowest_of(std::size_t block) const {
  // Plain loops over one block each, for the compiler to turn into vector instructions.
  const double* left = &left_[block * kBlock];
  const double* weight = &weight_[block * kBlock];
  const double* trigger = &trigger_[block * kBlock];
  double keys[kBlock];
  for (std::size_t i = 0; i < kBlock; ++i) {
    const double share = left[i] / weight[i];
    const double level = weight[i] > 0.0 ? share : kOpen;
    keys[i] = level < trigger[i] ? level : trigger[i];
  }
  for (std::size_t half = kBlock / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) {
      keys[i] = keys[i] < keys[i + half] ? keys[i] : keys[i + half];
    }
  }
  return keys[0];
}

std::int32_t Bottlenecks::lowest() {
  double least = kOpen;
  std::size_t block = 0;
  const std::size_t blocks = (touched_links_.size() + kBlock - 1) / kBlock;
  for (std::size_t b = 0; b < blocks; ++b) {
    if (stale_block_[b] != 0) {
      stale_block_[b] = 0;
      lowest_of_block_[b] = lowest_of(b);
    }
    if (lowest_of_block_[b] < least) {
      least = lowest_of_block_[b];
      block = b;
    }
  }
  if (least == kOpen) return kNone;
  std::size_t slot = block * kBlock;
  while (key(slot) != least) ++slot;
  return static_cast<std::int32_t>(slot);
}

/// The class may take any rate from here on: its links count it among those that share.
void Bottlenecks::release(Class& c) {
  const double rate = c.weight * c.level;
  for (const std::int32_t link : path(c)) {
    const std::size_t slot = touch(link);
    if (link != c.owner) {
      give(slot, rate, c.weight);
    } else {
      shared_[slot] = 1;
    }
  }
  set(c, kReleased);
}

/// A class released at the very level at which another of its links has filled up stays there.
bool Bottlenecks::keep_at_filled_link(std::int32_t path_class) {
  Class& c = class_[at(path_class)];
  for (const std::int32_t link : path(c)) {
    if (link == c.owner || touched_[at(link)] != solve_ || filled_[at(slot_[at(link)])] == 0) {
      continue;
    }
    MOESIM_DCHECK(c.level == filled_at_, "the water has passed a class on a full link");
    give(at(slot_[at(c.owner)]), -c.weight * c.level, -c.weight);
    set(c, kFixed);
    moves_.push_back({.path_class = path_class, .from = c.owner, .to = link});
    return true;
  }
  return false;
}

void Bottlenecks::release_owned(std::size_t slot) {
  const bool may_stay = trigger_[slot] == filled_at_;
  trigger_[slot] = kOpen;
  shared_[slot] = 1;
  stale_block_[slot / kBlock] = 1;
  const Crossings& crossings = crossings_[at(touched_links_[slot])];
  for (std::size_t i = 0; i < crossings.owned; ++i) {
    const std::int32_t id = crossings.entries[i].path_class;
    Class& c = class_[at(id)];
    if (untouched(c) && !(may_stay && keep_at_filled_link(id))) release(c);
  }
}

/// Releases the classes that other links held at higher levels; whether there were any. On a link
/// that owned classes before, there are none above its old level.
bool Bottlenecks::take_higher(std::size_t slot, double level) {
  const std::size_t link = at(touched_links_[slot]);
  if (level_[link] != kOpen && level >= level_[link]) return false;
  bool taken = false;
  const Crossings& crossings = crossings_[link];
  for (std::size_t i = crossings.owned; i < crossings.entries.size(); ++i) {
    Class& c = class_[at(crossings.entries[i].path_class)];
    if (c.level <= level || !untouched(c)) continue;
    release(c);
    taken = true;
  }
  return taken;
}

void Bottlenecks::fix(std::int32_t path_class, std::int32_t link, double level) {
  Class& c = class_[at(path_class)];
  const double rate = c.weight * level;
  if (is(c, kReleased)) {
    for (const std::int32_t crossed : path(c)) {
      if (crossed != link) give(at(slot_[at(crossed)]), -rate, -c.weight);
    }
  } else if (level != c.level) {
    for (const std::int32_t crossed : path(c)) {
      if (crossed != link) give(touch(crossed), c.weight * c.level - rate, 0.0);
    }
  }
  set(c, kFixed);
  c.level = level;
  if (c.owner != link) moves_.push_back({.path_class = path_class, .from = c.owner, .to = link});
}

void Bottlenecks::fill(std::size_t slot, double level) {
  const std::int32_t id = touched_links_[slot];
  const std::size_t link = at(id);
  if (shared_[slot] != 0 || level != level_[link]) {
    MOESIM_CHECK(level >= 1.0, "a share is a quantum or more");
    const Crossings& crossings = crossings_[link];
    const std::size_t end = shared_[slot] != 0 ? crossings.entries.size() : crossings.owned;
    for (std::size_t i = 0; i < end; ++i) {
      const std::int32_t path_class = crossings.entries[i].path_class;
      const Class& c = class_[at(path_class)];
      const bool shares = i < crossings.owned ? !is(c, kFixed) : is(c, kReleased);
      if (shares) fix(path_class, id, level);
    }
  }
  load_[link] = capacity_[link] - (left_[slot] - weight_[slot] * level);
  filled_[slot] = 1;
  filled_at_ = level;
  close(slot);
  level_[link] = level;
}

void Bottlenecks::finish_solve() {
  for (std::size_t slot = 0; slot < touched_links_.size(); ++slot) {
    if (filled_[slot] != 0) continue;
    MOESIM_DCHECK(weight_[slot] == 0.0, "what shares a link is fixed");
    const std::size_t link = at(touched_links_[slot]);
    load_[link] = capacity_[link] - left_[slot];
    level_[link] = kOpen;
    close(slot);
  }
  for (const Move& move : moves_) {
    if (move.from != kNone) disown(move.path_class);
    own(move.path_class, move.to);
  }
}

void Bottlenecks::begin_solve() {
  moves_.clear();
  touched_links_.clear();
  filled_at_ = -1.0;
  if (++solve_ == (1U << 30)) {
    for (Class& c : class_) c.state = 0;
    std::fill(touched_.begin(), touched_.end(), 0U);
    solve_ = 1;
  }
  for (const std::int32_t link : dirty_links_) {
    is_dirty_[at(link)] = 0;
    (void)touch(link);
  }
  dirty_links_.clear();
  for (const std::int32_t id : fresh_) {
    Class& c = class_[at(id)];
    if (c.weight > 0 && c.owner == kNone && !is(c, kReleased)) release(c);
  }
  fresh_.clear();
}

void Bottlenecks::solve() {
  begin_solve();
  for (;;) {
    const std::int32_t found = lowest();
    if (found == kNone) break;
    const std::size_t slot = at(found);
    const double level = weight_[slot] > 0.0 ? whole(left_[slot] / weight_[slot]) : kOpen;
    if (level > trigger_[slot]) {
      release_owned(slot);
    } else if (!take_higher(slot, level)) {
      fill(slot, level);
    }
  }
  finish_solve();
}

}  // namespace moesim::net
