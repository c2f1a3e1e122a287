// The set of pending events, smallest key first.
//
// Model:   a 4-ary heap on one 128-bit key: time in picoseconds (64 bits) | priority (8 bits) |
//          sequence number (56 bits). No two keys are equal, so the order is total: by time, then
//          by priority, then first scheduled, first run.
// Source:  LaMarca, Ladner, "The influence of caches on the performance of heaps", 1996 (four
//          children side by side fill two cache lines).
// Omits:   removal of an event that is not the first. Cancel lazily: give the event a generation
//          number in its payload and ignore it when it comes out stale.
// Cost:    push and pop O(log n); memory grows by doubling and is never given back, so a queue of
//          steady size does not allocate.
// Layer:   des.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/check.h"
#include "core/sim_time.h"
#include "des/priorities.h"

namespace moesim::des {

__extension__ typedef unsigned __int128 EventKey;

/// What happens; the meaning of the words belongs to the handler.
struct Event {
  std::uint32_t kind = 0;
  std::uint32_t a = 0;
  std::uint64_t b = 0;
  friend constexpr bool operator==(const Event&, const Event&) = default;
};

/// Packs the order of an event. Precondition: time >= 0, sequence < 2^56 (`EventQueue` checks
/// both).
[[nodiscard]] constexpr EventKey event_key(SimTime time, Priority priority,
                                           std::uint64_t sequence) {
  const auto ticks = static_cast<std::uint64_t>(time.picoseconds());
  const std::uint64_t low = (std::uint64_t{static_cast<std::uint8_t>(priority)} << 56) | sequence;
  return (static_cast<EventKey>(ticks) << 64) | low;
}

/// An event with its place in the order.
struct PendingEvent {
  EventKey key = 0;
  Event event;

  [[nodiscard]] constexpr SimTime time() const {
    return SimTime::from_picoseconds(static_cast<std::int64_t>(key >> 64));
  }
  [[nodiscard]] constexpr Priority priority() const {
    return static_cast<Priority>(static_cast<std::uint8_t>(key >> 56));
  }
  [[nodiscard]] constexpr std::uint64_t sequence() const {
    return static_cast<std::uint64_t>(key) & ((std::uint64_t{1} << 56) - 1);
  }
};

/// Pending events, first one first.
class EventQueue {
 public:
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] std::size_t size() const { return heap_.size(); }
  /// Makes room for `count` pending events.
  void reserve(std::size_t count) { heap_.reserve(count); }

  /// Precondition (checked): time >= 0.
  void push(SimTime time, Priority priority, const Event& event) {
    MOESIM_CHECK(time.picoseconds() >= 0, "an event before the start of the run");
    MOESIM_CHECK(next_sequence_ < (std::uint64_t{1} << 56), "more than 2^56 events in one run");
    const PendingEvent added{event_key(time, priority, next_sequence_++), event};
    heap_.push_back(added);
    place_upward(heap_.size() - 1, added);
  }

  /// The event to happen next. Precondition: not empty.
  [[nodiscard]] const PendingEvent& top() const {
    MOESIM_DCHECK(!heap_.empty(), "top of an empty event queue");
    return heap_.front();
  }

  /// Removes and returns the event to happen next. Precondition: not empty.
  PendingEvent pop() {
    MOESIM_DCHECK(!heap_.empty(), "pop of an empty event queue");
    const PendingEvent first = heap_.front();
    const PendingEvent last = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) place_downward(last);
    return first;
  }

 private:
  static constexpr std::size_t kChildren = 4;

  /// Moves parents down from the hole at `index` until `item` fits.
  void place_upward(std::size_t index, const PendingEvent& item) {
    PendingEvent* const heap = heap_.data();
    while (index > 0) {
      const std::size_t parent = (index - 1) / kChildren;
      if (heap[parent].key < item.key) break;
      heap[index] = heap[parent];
      index = parent;
    }
    heap[index] = item;
  }

  /// Fills the hole at the root: the smallest child moves up, level by level, until `item` fits.
  void place_downward(const PendingEvent& item) {
    PendingEvent* const heap = heap_.data();
    const std::size_t size = heap_.size();
    std::size_t index = 0;
    for (;;) {
      const std::size_t child = kChildren * index + 1;
      if (child + kChildren > size) {
        place_among_last(index, child, item);
        return;
      }
      // A tournament of index arithmetic: no branch depends on the keys.
      const std::size_t left = child + (heap[child + 1].key < heap[child].key ? 1 : 0);
      const std::size_t right = child + 2 + (heap[child + 3].key < heap[child + 2].key ? 1 : 0);
      const std::size_t least = heap[right].key < heap[left].key ? right : left;
      if (item.key < heap[least].key) break;
      heap[index] = heap[least];
      index = least;
    }
    heap[index] = item;
  }

  /// The end of `place_downward` where fewer than four children exist.
  void place_among_last(std::size_t index, std::size_t child, const PendingEvent& item) {
    PendingEvent* const heap = heap_.data();
    const std::size_t size = heap_.size();
    if (child < size) {
      std::size_t least = child;
      for (std::size_t i = child + 1; i < size; ++i) {
        if (heap[i].key < heap[least].key) least = i;
      }
      if (heap[least].key < item.key) {
        heap[index] = heap[least];
        index = least;  // no grandchildren: their parent would not be among the last
      }
    }
    heap[index] = item;
  }

  std::vector<PendingEvent> heap_;
  std::uint64_t next_sequence_ = 0;
};

}  // namespace moesim::des
