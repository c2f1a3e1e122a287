// Units that join and leave in whole runs.
#include <rapidcheck.h>

#include "serving/fleet.h"
#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::request_at;
using moesim::test::toy_deployment;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

SimTime at(double seconds) { return SimTime::from(seconds * 1_s); }

Deployment units(std::int64_t count, Autoscaling autoscaling) {
  Deployment d = toy_deployment(test::toy_dense_model(), {.replicas = count});
  d.autoscaling = std::move(autoscaling);
  return d;
}

/// One request every `gap` seconds.
std::vector<workload::Request> steady(int count, double gap, std::int32_t output = 10) {
  std::vector<workload::Request> requests;
  for (int i = 0; i < count; ++i) requests.push_back(request_at(gap * i * 1_s, 100, output));
  return requests;
}

TEST_CASE("autoscaling: GPUs are paid while they load, serve and drain", "[serving][oracle]") {
  // One unit until 10 s, then two, of which the second is there at 12 s, and one again from 30 s
  // on.
  const Deployment d =
      units(2, {.schedule = {{at(0), 1}, {at(10), 2}, {at(30), 1}}, .start_time = at(2)});
  const RunResult result = test::run(d, steady(41, 1.0));
  CHECK(result.summary.requests_completed == 41);
  REQUIRE(result.pools.at(0).scaling);
  const ScalingSummary& s = *result.pools[0].scaling;
  const double end = result.end.seconds() / 1_s;
  CHECK_THAT(s.mean.serving * end, WithinRel(end + 18.0, 1e-9));
  CHECK_THAT(s.mean.loading * end, WithinRel(2.0, 1e-9));
  CHECK(s.starts == 1);
  CHECK(s.most == 2);
  CHECK_THAT(result.gpus_held * end, WithinRel(end + 20.0 + s.mean.draining * end, 1e-9));
  CHECK(result.gpus == 2);
  CHECK_THAT(result.summary.tokens_per_s_per_gpu,
             WithinRel(result.summary.output_tokens_per_s / result.gpus_held, 1e-12));
}

