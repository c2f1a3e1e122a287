#include "serving/autoscaler.h"

#include <rapidcheck.h>

#include "tests/support/catch.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::WithinRel;

SimTime at(double seconds) { return SimTime::from(seconds * 1_s); }

std::vector<UnitState> states(const Autoscaler& scaler) {
  std::vector<UnitState> all;
  for (std::size_t u = 0; u < static_cast<std::size_t>(scaler.units()); ++u) {
    all.push_back(scaler.state(u));
  }
  return all;
}

constexpr UnitState kOff = UnitState::Off;
constexpr UnitState kLoading = UnitState::Loading;
constexpr UnitState kServing = UnitState::Serving;
constexpr UnitState kDraining = UnitState::Draining;

TEST_CASE("autoscaler: a schedule begins anew after its period", "[serving][oracle]") {
  Autoscaler scaler({.schedule = {{at(0), 2}, {at(10), 1}, {at(60), 3}}, .period = at(100)}, 3, {});
  CHECK(states(scaler) == std::vector{kServing, kServing, kOff});
  std::vector<std::pair<SimTime, std::int64_t>> steps;
  CHECK_FALSE(scaler.take_step(at(9)));
  while (const auto step = scaler.take_step(at(215))) steps.emplace_back(step->at, step->units);
  const std::vector<std::pair<SimTime, std::int64_t>> expected = {
      {at(10), 1},  {at(60), 3},  {at(100), 2}, {at(110), 1},
      {at(160), 3}, {at(200), 2}, {at(210), 1}};
  CHECK(steps == expected);
  CHECK(scaler.next_step()->at == at(260));
}

TEST_CASE("autoscaler: the last step of a schedule without period holds on", "[serving]") {
  Autoscaler scaler({.schedule = {{at(0), 1}, {at(5), 2}}}, 2, {});
  CHECK(scaler.take_step(at(7))->units == 2);
  CHECK_FALSE(scaler.next_step());
}

TEST_CASE("autoscaler: units are load over target, rounded up", "[serving][oracle]") {
  const LoadTarget target{.target = 20, .least_units = 3, .every = at(15), .settle = at(300)};
  Autoscaler scaler({.load = target}, 8, {});
  CHECK(scaler.wanted(63, at(15)) == 3);    // 63 / 60 is within a tenth of the target.
  CHECK(scaler.wanted(67, at(30)) == 4);    // 67 / 20 = 3.35.
  CHECK(scaler.wanted(100, at(45)) == 5);   // 5.0 exactly.
  CHECK(scaler.wanted(1000, at(60)) == 8);  // No more than there are.
}

TEST_CASE("autoscaler: units leave for the most that was wanted lately", "[serving][oracle]") {
  const LoadTarget target{.target = 10, .least_units = 1, .every = at(15), .settle = at(100)};
  Autoscaler scaler({.load = target}, 8, {});
  std::vector<std::int64_t> requests(8, 5);
  (void)scaler.turn_to(scaler.wanted(60, at(0)), requests, at(0));
  const std::vector<UnitState> six = states(scaler);
  CHECK(std::count(six.begin(), six.end(), kLoading) == 5);
  CHECK(scaler.wanted(20, at(50)) == 6);   // Six were wanted 50 s ago.
  CHECK(scaler.wanted(40, at(90)) == 6);   // And 90 s ago.
  CHECK(scaler.wanted(20, at(120)) == 4);  // Since then two, four and two.
  CHECK(scaler.wanted(0, at(300)) == 1);
}

