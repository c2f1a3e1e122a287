#include "net/exchange_estimate.h"

#include <rapidcheck.h>

#include <array>
#include <cmath>
#include <vector>

#include "net/collective_flows.h"
#include "net/flow_runs.h"
#include "tests/support/aborts.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::net {
namespace {

using moesim::test::toy_cluster;
using moesim::test::WithinRel;
using topology::Topology;

std::vector<GpuId> gpus(std::int64_t count) {
  std::vector<GpuId> group;
  for (std::int64_t g = 0; g < count; ++g) group.emplace_back(g);
  return group;
}

/// Four nodes of two GPUs, two nodes below a leaf whose uplink is half of its four ports.
topology::Cluster narrow_leaves() {
  topology::Cluster cluster = toy_cluster(4, 2);
  cluster.scale_out = topology::ScaleOut::LeafSpine;
  cluster.leaf_ports = 4;
  cluster.oversubscription = 2.0;
  return cluster;
}

TEST_CASE("exchange_estimate: the busiest link where nothing is narrow", "[net][oracle]") {
  // Ranks 0 and 1 of two nodes of one GPU: 5 and 3 copies of 10 kB over ports of 10 GB/s: 5 us.
  const Topology topology(toy_cluster(2, 1));
  ExchangeEstimate estimate(topology, direct_pairs(gpus(2)));
  const std::array<std::int32_t, 4> copies{0, 5, 3, 0};
  CHECK_THAT(estimate.time(copies, 10_kB) / 1.0_us, WithinRel(5.0, 1e-12));
  CHECK_FALSE(estimate.shared());
}

TEST_CASE("exchange_estimate: a hot port waits for its share of a narrow leaf", "[net][oracle]") {
  // GPUs 0-3 send to 4-7 behind the other leaf, whose downlink carries 20 GB/s for four ports of
  // 10. Port 4 gets 70 MB, ports 5, 6, 7 get 30, 30, 40 MB, one flow each. Downlink: 170 MB, 8.5
  // ms. By max-min: all at 5 GB/s until 6 ms (30 MB each); then 10 GB/s each for ports 4 and 7:
  // port 7 ends at 7 ms, port 4 with 40 MB at 10 GB/s at 10 ms. Estimate: mean flow 42.5; at V =
  // 0.7 * 42.5 = 29.75: t = 119 / 20, then 40.25 / 10: 9.975 ms.
  const Topology topology(narrow_leaves());
  const std::vector<GpuId> group = gpus(8);
  std::vector<std::int32_t> copies(64, 0);
  copies[0 * 8 + 4] = 70;
  copies[1 * 8 + 5] = 30;
  copies[2 * 8 + 6] = 30;
  copies[3 * 8 + 7] = 40;
  Fabric fabric(topology);
  const auto flows = direct_all_to_all_flows(topology, group, copies, 1_MB);
  const Seconds full = time_alone(fabric, flows) - flows.phases[0].latency;
  CHECK_THAT(full / 1.0_ms, WithinRel(10.0, 1e-6));
  ExchangeEstimate estimate(topology, direct_pairs(group));
  CHECK_THAT(estimate.time(copies, 1_MB) / 1.0_ms, WithinRel(9.975, 1e-9));
  CHECK(estimate.shared());
}

TEST_CASE("exchange_estimate, fabric: a NIC that is down carries nothing", "[net][oracle]") {
  // Two nodes of two GPUs. GPU 1 has lost its NIC and shares that of GPU 0: 5 copies 0 -> 2 and 3
  // copies 1 -> 3 leave by one port of 10 GB/s (without the fault by one each). 80 kB: 8 us.
  topology::Cluster cluster = toy_cluster(2, 2);
  cluster.degraded = {{.link = "node0/nic1", .share = 0.0}};
  const Topology topology(cluster);
  const std::vector<GpuId> group = gpus(4);
  std::vector<std::int32_t> copies(16, 0);
  copies[0 * 4 + 2] = 5;
  copies[1 * 4 + 3] = 3;
  ExchangeEstimate estimate(topology, direct_pairs(group));
  CHECK_THAT(estimate.time(copies, 10_kB) / 1.0_us, WithinRel(8.0, 1e-12));
  const std::vector<BytesPerSecond> idle(topology.links().size());
  const auto beside = estimate.time_beside(copies, 10_kB, idle);
  REQUIRE(beside.has_value());
  CHECK_THAT(*beside / 1.0_us, WithinRel(8.0, 1e-12));
  CHECK(estimate.time(std::vector<std::int32_t>(16, 0), 10_kB) == Seconds{});

  Fabric fabric(topology);
  const auto flows = direct_all_to_all_flows(topology, group, copies, 10_kB);
  const Seconds full = time_alone(fabric, flows) - flows.phases[0].latency;
  CHECK_THAT(full / 1.0_us, WithinRel(8.0, 1e-6));
  const auto uses = fabric.network().use(fabric.network().last_change());
  double kilobytes = 0.0;
  std::int64_t down = 0;
  for (std::size_t l = 0; l < uses.size(); ++l) {
    const topology::Link& link = topology.links()[l];
    if (link.kind == topology::LinkKind::NicPort) kilobytes += uses[l].carried / 1_kB;
    if (link.bandwidth > BytesPerSecond{}) continue;
    ++down;
    CHECK(uses[l].carried == Bytes{});
    CHECK(uses[l].busy == Seconds{});
  }
  CHECK(down == 2);
  CHECK_THAT(kilobytes, WithinRel(160.0, 1e-9));
}

TEST_CASE("exchange_estimate: what makes a leaf link narrow", "[net]") {
  const auto is_narrow = [](const topology::Cluster& cluster) {
    const Topology topology(cluster);
    return ExchangeEstimate(topology, direct_pairs(gpus(cluster.gpus()))).has_narrow_links();
  };
  topology::Cluster cluster = narrow_leaves();
  CHECK(is_narrow(cluster));
  cluster.oversubscription = 1.0;
  CHECK_FALSE(is_narrow(cluster));
  // Rates whose sums round.
  cluster.nic.bandwidth = 10_GBps / 3.0;
  cluster.nic.efficiency = 0.9;
  cluster.leaf_ports = 6;
  CHECK_FALSE(is_narrow(cluster));
  cluster = narrow_leaves();
  cluster.oversubscription = 1.0;
  cluster.degraded = {{.link = "leaf0 - spine", .share = 0.5}};
  CHECK(is_narrow(cluster));
  // The four ports below a leaf may all send to one spine that has half of its rate.
  cluster.degraded.clear();
  cluster.spine_switches = 2;
  CHECK(is_narrow(cluster));
  // Slots slower than the ports: 4 * 5 GB/s below uplinks of 20 GB/s; of 4 * 10 / 3 they are.
  cluster = narrow_leaves();
  cluster.pcie.bandwidth = 5_GBps;
  CHECK_FALSE(is_narrow(cluster));
  cluster.oversubscription = 3.0;
  CHECK(is_narrow(cluster));
}

TEST_CASE("exchange_estimate: never below the busiest link; twice the copies take twice as long",
          "[net][property]") {
  CHECK(rc::check([] {
    topology::Cluster cluster = narrow_leaves();
    cluster.oversubscription = *rc::gen::inRange(1, 5);
    const Topology topology(cluster);
    ExchangeEstimate estimate(topology, direct_pairs(gpus(8)));
    std::vector<std::int32_t> copies;
    for (int i = 0; i < 64; ++i) copies.push_back(*rc::gen::inRange(0, 30));
    std::vector<double> busy(topology.links().size(), 0.0);
    for (std::size_t i = 0; i < 64; ++i) {
      const GpuId from{static_cast<std::int64_t>(i / 8)};
      const GpuId to{static_cast<std::int64_t>(i % 8)};
      for (const LinkId link : topology.path(from, to)) {
        busy[link.index()] += copies[i] * 1_kB / topology.links()[link.index()].bandwidth / 1.0_us;
      }
    }
    const double bare = *std::max_element(busy.begin(), busy.end());
    const double fast = estimate.time(copies, 1_kB) / 1.0_us;
    RC_ASSERT(fast >= bare * (1.0 - 1e-12));
    for (auto& count : copies) count *= 2;
    RC_ASSERT(std::abs(estimate.time(copies, 1_kB) / 1.0_us - 2.0 * fast) <= 1e-9 * fast);
  }));
}

TEST_CASE("exchange_estimate: beside other traffic it is corrected or refuses", "[net]") {
  const Topology topology(toy_cluster(2, 2));
  const std::vector<GpuId> group = gpus(4);
  ExchangeEstimate estimate(topology, direct_pairs(group));
  std::vector<std::int32_t> copies(16, 10);
  Fabric fabric(topology);
  const auto loads = [&] {
    std::vector<BytesPerSecond> all;
    for (std::size_t l = 0; l < topology.links().size(); ++l) {
      all.push_back(fabric.network().load(LinkId{static_cast<std::int64_t>(l)}));
    }
    return all;
  };
  const Seconds alone = estimate.time(copies, 10_kB);
  const auto idle = estimate.time_beside(copies, 10_kB, loads());
  REQUIRE(idle.has_value());
  CHECK_THAT(*idle / alone, WithinRel(1.0, 1e-12));
  // 1 GB/s of other traffic on a port of 10 GB/s, beside links that hardly matter: NVLink.
  std::vector<BytesPerSecond> some(topology.links().size());
  for (std::size_t l = 0; l < some.size(); ++l) {
    if (topology.links()[l].kind == topology::LinkKind::ScaleUp) some[l] = 1_GBps;
  }
  CHECK(estimate.time_beside(copies, 10_kB, some).has_value());
  // A KV cache from GPU 0 to 2 fills the very port the exchange needs.
  fabric.network().start({}, fabric.path(GpuId{0}, GpuId{2}), 1_GB, 0);
  fabric.network().rerate({});
  CHECK_FALSE(estimate.time_beside(copies, 10_kB, loads()).has_value());
  // The question asked leaves no trace.
  CHECK_THAT(estimate.time(copies, 10_kB) / alone, WithinRel(1.0, 1e-12));
  CHECK(test::aborts([&] { (void)estimate.time(std::array<std::int32_t, 1>{1}, 1_kB); }));
}

TEST_CASE("exchange_estimate: pairs in the order of the copies", "[net]") {
  // Two nodes of two: rank 1 to node 0 is itself; to node 1 it is rank 3. Then the peers.
  const Topology topology(toy_cluster(2, 2));
  const auto pairs = all_to_all_pairs(topology, gpus(4));
  REQUIRE(pairs.size() == 16);
  CHECK(pairs[2].to == GpuId{1});
  CHECK(pairs[3].to == GpuId{3});
  CHECK(pairs[8 + 2 * 2 + 1].from == GpuId{2});
  CHECK(pairs[8 + 2 * 2 + 1].to == GpuId{3});
}

TEST_CASE("flow_runs: an exchange beside a KV transfer and experts on the move takes longer",
          "[net][oracle]") {
  // Ports of 10 GB/s; GPU 0 sends 1 MB to GPU 2 (dispatch), 10 MB of KV cache the same way and an
  // expert of 10 MB from 1 to 2, which crosses to GPU 0 first and then takes the same port.
  // Three flows share port 0: 3.33 GB/s; 1 MB takes 300 us, alone 100 us. Latency 4.5 us (6.5 us
  // for the expert, whose flow therefore starts 2 us later: until then halves, 10 kB each).
  const Topology topology(toy_cluster(2, 2));
  Fabric fabric(topology);
  des::Simulator simulator;
  FlowRuns runs(fabric, simulator, 0);
  const auto flow = [&](int from, int to, Bytes bytes) {
    return transfer_flows(
        topology, std::array{Transfer{.from = GpuId{from}, .to = GpuId{to}, .bytes = bytes}});
  };
  const auto dispatch = flow(0, 2, 1_MB);
  const auto kv = flow(0, 2, 10_MB);
  const auto expert = flow(1, 2, 10_MB);
  runs.start(dispatch, 1);
  runs.start(kv, 2);
  runs.start(expert, 3);
  double end = 0;
  simulator.run([&](const des::Event& event) {
    for (const std::uint64_t tag : runs.handle(event)) {
      if (tag == 1) end = simulator.now().milliseconds() * 1000.0;
    }
  });
  // 4.5 us, 2 us at 5 GB/s (10 kB), 990 kB at 10 / 3 GB/s: 297 us.
  CHECK_THAT(end, WithinRel(4.5 + 2.0 + 297.0, 1e-9));
}

}  // namespace
}  // namespace moesim::net
