#include "net/max_min.h"

#include <rapidcheck.h>

#include <array>
#include <cmath>
#include <initializer_list>

#include "net/flow_network.h"
#include "tests/support/aborts.h"
#include "tests/support/catch.h"
#include "tests/unit/net/random_flows.h"

namespace moesim::net {
namespace {

using moesim::test::WithinRel;

FlowSet flows_over(std::initializer_list<std::vector<int>> paths) {
  FlowSet flows;
  for (const auto& links : paths) {
    std::vector<LinkId> path;
    for (const int link : links) path.emplace_back(link);
    flows.add(path);
  }
  return flows;
}

double gigabytes(BytesPerSecond rate) { return rate / 1.0_GBps; }

TEST_CASE("max_min: equal flows share a link evenly", "[net][oracle]") {
  MaxMin solver(std::array{90_GBps});
  const auto rates = solver.solve(flows_over({{0}, {0}, {0}}));
  for (const BytesPerSecond rate : rates) CHECK_THAT(gigabytes(rate), WithinRel(30.0, 1e-12));
}

TEST_CASE("max_min: what one flow cannot use the others take", "[net][oracle]") {
  // Link 0 carries 10, link 1 carries 30. Flow 0 crosses both, 1 only link 0, 2 and 3 only link 1.
  // Link 0 fills first: 10 / 2 = 5 each for flows 0 and 1. Link 1 then has 25 for two: 12.5 each.
  MaxMin solver(std::array{10_GBps, 30_GBps});
  const auto rates = solver.solve(flows_over({{0, 1}, {0}, {1}, {1}}));
  CHECK_THAT(gigabytes(rates[0]), WithinRel(5.0, 1e-12));
  CHECK_THAT(gigabytes(rates[1]), WithinRel(5.0, 1e-12));
  CHECK_THAT(gigabytes(rates[2]), WithinRel(12.5, 1e-12));
  CHECK_THAT(gigabytes(rates[3]), WithinRel(12.5, 1e-12));
  CHECK(solver.bottlenecks()[0] == LinkId{0});
  CHECK(solver.bottlenecks()[3] == LinkId{1});
}

TEST_CASE("max_min: a long flow over a chain of links gets its share of the narrowest",
          "[net][oracle]") {
  // Five links of 12; flow 0 crosses all, link 2 has two more flows, the others one each.
  // Link 2: 12 / 3 = 4. The single flows on the other links get 12 - 4 = 8.
  MaxMin solver(std::array{12_GBps, 12_GBps, 12_GBps, 12_GBps, 12_GBps});
  const auto rates = solver.solve(flows_over({{0, 1, 2, 3, 4}, {0}, {1}, {2}, {2}, {3}, {4}}));
  const std::array expected{4.0, 8.0, 8.0, 4.0, 4.0, 8.0, 8.0};
  for (std::size_t f = 0; f < expected.size(); ++f) {
    CHECK_THAT(gigabytes(rates[f]), WithinRel(expected[f], 1e-12));
  }
}

TEST_CASE("max_min: a weight of three is three flows", "[net][oracle]") {
  // Link 0 carries 40: weights 3 and 1 get 30 and 10. Link 1 (15) caps the heavy one at 15, and the
  // light one takes the 25 that are left.
  FlowSet flows;
  flows.add(std::array{LinkId{0}}, 3.0);
  flows.add(std::array{LinkId{0}});
  MaxMin alone(std::array{40_GBps});
  CHECK_THAT(gigabytes(alone.solve(flows)[0]), WithinRel(30.0, 1e-12));
  CHECK_THAT(gigabytes(alone.solve(flows)[1]), WithinRel(10.0, 1e-12));
  flows.clear();
  flows.add(std::array{LinkId{0}, LinkId{1}}, 3.0);
  flows.add(std::array{LinkId{0}});
  MaxMin capped(std::array{40_GBps, 15_GBps});
  CHECK_THAT(gigabytes(capped.solve(flows)[0]), WithinRel(15.0, 1e-12));
  CHECK_THAT(gigabytes(capped.solve(flows)[1]), WithinRel(25.0, 1e-12));
}

TEST_CASE("max_min: three senders to a hot receiver and one elsewhere", "[net][oracle]") {
  // Out links 0-2 and in links 3-4 of 60. Senders 0, 1, 2 to receiver 3; sender 0 to receiver 4 as
  // well. The hot receiver gives 20 each; sender 0 has 40 left for the other flow.
  MaxMin solver(std::array{60_GBps, 60_GBps, 60_GBps, 60_GBps, 60_GBps});
  const auto rates = solver.solve(flows_over({{0, 3}, {1, 3}, {2, 3}, {0, 4}}));
  for (std::size_t f = 0; f < 3; ++f) CHECK_THAT(gigabytes(rates[f]), WithinRel(20.0, 1e-12));
  CHECK_THAT(gigabytes(rates[3]), WithinRel(40.0, 1e-12));
}

TEST_CASE("max_min: no flows, no rates; broken input is a bug", "[net]") {
  MaxMin solver(std::array{1_GBps});
  CHECK(solver.solve(FlowSet{}).empty());
  CHECK(test::aborts([] { const MaxMin broken(std::array{-1_GBps}); }));
  CHECK(test::aborts([] { flows_over({{}}); }));
  CHECK(test::aborts([] { flows_over({{0, 0}}); }));
  CHECK(test::aborts([] {
    MaxMin one(std::array{1_GBps});
    (void)one.solve(flows_over({{1}}));
  }));
}

TEST_CASE("max_min: agrees with brute-force progressive filling on random graphs",
          "[net][property]") {
  CHECK(rc::check([] {
    const auto links = *rc::gen::inRange<std::int64_t>(1, 12);
    const std::vector<BytesPerSecond> capacity = random_capacities(links);
    const auto count = *rc::gen::inRange<std::int64_t>(0, 40);
    FlowSet flows;
    for (std::int64_t f = 0; f < count; ++f) {
      flows.add(random_path(links), static_cast<double>(*rc::gen::inRange(1, 5)));
    }
    MaxMin solver(capacity);
    const auto rates = solver.solve(flows);
    const std::vector<double> expected = brute_force_rates(capacity, flows);
    for (std::size_t f = 0; f < flows.size(); ++f) {
      RC_ASSERT(std::abs(rates[f] / 1.0_Bps / expected[f] - 1.0) < 1e-9);
    }
  }));
}

TEST_CASE("max_min: every flow has a full link on which none has a higher level",
          "[net][property]") {
  CHECK(rc::check([] {
    const std::vector<BytesPerSecond> capacity = random_capacities(30);
    FlowSet flows;
    for (int f = 0; f < 200; ++f) {
      flows.add(random_path(30), static_cast<double>(*rc::gen::inRange(1, 5)));
    }
    MaxMin solver(capacity);
    const auto rates = solver.solve(flows);
    std::vector<double> load(capacity.size(), 0.0);
    std::vector<double> highest(capacity.size(), 0.0);
    for (std::size_t f = 0; f < flows.size(); ++f) {
      for (const LinkId link : flows.path(f)) {
        load[link.index()] += rates[f] / 1.0_Bps;
        highest[link.index()] =
            std::max(highest[link.index()], rates[f] / 1.0_Bps / flows.weight(f));
      }
    }
    for (std::size_t l = 0; l < capacity.size(); ++l) {
      RC_ASSERT(load[l] < capacity[l] / 1.0_Bps * (1.0 + 1e-9));
    }
    for (std::size_t f = 0; f < flows.size(); ++f) {
      const std::size_t link = solver.bottlenecks()[f].index();
      RC_ASSERT(load[link] > capacity[link] / 1.0_Bps * (1.0 - 1e-9));
      RC_ASSERT(rates[f] / 1.0_Bps / flows.weight(f) > highest[link] * (1.0 - 1e-9));
    }
  }));
}

TEST_CASE("max_min, flow_network: a link that is down is not there; no path may cross it",
          "[net]") {
  const std::vector<BytesPerSecond> capacity{10_GBps, 0_GBps};
  const std::vector<LinkId> up{LinkId{0}};
  const std::vector<LinkId> over{LinkId{0}, LinkId{1}};
  FlowSet flows;
  flows.add(up);
  flows.add(up);
  MaxMin solver(capacity);
  CHECK_THAT(gigabytes(solver.solve(flows)[0]), WithinRel(5.0, 1e-12));
  Bottlenecks bottlenecks(capacity);
  const ClassId both = bottlenecks.add_class(up);
  bottlenecks.set_weight(both, 2);
  bottlenecks.solve();
  CHECK_THAT(gigabytes(bottlenecks.rate(both)), WithinRel(5.0, 1e-9));
  CHECK(test::aborts([&] { (void)bottlenecks.add_class(over); }));
  flows.add(over);
  CHECK(test::aborts([&] { (void)solver.solve(flows); }));
  // Passed over or not.
  FlowNetwork network(capacity, std::vector<std::uint8_t>{0, 1});
  CHECK(test::aborts([&] { (void)network.add_path(over); }));
  CHECK(test::aborts([] { const Bottlenecks broken(std::array{-1_GBps}); }));
}

}  // namespace
}  // namespace moesim::net