TEST_CASE("autoscaler: who leaves, who comes back", "[serving][oracle]") {
  Autoscaler scaler({.schedule = {{at(0), 3}}, .start_time = at(20)}, 4, {});
  // A fourth begins to load; it is dropped before it is there.
  const auto starts = scaler.turn_to(4, std::vector<std::int64_t>{7, 5, 6, 0}, at(10));
  REQUIRE(starts.size() == 1);
  const Autoscaler::Start first = starts[0];
  CHECK(states(scaler) == std::vector{kServing, kServing, kServing, kLoading});
  CHECK(scaler.turn_to(3, std::vector<std::int64_t>{7, 5, 6, 0}, at(15)).empty());
  CHECK_FALSE(scaler.ready(first));
  // The unit with the fewest requests drains; wanted again, it comes back at once.
  (void)scaler.turn_to(2, std::vector<std::int64_t>{7, 5, 6, 0}, at(30));
  CHECK(states(scaler) == std::vector{kServing, kDraining, kServing, kOff});
  CHECK_FALSE(scaler.takes(1));
  CHECK(scaler.turn_to(3, std::vector<std::int64_t>{7, 5, 6, 0}, at(40)).empty());
  CHECK(scaler.takes(1));
  // A unit without requests is off at once; started again, it loads.
  (void)scaler.turn_to(2, std::vector<std::int64_t>{7, 0, 6, 0}, at(50));
  CHECK(states(scaler) == std::vector{kServing, kOff, kServing, kOff});
  const auto again = scaler.turn_to(3, std::vector<std::int64_t>{7, 0, 6, 0}, at(60));
  REQUIRE(again.size() == 1);
  CHECK(scaler.ready(Autoscaler::Start{again[0]}));
  CHECK(states(scaler) == std::vector{kServing, kServing, kServing, kOff});
  scaler.stop(at(100));
  // Unit 1: serving 0-30, draining 30-40, serving 40-50, loading 60-80, serving 80-100. Unit 3:
  // loading 10-15.
  const HeldUnits held = scaler.mean_held(at(0), at(100));
  CHECK_THAT(held.serving, WithinRel(2.0 + 0.6, 1e-12));
  CHECK_THAT(held.loading, WithinRel(0.25, 1e-12));
  CHECK_THAT(held.draining, WithinRel(0.1, 1e-12));
  CHECK(scaler.most_units(at(0), at(100)) == 4);
  CHECK(scaler.run_time() / 1_s == 295.0);
}

TEST_CASE("autoscaler: sampled time counts by the calendar, draining by the run",
          "[serving][oracle]") {
  const TimeWindows windows{.length = at(10), .every = at(100)};
  Autoscaler scaler({.schedule = {{at(0), 2}, {at(200), 1}, {at(500), 2}}, .start_time = at(20)}, 2,
                    windows);
  const std::vector<std::int64_t> requests = {5, 4};
  // At 200 of the calendar, between the windows: 20 s of the run.
  auto step = scaler.take_step(at(245));
  (void)scaler.turn_to(step->units, requests, step->at);
  scaler.emptied(1, windows.calendar(at(27)));  // After 7 s of the run.
  step = scaler.take_step(at(545));
  const auto starts = scaler.turn_to(step->units, requests, step->at);
  CHECK(scaler.ready(Autoscaler::Start{starts[0]}));
  scaler.stop(windows.calendar(at(99.999)));
  const HeldUnits held = scaler.mean_held(at(0), at(100));
  // Of 1000 s: unit 0 until 954.999, unit 1 to 200 and from 520 on; 20 s loading; 7 s draining.
  CHECK_THAT(held.serving, WithinRel((954.999 + 200 + 954.999 - 520) / 1000, 1e-9));
  CHECK_THAT(held.loading, WithinRel(0.02, 1e-9));
  CHECK_THAT(held.draining, WithinRel(0.007, 1e-9));
}

TEST_CASE("autoscaler: there are as many as wanted", "[serving][property]") {
  CHECK(
      rc::check("serving and loading units are those wanted, spells of a unit do not overlap", [] {
        const auto units = *rc::gen::inRange<std::int64_t>(1, 6);
        Autoscaler scaler({.schedule = {{SimTime{}, units}}, .start_time = at(3)}, units, {});
        double now = 0;
        for (int i = 0; i < 30; ++i) {
          now += 1.0 + *rc::gen::inRange(0, 5);
          const auto wanted = *rc::gen::inRange<std::int64_t>(1, units + 1);
          const auto requests = *rc::gen::container<std::vector<std::int64_t>>(
              static_cast<std::size_t>(units), rc::gen::inRange<std::int64_t>(0, 3));
          (void)scaler.turn_to(wanted, requests, at(now));
          std::int64_t active = 0;
          for (const UnitState state : states(scaler))
            active += state == kServing || state == kLoading;
          RC_ASSERT(active == wanted);
        }
        scaler.stop(at(now + 1));
        std::vector<SimTime> until(static_cast<std::size_t>(units));
        for (const UnitSpell& spell : scaler.spells()) {
          RC_ASSERT(spell.from >= until[static_cast<std::size_t>(spell.unit)]);
          RC_ASSERT(spell.to > spell.from);
          until[static_cast<std::size_t>(spell.unit)] = spell.to;
        }
      }));
}

}  // namespace
}  // namespace moesim::serving
