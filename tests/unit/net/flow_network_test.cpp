#include "net/flow_network.h"

#include <rapidcheck.h>

#include <array>
#include <cmath>
#include <map>
#include <vector>

#include "tests/support/aborts.h"
#include "tests/support/catch.h"
#include "tests/unit/net/random_flows.h"

namespace moesim::net {
namespace {

using moesim::test::WithinRel;

struct End {
  std::uint64_t tag = 0;
  double microseconds = 0;
};

/// Lets all flows end.
std::vector<End> run_out(FlowNetwork& network, SimTime now = {}) {
  std::vector<End> ends;
  network.rerate(now);
  while (network.active() > 0) {
    now = network.next_end();
    for (const EndedFlow& flow : network.end_due(now)) {
      ends.push_back({.tag = flow.tag, .microseconds = now.milliseconds() * 1000.0});
    }
    network.rerate(now);
  }
  return ends;
}

TEST_CASE("flow_network: a lone flow takes bytes over rate", "[net][oracle]") {
  // 1 MB at 10 GB/s: 100 us.
  FlowNetwork network(std::array{10_GBps});
  network.start({}, network.add_path(std::array{LinkId{0}}), 1_MB, 7);
  const auto ends = run_out(network);
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].tag == 7);
  CHECK_THAT(ends[0].microseconds, WithinRel(100.0, 1e-9));
}

TEST_CASE("flow_network: what ends leaves its share to the rest", "[net][oracle]") {
  // 10 GB/s for 1 MB and 3 MB: 5 GB/s each until 200 us; the other 2 MB at 10 GB/s: 400 us.
  // Two more links of their own make no difference.
  FlowNetwork network(std::array{10_GBps, 20_GBps, 20_GBps});
  network.start({}, network.add_path(std::array{LinkId{1}, LinkId{0}}), 1_MB, 1);
  network.start({}, network.add_path(std::array{LinkId{0}, LinkId{2}}), 3_MB, 2);
  const auto ends = run_out(network);
  REQUIRE(ends.size() == 2);
  CHECK(ends[0].tag == 1);
  CHECK_THAT(ends[0].microseconds, WithinRel(200.0, 1e-9));
  CHECK_THAT(ends[1].microseconds, WithinRel(400.0, 1e-9));
}

TEST_CASE("flow_network: an arrival slows what is under way", "[net][oracle]") {
  // 10 GB/s. 2 MB from 0; at 100 us 1 MB of it is left and 1 MB more starts: 5 GB/s each, both end
  // at 300 us, in the order of their starts.
  FlowNetwork network(std::array{10_GBps});
  const PathId path = network.add_path(std::array{LinkId{0}});
  network.start({}, path, 2_MB, 1);
  network.rerate({});
  const SimTime later = SimTime::from(100_us);
  network.start(later, path, 1_MB, 2);
  const auto ends = run_out(network, later);
  REQUIRE(ends.size() == 2);
  CHECK(ends[0].tag == 1);
  CHECK_THAT(ends[0].microseconds, WithinRel(300.0, 1e-9));
  CHECK_THAT(ends[1].microseconds, WithinRel(300.0, 1e-9));
}

TEST_CASE("flow_network: a link that gets slower slows what is under way", "[net][oracle]") {
  // 100 MB at 100 GB/s: 0.4 ms move 40 MB, the other 60 MB take 1.2 ms at 50 GB/s.
  const std::vector<BytesPerSecond> capacity = {100_GBps, 200_GBps};
  FlowNetwork network(capacity);
  const std::vector<LinkId> path = {LinkId{0}, LinkId{1}};
  network.start({}, network.add_path(path), 100_MB, 0);
  network.rerate({});
  const SimTime change = SimTime::from(0.4_ms);
  network.set_capacity(change, LinkId{0}, 50_GBps);
  CHECK_FALSE(network.rated());
  network.rerate(change);
  CHECK(network.next_end() == SimTime::from(1.6_ms));
  // And one that is no bottleneck yet becomes it: 30 MB are left at 1 ms, 10 GB/s need 3 ms.
  const SimTime again = SimTime::from(1_ms);
  network.set_capacity(again, LinkId{1}, 10_GBps);
  network.rerate(again);
  CHECK(network.next_end() == SimTime::from(4_ms));
}

TEST_CASE("flow_network: weights share a path in proportion", "[net][oracle]") {
  // 40 GB/s: weight 3 gets 30, weight 1 gets 10. 3 MB end at 100 us; of the other 2 MB 1 is left,
  // at 40 GB/s: 25 us more.
  FlowNetwork network(std::array{40_GBps});
  const PathId path = network.add_path(std::array{LinkId{0}});
  network.start({}, path, 3_MB, 1, 3);
  network.start({}, path, 2_MB, 2);
  const auto ends = run_out(network);
  CHECK_THAT(ends[0].microseconds, WithinRel(100.0, 1e-9));
  CHECK_THAT(ends[1].microseconds, WithinRel(125.0, 1e-9));
}

