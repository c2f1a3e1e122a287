#include "core/time_windows.h"

#include <rapidcheck.h>

#include "tests/support/catch.h"

namespace moesim {
namespace {

using namespace moesim::literals;

SimTime at(double seconds) { return SimTime::from(seconds * 1_s); }

TEST_CASE("time windows: without any both clocks are the same", "[core]") {
  const TimeWindows all;
  CHECK_FALSE(all.on());
  CHECK(all.calendar(at(17.5)) == at(17.5));
  CHECK(all.run(at(17.5)) == at(17.5));
  CHECK(all.stretch() == 1.0);
}

TEST_CASE("time windows: the middle of each period is run", "[core][oracle]") {
  // 30 s of every 900 s: windows from 435 to 465, 1335 to 1365, ...
  const TimeWindows w{.length = at(30), .every = at(900)};
  CHECK(w.stretch() == 30.0);
  CHECK(w.calendar(at(0)) == at(435));
  CHECK(w.calendar(at(29.5)) == at(464.5));
  CHECK(w.calendar(at(30)) == at(1335));
  CHECK(w.calendar(at(70)) == at(1800 + 435 + 10));
  CHECK(w.run(at(0)) == at(0));
  CHECK(w.run(at(435)) == at(0));
  CHECK(w.run(at(450)) == at(15));
  CHECK(w.run(at(465)) == at(30));
  CHECK(w.run(at(900)) == at(30));
  CHECK(w.run(at(1340)) == at(35));
  CHECK(w.run(at(7200)) == at(240));
  CHECK(w.run(SimTime::never()) == SimTime::never());
}

TEST_CASE("time windows: the calendar ends with the clock", "[core]") {
  const TimeWindows w{.length = at(1), .every = at(1000)};
  CHECK(w.calendar(at(8.64e6)) == at(8.64e6));
  CHECK(w.calendar(at(8639)) < at(8.64e6));
}

TEST_CASE("time windows: the calendar goes back to its moment of the run", "[core][property]") {
  CHECK(rc::check("run(calendar(t)) = t; calendar(run(c)) is the first window time from c on", [] {
    const auto length = *rc::gen::inRange<std::int64_t>(1, 1000);
    const auto every = *rc::gen::inRange<std::int64_t>(length + 1, 20'000);
    const auto t = *rc::gen::inRange<std::int64_t>(0, 1'000'000);
    const TimeWindows w{.length = SimTime::from_picoseconds(length),
                        .every = SimTime::from_picoseconds(every)};
    const SimTime run = SimTime::from_picoseconds(t);
    RC_ASSERT(w.run(w.calendar(run)) == run);
    RC_ASSERT(w.calendar(w.run(run)) >= run);
    if (t > 0) RC_ASSERT(w.calendar(SimTime::from_picoseconds(t - 1)) < w.calendar(run));
  }));
}

}  // namespace
}  // namespace moesim