TEST_CASE("autoscaling: a unit serves no request before it is there", "[serving][oracle]") {
  // No request ends before the last has arrived: who has how many shows the router's choices.
  const Autoscaling late{.schedule = {{at(0), 1}, {at(0.05), 2}}, .start_time = at(0.15)};
  const RunResult result = test::run(units(2, late), steady(6, 0.05, 30'000));
  // The first unit takes those before 0.2 s, the second, which is ready then and has fewer, those
  // at 0.2 and 0.25 s.
  const Deployment alone = toy_deployment(test::toy_dense_model(), {});
  const RunResult four = test::run(alone, steady(4, 0.05, 30'000));
  std::vector<SimTime> ends(6), expected(4);
  for (const RequestRecord& r : result.requests)
    ends[static_cast<std::size_t>(r.number)] = r.finish;
  for (const RequestRecord& r : four.requests) {
    expected[static_cast<std::size_t>(r.number)] = r.finish;
  }
  REQUIRE(expected[0] > at(0.25));
  for (std::size_t i = 0; i < 4; ++i) CHECK(ends[i] == expected[i]);
}

TEST_CASE("autoscaling: a draining unit finishes its requests and takes no others",
          "[serving][oracle]") {
  // Two requests, one on each unit; at 0.1 s the second unit is to leave; its request goes on as if
  // nothing had happened, later ones go to the first.
  const Deployment d = units(2, {.schedule = {{at(0), 2}, {at(0.1), 1}}});
  std::vector<workload::Request> requests = {request_at(0_s, 100, 20'000),
                                             request_at(0_s, 100, 20'000)};
  const RunResult two =
      test::run(toy_deployment(test::toy_dense_model(), {.replicas = 2}), requests);
  requests.push_back(request_at(0.2_s, 100, 10));
  requests.push_back(request_at(0.3_s, 100, 10));
  const RunResult result = test::run(d, requests);
  REQUIRE(two.end > at(0.3));
  const ScalingSummary& s = *result.pools[0].scaling;
  CHECK(s.stops == 1);
  SimTime drained{};
  for (const UnitSpell& spell : s.spells) {
    if (spell.state == UnitState::Draining) drained = spell.to;
  }
  CHECK(drained == two.end);
  CHECK_THAT(s.drain / 1_s, WithinRel(two.end.seconds() / 1_s - 0.1, 1e-9));
}

TEST_CASE("autoscaling: units follow the load up and down", "[serving]") {
  const LoadTarget target{.target = 4, .least_units = 1, .every = at(1), .settle = at(5)};
  const Deployment d = units(4, {.load = target, .start_time = at(1)});
  // 16 long requests at once, then one at a time for long.
  std::vector<workload::Request> requests;
  for (int i = 0; i < 16; ++i) requests.push_back(request_at(0_s, 100, 40'000));
  for (int i = 0; i < 60; ++i) requests.push_back(request_at((1.0 + i) * 1_s, 100, 10));
  const RunResult result = test::run(d, requests);
  CHECK(result.summary.requests_completed == 76);
  const ScalingSummary& s = *result.pools[0].scaling;
  CHECK(s.most == 4);
  CHECK(s.starts >= 3);
  CHECK(s.stops >= 1);
  CHECK(result.gpus_held < 4.0);
  CHECK(result.gpus_held > 1.0);
}

TEST_CASE("autoscaling: windows of a steady load are like all of it", "[serving]") {
  // The calendar is 10 times as long; the schedule follows it, requests do not notice.
  const Deployment d = units(2, {.schedule = {{at(0), 1}, {at(200), 2}}, .start_time = at(5)});
  const topology::Topology topology(d.cluster);
  const auto run = [&](const TimeWindows& windows, const Deployment& deployment) {
    test::ListSource source(steady(41, 1.0));
    return simulate(deployment, topology, test::toy_memory(1'000'000), {.source = &source}, {},
                    {.windows = windows, .duration = at(40)});
  };
  const RunResult sampled = run({.length = at(4), .every = at(40)}, d);
  // 200 s of the calendar are 20 s of the run, and 5 s of loading pass between two windows.
  const RunResult whole = run({}, units(2, {.schedule = {{at(0), 1}, {at(20), 2}}}));
  CHECK(sampled.requests.size() == whole.requests.size());
  for (std::size_t i = 0; i < whole.requests.size(); ++i) {
    CHECK(sampled.requests[i].finish == whole.requests[i].finish);
  }
  // Of 400 s: one unit all the time, the other from 205 s on, loading for 5 s.
  CHECK_THAT(sampled.pools[0].scaling->mean.serving, WithinRel(1.0 + 195.0 / 400.0, 1e-3));
  CHECK_THAT(sampled.pools[0].scaling->mean.loading, WithinRel(5.0 / 400.0, 1e-9));
}

TEST_CASE("autoscaling: GPUs cost their time where nothing is measured", "[serving][oracle]") {
  // All requests come in the warm-up: the whole run counts. Without any, the units at the start.
  const Deployment d = units(4, {.schedule = {{at(0), 3}}});
  const RunResult early = test::run(d, steady(5, 0.1), {.warm_up = at(100)});
  CHECK(early.summary.requests_measured == 0);
  CHECK_THAT(early.gpus_held, WithinRel(3.0, 1e-12));
  CHECK_THAT(test::run(d, {}).gpus_held, WithinRel(3.0, 1e-12));
}

Fleet scaled_pools(const Autoscaling& prefill, const Autoscaling& decode) {
  Deployment first = toy_deployment(test::toy_dense_model(), {.replicas = 2});
  first.cluster = test::toy_cluster(2, 2);
  Deployment second = first;
  first.role = PoolRole::Prefill;
  first.autoscaling = prefill;
  second.role = PoolRole::Decode;
  second.autoscaling = decode;
  second.first_gpu = 2;
  second.first_instance = 2;
  return {.pools = {first, second}};
}

TEST_CASE("autoscaling: both pools scale, every request ends", "[serving][property]") {
  CHECK(rc::check("random schedules of both pools lose no request", [] {
    const auto schedule = [] {
      Autoscaling a;
      double time = 0;
      for (int i = 0; i < 6; ++i) {
        a.schedule.push_back({at(time), *rc::gen::inRange<std::int64_t>(1, 3)});
        time += 0.05 * *rc::gen::inRange(1, 20);
      }
      a.start_time = at(0.02 * *rc::gen::inRange(0, 10));
      return a;
    };
    Fleet fleet = scaled_pools(schedule(), schedule());
    if (*rc::gen::arbitrary<bool>()) fleet.kv_transfer.mode = KvTransferMode::Layerwise;
    const topology::Topology topology(fleet.pools[0].cluster);
    std::vector<workload::Request> requests;
    double time = 0;
    for (int i = 0; i < 30; ++i) {
      time += 0.01 * *rc::gen::inRange(0, 20);
      requests.push_back(
          request_at(time * 1_s, *rc::gen::inRange(1, 500), *rc::gen::inRange(1, 300)));
    }
    test::ListSource source(std::move(requests));
    const std::vector<plan::MemoryReport> memory = {test::toy_memory(200), test::toy_memory(100)};
    const RunResult result = simulate(fleet, topology, memory, {.source = &source}, {}, {});
    RC_ASSERT(result.summary.requests_completed == 30);
    RC_ASSERT(result.gpus_held <= 4.0);
    RC_ASSERT(result.gpus_held >= 2.0 - 1e-9);
  }));
}

}  // namespace
}  // namespace moesim::serving