TEST_CASE("flow_network: links carry what has passed", "[net][oracle]") {
  // As above with 1 MB and 3 MB over link 0 of 10 GB/s. At 300 us: 1 + 2 MB have passed link 0,
  // which was full all the time; 2 of 20 GB/s * 300 us = 6 MB on link 2, a third.
  FlowNetwork network(std::array{10_GBps, 20_GBps, 20_GBps});
  network.start({}, network.add_path(std::array{LinkId{1}, LinkId{0}}), 1_MB, 1);
  network.start({}, network.add_path(std::array{LinkId{0}, LinkId{2}}), 3_MB, 2);
  network.rerate({});
  const SimTime half = network.next_end();
  (void)network.end_due(half);
  network.rerate(half);
  const auto uses = network.use(SimTime::from(300_us));
  CHECK_THAT(uses[0].carried / 1.0_MB, WithinRel(3.0, 1e-9));
  CHECK_THAT(uses[0].busy / 1.0_us, WithinRel(300.0, 1e-9));
  CHECK_THAT(uses[0].bottleneck / 1.0_us, WithinRel(300.0, 1e-9));
  CHECK_THAT(uses[1].carried / 1.0_MB, WithinRel(1.0, 1e-9));
  CHECK_THAT(uses[2].carried / 1.0_MB, WithinRel(2.0, 1e-9));
  CHECK_THAT(uses[2].busy / 1.0_us, WithinRel(100.0, 1e-9));
  CHECK(uses[2].bottleneck / 1.0_us == 0.0);
}

TEST_CASE("flow_network: equal flows end together", "[net][oracle]") {
  // 12 GPUs, each to each of the others: 11 flows out of and into each link; 1 MB * 11 / 10 GB/s.
  std::vector<BytesPerSecond> capacity(24, 10_GBps);
  FlowNetwork network(capacity);
  for (int from = 0; from < 12; ++from) {
    for (int to = 0; to < 12; ++to) {
      if (from == to) continue;
      network.start({}, network.add_path(std::array{LinkId{from}, LinkId{12 + to}}), 1_MB, 0);
    }
  }
  network.rerate({});
  const SimTime end = network.next_end();
  CHECK_THAT(end.milliseconds(), WithinRel(1.1, 1e-9));
  CHECK(network.end_due(end).size() == 132);
  CHECK(network.active() == 0);
}

TEST_CASE("flow_network: a link passed over counts bytes and joins paths", "[net]") {
  const std::array<std::uint8_t, 3> passed{0, 1, 1};
  FlowNetwork network(std::array{10_GBps, 20_GBps, 20_GBps}, passed);
  const PathId a = network.add_path(std::array{LinkId{0}, LinkId{1}});
  const PathId b = network.add_path(std::array{LinkId{0}, LinkId{2}});
  CHECK(a != b);
  CHECK(network.add_path(std::array{LinkId{0}, LinkId{1}}) == a);
  network.start({}, a, 1_MB, 1);
  network.start({}, b, 1_MB, 2);
  const auto ends = run_out(network);
  CHECK_THAT(ends[1].microseconds, WithinRel(200.0, 1e-9));
  CHECK(network.use(SimTime::from(200_us))[2].carried / 1.0_MB == 1.0);
}

TEST_CASE("flow_network: broken input is a bug", "[net]") {
  FlowNetwork network(std::array{10_GBps});
  const PathId path = network.add_path(std::array{LinkId{0}});
  CHECK(test::aborts([&] { network.start({}, path, 0_B, 1); }));
  CHECK(test::aborts([&] { network.start({}, path, 1_B, 1, 0); }));
  CHECK(test::aborts([&] { (void)network.add_path(std::array{LinkId{1}}); }));
  CHECK(test::aborts([&] { (void)network.add_path({}); }));
  CHECK(network.next_end() == SimTime::never());
}

/// All present rates against a solution from nothing.
void compare_with_full_solution(const FlowNetwork& network,
                                const std::vector<BytesPerSecond>& capacity,
                                const std::vector<std::vector<LinkId>>& paths,
                                const std::vector<PathId>& ids, const std::vector<int>& weights) {
  FlowSet flows;
  std::vector<std::size_t> path_of_flow;
  for (std::size_t p = 0; p < paths.size(); ++p) {
    if (weights[p] == 0) continue;
    flows.add(paths[p], weights[p]);
    path_of_flow.push_back(p);
  }
  MaxMin solver(capacity);
  const auto rates = solver.solve(flows);
  for (std::size_t f = 0; f < flows.size(); ++f) {
    const double expected = rates[f] / 1.0_Bps / flows.weight(f);
    const double got = network.rate(ids[path_of_flow[f]]) / 1.0_Bps;
    RC_ASSERT(std::abs(got / expected - 1.0) < 1e-9);
  }
}

