#include "des/simulator.h"

#include <rapidcheck.h>

#include <cstdint>
#include <vector>

#include "tests/support/aborts.h"
#include "tests/support/catch.h"

namespace moesim::des {
namespace {

SimTime at(std::int64_t ps) { return SimTime::from_picoseconds(ps); }

/// A clock that ticks every 10 ps and writes down when.
std::vector<std::int64_t> tick(Simulator& simulator, SimTime until) {
  std::vector<std::int64_t> times;
  simulator.run(
      [&](const Event& event) {
        times.push_back(simulator.now().picoseconds());
        simulator.schedule_after(at(10), Priority::Schedule, event);
      },
      until);
  return times;
}

TEST_CASE("Simulator: a clock ticks until the end, the end included", "[des][oracle]") {
  Simulator simulator;
  simulator.schedule_at(at(5), Priority::Schedule, {});
  CHECK(tick(simulator, at(35)) == std::vector<std::int64_t>{5, 15, 25, 35});
  CHECK(simulator.now() == at(35));
  CHECK(simulator.events_handled() == 4);
  CHECK(simulator.pending() == 1);
  // Continued: nothing happens up to 44, and the clock still gets there.
  CHECK(tick(simulator, at(44)).empty());
  CHECK(simulator.now() == at(44));
  CHECK(tick(simulator, at(45)) == std::vector<std::int64_t>{45});
}

TEST_CASE("Simulator: without an end it stops at the last event", "[des][oracle]") {
  Simulator simulator;
  simulator.schedule_at(at(5), Priority::Arrival, {.kind = 1});
  simulator.schedule_at(at(9), Priority::Arrival, {.kind = 2});
  std::vector<std::uint32_t> kinds;
  simulator.run([&](const Event& event) { kinds.push_back(event.kind); });
  CHECK(kinds == std::vector<std::uint32_t>{1, 2});
  CHECK(simulator.now() == at(9));
  CHECK(simulator.pending() == 0);
}

TEST_CASE("Simulator: one instant runs by priority, whatever the order of scheduling", "[des]") {
  // A step ends, two requests arrive and the scheduler runs, all at 100 ps; the arrival asks for
  // one more scheduling at the same instant, which still runs within it.
  Simulator simulator;
  simulator.schedule_at(at(100), Priority::Schedule, {.kind = 30});
  simulator.schedule_at(at(100), Priority::Arrival, {.kind = 20});
  simulator.schedule_at(at(100), Priority::Arrival, {.kind = 21});
  simulator.schedule_at(at(100), Priority::IterationEnd, {.kind = 10});
  std::vector<std::uint32_t> kinds;
  simulator.run([&](const Event& event) {
    kinds.push_back(event.kind);
    if (event.kind == 30) simulator.schedule_after(at(0), Priority::IterationEnd, {.kind = 11});
  });
  CHECK(kinds == std::vector<std::uint32_t>{10, 20, 21, 30, 11});
  CHECK(simulator.now() == at(100));
}

TEST_CASE("Simulator: stop ends the run after the current event", "[des]") {
  Simulator simulator;
  for (std::uint32_t i = 1; i <= 5; ++i)
    simulator.schedule_at(at(i), Priority::Arrival, {.kind = i});
  const auto handler = [&](const Event& event) {
    if (event.kind == 3) simulator.stop();
  };
  simulator.run(handler, at(100));
  CHECK(simulator.now() == at(3));
  CHECK(simulator.pending() == 2);
  simulator.run(handler, at(100));
  CHECK(simulator.now() == at(100));
  CHECK(simulator.events_handled() == 5);
}

TEST_CASE("Simulator: time never goes back and nothing is lost", "[des][property]") {
  CHECK(rc::check([] {
    const auto delays =
        *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 50)));
    const auto run = [&delays] {
      Simulator simulator;
      std::size_t next = 0;
      std::int64_t handled = 0;
      SimTime previous;
      const auto schedule_one = [&] {
        if (next == delays.size()) return;
        const auto priority = delays[next] % 2 == 0 ? Priority::Arrival : Priority::Schedule;
        simulator.schedule_after(at(delays[next]), priority, {.kind = 0, .a = 0, .b = next});
        ++next;
      };
      schedule_one();
      simulator.run([&](const Event&) {
        RC_ASSERT(simulator.now() >= previous);
        previous = simulator.now();
        ++handled;
        schedule_one();  // each event has up to two children
        schedule_one();
      });
      RC_ASSERT(handled == static_cast<std::int64_t>(delays.size()));
      RC_ASSERT(simulator.events_handled() == handled);
      return simulator.fingerprint();
    };
    RC_ASSERT(run() == run());
  }));
}

TEST_CASE("Simulator: the fingerprint sees time, priority, payload and order", "[des]") {
  const auto of = [](std::int64_t time, Priority priority, const Event& event) {
    Simulator simulator;
    simulator.schedule_at(at(time), priority, event);
    simulator.run([](const Event&) {});
    return simulator.fingerprint();
  };
  const std::uint64_t base = of(1, Priority::Arrival, {.kind = 1, .a = 2, .b = 3});
  CHECK(base == of(1, Priority::Arrival, {.kind = 1, .a = 2, .b = 3}));
  CHECK(base != of(2, Priority::Arrival, {.kind = 1, .a = 2, .b = 3}));
  CHECK(base != of(1, Priority::Schedule, {.kind = 1, .a = 2, .b = 3}));
  CHECK(base != of(1, Priority::Arrival, {.kind = 2, .a = 2, .b = 3}));
  CHECK(base != of(1, Priority::Arrival, {.kind = 1, .a = 1, .b = 3}));
  CHECK(base != of(1, Priority::Arrival, {.kind = 1, .a = 2, .b = 4}));
}

TEST_CASE("Simulator: the past and negative delays are failed checks", "[des]") {
  Simulator simulator;
  simulator.schedule_at(at(10), Priority::Arrival, {});
  simulator.run([](const Event&) {});
  REQUIRE(simulator.now() == at(10));
  CHECK(test::aborts([&] { simulator.schedule_at(at(9), Priority::Arrival, {}); }));
  CHECK(test::aborts([&] { simulator.schedule_after(at(-1), Priority::Arrival, {}); }));
  CHECK(test::aborts([&] { simulator.schedule_after(SimTime::never(), Priority::Arrival, {}); }));
  CHECK(test::aborts([&] { simulator.run([](const Event&) {}, at(9)); }));
  CHECK_FALSE(test::aborts([&] { simulator.schedule_at(at(10), Priority::Arrival, {}); }));
}

}  // namespace
}  // namespace moesim::des
