#include "serving/waiting_queue.h"

#include <algorithm>
#include <tuple>

namespace moesim::serving {

bool goes_before(const Sequence& a, const Sequence& b) {
  return std::tuple(a.priority, a.arrival, a.request) <
         std::tuple(b.priority, b.arrival, b.request);
}

WaitingQueue::Level& WaitingQueue::level_of(const Sequence& sequence) {
  const std::int32_t priority = policy_ == SchedulingPolicy::Fcfs ? 0 : sequence.priority;
  const auto at = std::find_if(levels_.begin(), levels_.end(),
                               [&](const Level& level) { return level.priority >= priority; });
  if (at != levels_.end() && at->priority == priority) return *at;
  return *levels_.insert(at, Level{.priority = priority});
}

void WaitingQueue::insert_after(Level& level, SequenceIndex before, SequenceIndex index) {
  ++count_;
  tokens_ += (*pool_)[index].prefill_target;
  SequenceIndex& next = before == kNoSequence ? level.head : (*pool_)[before].younger;
  (*pool_)[index].younger = next;
  next = index;
  if (level.tail == before) level.tail = index;
  find_head();
}

void WaitingQueue::insert_by_arrival(SequenceIndex index) {
  Level& level = level_of((*pool_)[index]);
  const auto stays_before = [&](SequenceIndex other) {
    return goes_before((*pool_)[other], (*pool_)[index]);
  };
  SequenceIndex before = kNoSequence;
  if (level.tail != kNoSequence && stays_before(level.tail)) {
    before = level.tail;
  } else {
    for (SequenceIndex at = level.head; at != kNoSequence && stays_before(at);
         at = (*pool_)[at].younger) {
      before = at;
    }
  }
  insert_after(level, before, index);
}

void WaitingQueue::arrive(SequenceIndex index) {
  if (policy_ == SchedulingPolicy::Priority) return insert_by_arrival(index);
  Level& level = level_of((*pool_)[index]);
  insert_after(level, level.tail, index);
}

void WaitingQueue::come_back(SequenceIndex index) {
  if (policy_ == SchedulingPolicy::Priority) return insert_by_arrival(index);
  insert_after(level_of((*pool_)[index]), kNoSequence, index);
}

void WaitingQueue::find_head() {
  head_ = kNoSequence;
  for (const Level& level : levels_) {
    if (level.head == kNoSequence) continue;
    head_ = level.head;
    return;
  }
}

void WaitingQueue::pop() {
  Level& level = level_of((*pool_)[head_]);
  --count_;
  tokens_ -= (*pool_)[head_].prefill_target;
  level.head = (*pool_)[head_].younger;
  if (level.head == kNoSequence) level.tail = kNoSequence;
  find_head();
}

}  // namespace moesim::serving