TEST_CASE("flow_network: rates after arrivals, ends and changed links are those of a full solution",
          "[net][property]") {
  CHECK(rc::check([] {
    const auto links = *rc::gen::inRange<std::int64_t>(1, 16);
    // Few distinct capacities, so that levels tie.
    std::vector<BytesPerSecond> capacity;
    for (std::int64_t l = 0; l < links; ++l) {
      capacity.push_back(12_GBps * static_cast<double>(*rc::gen::inRange(1, 5)));
    }
    const BytesPerSecond widest = *std::max_element(capacity.begin(), capacity.end());
    FlowNetwork network(capacity);
    std::vector<std::vector<LinkId>> paths;
    std::vector<PathId> ids;
    for (int p = 0; p < 40; ++p) {
      std::vector<LinkId> path = random_path(links);
      std::sort(path.begin(), path.end());
      const PathId id = network.add_path(path);
      if (std::find(ids.begin(), ids.end(), id) != ids.end()) continue;
      paths.push_back(path);
      ids.push_back(id);
    }
    std::vector<int> weights(paths.size(), 0);
    SimTime now;
    const auto steps = *rc::gen::inRange(1, 60);
    for (int step = 0; step < steps; ++step) {
      const auto arrivals = *rc::gen::inRange(0, 6);
      for (int a = 0; a < arrivals; ++a) {
        const auto p = *rc::gen::inRange<std::size_t>(0, paths.size());
        const int weight = *rc::gen::inRange(1, 3);
        network.start(now, ids[p], *rc::gen::inRange(1, 50) * 100_kB,
                      p * 10 + static_cast<std::size_t>(weight), weight);
        weights[p] += weight;
      }
      const auto changes = *rc::gen::inRange(0, 3);
      for (int c = 0; c < changes; ++c) {
        const LinkId link{*rc::gen::inRange<std::int64_t>(0, links)};
        const BytesPerSecond rate = 6_GBps * static_cast<double>(*rc::gen::inRange(1, 9));
        if (rate > widest) continue;
        network.set_capacity(now, link, rate);
        capacity[link.index()] = rate;
      }
      network.rerate(now);
      compare_with_full_solution(network, capacity, paths, ids, weights);
      const auto ends = *rc::gen::inRange(0, 4);
      for (int e = 0; e < ends && network.active() > 0; ++e) {
        now = network.next_end();
        for (const EndedFlow& flow : network.end_due(now)) {
          weights[flow.tag / 10] -= static_cast<int>(flow.tag % 10);
        }
        network.rerate(now);
        compare_with_full_solution(network, capacity, paths, ids, weights);
      }
    }
  }));
}

TEST_CASE("flow_network: flows end when a run that solves everything anew ends them",
          "[net][property]") {
  CHECK(rc::check([] {
    const auto links = *rc::gen::inRange<std::int64_t>(2, 12);
    const std::vector<BytesPerSecond> capacity = random_capacities(links);
    FlowNetwork network(capacity);
    struct Plain {
      std::vector<LinkId> path;
      double left = 0;
      double end = -1;
    };
    std::vector<Plain> plain;
    const auto count = *rc::gen::inRange<std::size_t>(1, 60);
    for (std::size_t f = 0; f < count; ++f) {
      const auto path = random_path(links);
      const double bytes = *rc::gen::inRange(1, 1000) * 1e6;
      network.start({}, network.add_path(path), bytes * 1.0_B, f);
      plain.push_back({.path = path, .left = bytes});
    }
    MaxMin solver(capacity);
    double now = 0;
    for (;;) {
      FlowSet flows;
      std::vector<std::size_t> alive;
      for (std::size_t f = 0; f < plain.size(); ++f) {
        if (plain[f].end >= 0) continue;
        flows.add(plain[f].path);
        alive.push_back(f);
      }
      if (alive.empty()) break;
      const auto rates = solver.solve(flows);
      double step = 1e300;
      for (std::size_t i = 0; i < alive.size(); ++i) {
        step = std::min(step, plain[alive[i]].left / (rates[i] / 1.0_Bps));
      }
      now += step;
      for (std::size_t i = 0; i < alive.size(); ++i) {
        plain[alive[i]].left -= step * (rates[i] / 1.0_Bps);
        if (plain[alive[i]].left < 1e-3) plain[alive[i]].end = now;
      }
    }
    for (const End& end : run_out(network)) {
      // Each end is rounded to a picosecond, at most 60 of them before the last.
      const double expected = plain[end.tag].end;
      RC_ASSERT(std::abs(end.microseconds * 1e-6 - expected) < 1e-9 * expected + 30e-12);
    }
  }));
}

}  // namespace
}  // namespace moesim::net
