#include "des/event_queue.h"

#include <rapidcheck.h>

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

#include "tests/support/aborts.h"
#include "tests/support/catch.h"

namespace moesim::des {
namespace {

SimTime at(std::int64_t ps) { return SimTime::from_picoseconds(ps); }

constexpr Priority kPriorities[] = {Priority::Hardware, Priority::IterationEnd, Priority::Arrival,
                                    Priority::Observe};

TEST_CASE("event_key: time, priority and sequence are packed and unpacked", "[des][oracle]") {
  const EventKey key = event_key(at(3), Priority::Arrival, 7);
  // Time 3 in the high word; 50 << 56 | 7 in the low word.
  CHECK(static_cast<std::uint64_t>(key >> 64) == 3U);
  CHECK(static_cast<std::uint64_t>(key) == 0x3200000000000007U);
  const PendingEvent event{key, {}};
  CHECK(event.time() == at(3));
  CHECK(event.priority() == Priority::Arrival);
  CHECK(event.sequence() == 7U);
  const PendingEvent last{
      event_key(SimTime::never(), Priority::Observe, (std::uint64_t{1} << 56) - 1), {}};
  CHECK(last.time() == SimTime::never());
  CHECK(last.priority() == Priority::Observe);
  CHECK(last.sequence() == (std::uint64_t{1} << 56) - 1);
}

TEST_CASE("EventQueue: time first, then priority, then who came first", "[des][oracle]") {
  EventQueue queue;
  queue.push(at(20), Priority::IterationEnd, {.kind = 5});
  queue.push(at(10), Priority::Schedule, {.kind = 4});
  queue.push(at(10), Priority::Arrival, {.kind = 2});
  queue.push(at(10), Priority::Arrival, {.kind = 3});
  queue.push(at(10), Priority::IterationEnd, {.kind = 1});
  for (std::uint32_t kind = 1; kind <= 5; ++kind) CHECK(queue.pop().event.kind == kind);
  CHECK(queue.empty());
}

TEST_CASE("EventQueue: a payload comes out as it went in", "[des]") {
  EventQueue queue;
  const Event event{.kind = 0xffffffff, .a = 0x12345678, .b = 0xfedcba9876543210};
  queue.push(at(1), Priority::Arrival, event);
  CHECK(queue.top().event == event);
  CHECK(queue.pop().event == event);
}

TEST_CASE("EventQueue: pops in the order of a stable sort", "[des][property]") {
  CHECK(rc::check([] {
    // Few distinct times and priorities, so that ties are common.
    const auto draws = *rc::gen::container<std::vector<std::pair<int, int>>>(
        rc::gen::pair(rc::gen::inRange(0, 12), rc::gen::inRange(0, 4)));
    struct Item {
      std::int64_t time;
      Priority priority;
      std::uint64_t number;
    };
    std::vector<Item> items;
    EventQueue queue;
    for (const auto& [time, priority] : draws) {
      const Item item{time, kPriorities[priority], items.size()};
      items.push_back(item);
      queue.push(at(item.time), item.priority, {.kind = 0, .a = 0, .b = item.number});
    }
    RC_ASSERT(queue.size() == items.size());
    std::stable_sort(items.begin(), items.end(), [](const Item& x, const Item& y) {
      return std::tie(x.time, x.priority) < std::tie(y.time, y.priority);
    });
    for (const Item& item : items) {
      const PendingEvent next = queue.pop();
      RC_ASSERT(next.event.b == item.number);
      RC_ASSERT(next.time() == at(item.time));
      RC_ASSERT(next.priority() == item.priority);
    }
    RC_ASSERT(queue.empty());
  }));
}

TEST_CASE("EventQueue: pushes and pops in any mixture agree with a sorted list",
          "[des][property]") {
  CHECK(rc::check([] {
    const auto steps =
        *rc::gen::container<std::vector<int>>(rc::gen::inRange(-1, 30));  // -1 and 0: pop
    EventQueue queue;
    std::vector<std::pair<int, std::uint64_t>> model;  // (time, number), kept sorted
    std::uint64_t number = 0;
    for (const int step : steps) {
      if (step > 0) {
        queue.push(at(step), Priority::Arrival, {.kind = 0, .a = 0, .b = number});
        model.emplace_back(step, number++);
        std::sort(model.begin(), model.end());
      } else if (!model.empty()) {
        RC_ASSERT(queue.pop().event.b == model.front().second);
        model.erase(model.begin());
      }
      RC_ASSERT(queue.size() == model.size());
      if (!model.empty()) RC_ASSERT(queue.top().event.b == model.front().second);
    }
  }));
}

TEST_CASE("EventQueue: sizes around the borders of full levels", "[des]") {
  // A 4-ary heap has full levels at 1, 5, 21, 85 events.
  for (std::int64_t size = 0; size <= 90; ++size) {
    EventQueue queue;
    for (std::int64_t i = 0; i < size; ++i) {
      queue.push(at(i * 37 % 91), Priority::Arrival, {});  // 37 and 91 share no factor: all differ
    }
    SimTime previous = at(-1);
    for (std::int64_t i = 0; i < size; ++i) {
      const SimTime time = queue.pop().time();
      REQUIRE(time > previous);
      previous = time;
    }
    REQUIRE(queue.empty());
  }
}

TEST_CASE("EventQueue: an event before time zero is a failed check", "[des]") {
  CHECK(test::aborts([] { EventQueue().push(at(-1), Priority::Arrival, {}); }));
}

}  // namespace
}  // namespace moesim::des
