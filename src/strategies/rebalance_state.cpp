#include "strategies/rebalance_state.h"

#include <algorithm>

namespace moesim::strategies {

SlotState::SlotState(const LayerLoads& loads, std::span<const std::int32_t> start)
    : loads_(loads),
      experts_(loads.experts),
      room_(loads.slots_per_rank),
      workloads_(loads.workloads),
      expert_(start.begin(), start.end()),
      replicas_(loads.experts, 0),
      first_(loads.experts, -1),
      next_(start.size(), -1),
      previous_(start.size(), -1),
      mark_(loads.ranks * loads.experts, 0),
      load_(loads.ranks * loads.workloads, 0.0),
      inverse_(loads.ranks + 2, 0.0) {
  for (std::size_t n = 1; n < inverse_.size(); ++n) inverse_[n] = 1.0 / static_cast<double>(n);
  for (std::size_t s = 0; s < expert_.size(); ++s) {
    mark_[s / room_ * experts_ + expert_at(s)] |= kHome;
  }
  assign(start);
}

void SlotState::set_cap(double cap) {
  cap_ = cap;
  recompute();
}

void SlotState::assign(std::span<const std::int32_t> slots) {
  for (std::size_t s = 0; s < expert_.size(); ++s) {
    mark_[s / room_ * experts_ + expert_at(s)] &= kHome;
  }
  std::copy(slots.begin(), slots.end(), expert_.begin());
  std::fill(replicas_.begin(), replicas_.end(), 0);
  std::fill(first_.begin(), first_.end(), -1);
  moved_ = 0;
  for (std::size_t s = 0; s < expert_.size(); ++s) {
    link(s);
    ++replicas_[expert_at(s)];
    mark_[s / room_ * experts_ + expert_at(s)] |= kHere;
    moved_ += away(s / room_, expert_at(s));
  }
  recompute();
}

void SlotState::recompute() {
  std::fill(load_.begin(), load_.end(), 0.0);
  for (std::size_t s = 0; s < expert_.size(); ++s) {
    const std::size_t e = expert_at(s);
    for (std::size_t k = 0; k < workloads_; ++k) {
      load_[s / room_ * workloads_ + k] += share(e, k, replicas_[e]);
    }
  }
  excess_ = 0.0;
  for (const double l : load_) excess_ += above(l);
}

double SlotState::largest_load() const {
  double most = 0.0;
  for (std::size_t r = 0; r < loads_.ranks; ++r) {
    for (std::size_t k = 0; k < workloads_; ++k) {
      double sum = 0.0;
      for (std::size_t s = r * room_; s < (r + 1) * room_; ++s) {
        sum += share(expert_at(s), k, replicas_[expert_at(s)]);
      }
      most = std::max(most, sum);
    }
  }
  return most;
}

double SlotState::excess_of(std::size_t rank) const {
  double sum = 0.0;
  for (std::size_t k = 0; k < workloads_; ++k) sum += above(load_[rank * workloads_ + k]);
  return sum;
}

void SlotState::link(std::size_t slot) {
  std::int32_t& head = first_[expert_at(slot)];
  next_[slot] = head;
  previous_[slot] = -1;
  if (head >= 0) previous_[static_cast<std::size_t>(head)] = static_cast<std::int32_t>(slot);
  head = static_cast<std::int32_t>(slot);
}

void SlotState::unlink(std::size_t slot) {
  const std::int32_t before = previous_[slot];
  const std::int32_t after = next_[slot];
  if (before >= 0) {
    next_[static_cast<std::size_t>(before)] = after;
  } else {
    first_[expert_at(slot)] = after;
  }
  if (after >= 0) previous_[static_cast<std::size_t>(after)] = before;
}

bool SlotState::may_swap(std::size_t a, std::size_t b) const {
  const std::size_t rank_a = a / room_;
  const std::size_t rank_b = b / room_;
  return rank_a != rank_b && !holds(rank_b, expert_at(a)) && !holds(rank_a, expert_at(b));
}

Effect SlotState::swap_effect(std::size_t a, std::size_t b) const {
  const std::size_t rank_a = a / room_;
  const std::size_t rank_b = b / room_;
  const std::size_t e = expert_at(a);
  const std::size_t f = expert_at(b);
  Effect effect;
  effect.moved = away(rank_a, f) + away(rank_b, e) - away(rank_a, e) - away(rank_b, f);
  effect.copies = copies(rank_a, f, e) + copies(rank_b, e, f);
  for (std::size_t k = 0; k < workloads_; ++k) {
    const double d = share(f, k, replicas_[f]) - share(e, k, replicas_[e]);
    effect.excess += change(rank_a * workloads_ + k, d) + change(rank_b * workloads_ + k, -d);
  }
  return effect;
}

void SlotState::swap(std::size_t a, std::size_t b, const Effect& effect) {
  const std::size_t rank_a = a / room_;
  const std::size_t rank_b = b / room_;
  const std::size_t e = expert_at(a);
  const std::size_t f = expert_at(b);
  unlink(a);
  unlink(b);
  expert_[a] = static_cast<std::int32_t>(f);
  expert_[b] = static_cast<std::int32_t>(e);
  link(a);
  link(b);
  mark_[rank_a * experts_ + e] &= kHome;
  mark_[rank_b * experts_ + f] &= kHome;
  mark_[rank_a * experts_ + f] |= kHere;
  mark_[rank_b * experts_ + e] |= kHere;
  for (std::size_t k = 0; k < workloads_; ++k) {
    const double d = share(f, k, replicas_[f]) - share(e, k, replicas_[e]);
    load_[rank_a * workloads_ + k] += d;
    load_[rank_b * workloads_ + k] -= d;
  }
  excess_ += effect.excess;
  moved_ += effect.moved;
}

bool SlotState::may_replace(std::size_t slot, std::size_t expert) const {
  return replicas_[expert_at(slot)] > 1 && !holds(slot / room_, expert);
}

Effect SlotState::replace_effect(std::size_t slot, std::size_t expert) const {
  const std::size_t rank = slot / room_;
  const std::size_t e = expert_at(slot);
  const std::int32_t c = replicas_[e];
  const std::int32_t d = replicas_[expert];
  Effect effect;
  effect.moved = away(rank, expert) - away(rank, e);
  effect.copies = copies(rank, expert, e);
  for (std::size_t k = 0; k < workloads_; ++k) {
    const double rise = share(e, k, c - 1) - share(e, k, c);
    const double fall = share(expert, k, d + 1) - share(expert, k, d);
    effect.excess += change(rank * workloads_ + k, share(expert, k, d + 1) - share(e, k, c));
    for (std::int32_t s = first_[e]; s >= 0; s = next_[static_cast<std::size_t>(s)]) {
      const std::size_t r = static_cast<std::size_t>(s) / room_;
      if (r == rank) continue;
      effect.excess += change(r * workloads_ + k, holds(r, expert) ? rise + fall : rise);
    }
    for (std::int32_t s = first_[expert]; s >= 0; s = next_[static_cast<std::size_t>(s)]) {
      const std::size_t r = static_cast<std::size_t>(s) / room_;
      if (!holds(r, e)) effect.excess += change(r * workloads_ + k, fall);
    }
  }
  return effect;
}

void SlotState::add_everywhere(std::size_t expert, std::int32_t from, std::int32_t to) {
  for (std::int32_t s = first_[expert]; s >= 0; s = next_[static_cast<std::size_t>(s)]) {
    const std::size_t r = static_cast<std::size_t>(s) / room_;
    for (std::size_t k = 0; k < workloads_; ++k) {
      load_[r * workloads_ + k] += share(expert, k, to) - share(expert, k, from);
    }
  }
}

void SlotState::replace(std::size_t slot, std::size_t expert, const Effect& effect) {
  const std::size_t rank = slot / room_;
  const std::size_t e = expert_at(slot);
  const std::int32_t c = replicas_[e]--;
  const std::int32_t d = replicas_[expert]++;
  unlink(slot);
  add_everywhere(e, c, c - 1);
  add_everywhere(expert, d, d + 1);
  for (std::size_t k = 0; k < workloads_; ++k) {
    load_[rank * workloads_ + k] += share(expert, k, d + 1) - share(e, k, c);
  }
  expert_[slot] = static_cast<std::int32_t>(expert);
  link(slot);
  mark_[rank * experts_ + e] &= kHome;
  mark_[rank * experts_ + expert] |= kHere;
  excess_ += effect.excess;
  moved_ += effect.moved;
}

}  // namespace moesim::strategies
