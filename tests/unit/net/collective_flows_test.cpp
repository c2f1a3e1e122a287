#include "net/collective_flows.h"

#include <rapidcheck.h>

#include <array>
#include <numeric>
#include <vector>

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

double microseconds(const Topology& topology, const CollectiveFlows& flows) {
  Fabric fabric(topology);
  return time_alone(fabric, flows) / 1.0_us;
}

TEST_CASE("collective_flows: a message takes its path's latency and its bytes over the port",
          "[net][oracle]") {
  // Rails of equal place: 4 us + 0.5 us a switch; 1 MB over a port of 10 GB/s: 100 us.
  const Topology topology(toy_cluster(2, 2));
  const std::array moved{Transfer{.from = GpuId{0}, .to = GpuId{2}, .bytes = 1_MB}};
  CHECK_THAT(microseconds(topology, transfer_flows(topology, moved)), WithinRel(104.5, 1e-9));
  const std::array none{Transfer{.from = GpuId{1}, .to = GpuId{1}, .bytes = 1_MB}};
  CHECK(microseconds(topology, transfer_flows(topology, none)) == 0.0);
}

TEST_CASE("collective_flows: two transfers into one GPU take twice as long", "[net][oracle]") {
  // GPUs 0 and 2 of three nodes to GPU 4, all on rail 0: both pass the port of GPU 4.
  const Topology topology(toy_cluster(3, 2));
  const std::array moved{Transfer{.from = GpuId{0}, .to = GpuId{4}, .bytes = 1_MB},
                         Transfer{.from = GpuId{2}, .to = GpuId{4}, .bytes = 1_MB}};
  CHECK_THAT(microseconds(topology, transfer_flows(topology, moved)), WithinRel(204.5, 1e-9));
}

TEST_CASE("collective_flows: ring all-reduce inside a node", "[net][oracle]") {
  // 4 GPUs, 100 GB/s, 2 us. 6 steps: 2 * (1 + 5 * 0.12) = 3.2 us; 2 * 3/4 * 4 MB = 6 MB: 60 us.
  const Topology topology(toy_cluster(1, 4));
  const auto flows = all_reduce_flows(topology, gpus(4), 4_MB);
  CHECK(flows.algorithm == "ring");
  CHECK_THAT(microseconds(topology, flows), WithinRel(63.2, 1e-9));
}

TEST_CASE("collective_flows: a double tree moves the bytes once each way", "[net][oracle]") {
  // 2 GPUs: both trees are the edge 0-1 with 2 MB each, so 4 MB each way at 100 GB/s: 40 us, and
  // two steps: 2 * (1 + 0.12) = 2.24 us.
  const Topology topology(toy_cluster(1, 2));
  const auto flows = all_reduce_flows(topology, gpus(2), 4_MB, AllReduceAlgorithm::Tree);
  CHECK_THAT(microseconds(topology, flows), WithinRel(42.24, 1e-9));
}

TEST_CASE("collective_flows: the switch adds up", "[net][oracle]") {
  // 4 GPUs, 100 GB/s, 2 us: 5/4 of 4 MB each way: 50 us, and two steps: 2.24 us. Rings need 60 us.
  const Topology topology(toy_cluster(1, 4));
  const auto flows = all_reduce_flows(topology, gpus(4), 4_MB, AllReduceAlgorithm::InNetwork);
  CHECK_THAT(microseconds(topology, flows), WithinRel(52.24, 1e-9));
}

TEST_CASE("collective_flows: a broadcast is a chain", "[net][oracle]") {
  // 1 MB through 3 nodes of one GPU: two hops of 4.5 us, 100 us on every port at once.
  const Topology topology(toy_cluster(3, 1));
  CHECK_THAT(microseconds(topology, broadcast_flows(topology, gpus(3), 1_MB)),
             WithinRel(109.0, 1e-9));
}

TEST_CASE("collective_flows: alone on NVSwitch nodes, rings take the closed form",
          "[net][property]") {
  // n ranks a node, m nodes. Inside a ring of n: (n-1)/n of the bytes over 100 GB/s, 2 us for the
  // first step and 0.24 us for each later one. Between the nodes all n NICs of 10 GB/s carry rings
  // of m with an n-th of the bytes, 4.5 us a step.
  CHECK(rc::check([] {
    const auto m = *rc::gen::inRange<std::int64_t>(1, 5);
    const auto n = *rc::gen::inRange<std::int64_t>(m == 1 ? 2 : 1, 9);
    const Topology topology(toy_cluster(m, n));
    const std::vector<GpuId> group = gpus(m * n);
    const double megabytes = *rc::gen::inRange(1, 1000);
    const Bytes bytes = megabytes * 1_MB;
    const auto ranks = static_cast<double>(n);
    const auto nodes = static_cast<double>(m);
    const double inside =
        n == 1 ? 0.0 : 2.0 + 0.24 * (ranks - 2.0) + (ranks - 1.0) / ranks * megabytes * 10.0;
    const double between =
        m == 1 ? 0.0 : 4.5 * (nodes - 1.0) + (nodes - 1.0) / nodes * megabytes / ranks * 100.0;
    const double gather = microseconds(topology, all_gather_flows(topology, group, bytes));
    RC_ASSERT(std::abs(gather / (inside + between) - 1.0) < 1e-6);
    const double scatter = microseconds(topology, reduce_scatter_flows(topology, group, bytes));
    RC_ASSERT(std::abs(scatter / gather - 1.0) < 1e-6);
    if (m > 1) {
      const double both = microseconds(topology, all_reduce_flows(topology, group, bytes));
      RC_ASSERT(std::abs(both / (2.0 * gather) - 1.0) < 1e-6);
    }
  }));
}

TEST_CASE("collective_flows: GPUs joined in pairs use all their links at once", "[net][oracle]") {
  // 4 GPUs, 100 GB/s a pair. Direct all-reduce: two steps of a quarter of 4 MB over every link:
  // 2 MB, 20 us, and 2 * (1 + 0.12) us.
  topology::Cluster cluster = toy_cluster(1, 4);
  cluster.gpu.scale_up = catalog::ScaleUpKind::XgmiMesh;
  const Topology topology(cluster);
  const auto flows = all_reduce_flows(topology, gpus(4), 4_MB);
  CHECK(flows.algorithm == "direct");
  CHECK_THAT(microseconds(topology, flows), WithinRel(22.24, 1e-9));
}

TEST_CASE("collective_flows: the published bound of a wide-EP exchange", "[net][oracle]") {
  // arXiv 2505.09343: 32 tokens x 9 experts x 7,000 B out of each GPU at 50 GB/s, FP8 there and
  // BF16 back: 3 B an element, 121 us a layer. Each of 18 GPUs of one per node sends a ninth of
  // its 288 copies to 9 others: the ports carry 288 x 21,000 B = 6.048 MB each way: 120.96 us.
  topology::Cluster cluster = toy_cluster(18, 1);
  cluster.nic.bandwidth = 50_GBps;
  cluster.pcie.bandwidth = 60_GBps;
  const Topology topology(cluster);
  std::vector<std::int32_t> copies(18 * 18, 0);
  for (std::size_t r = 0; r < 18; ++r) {
    for (std::size_t k = 1; k <= 9; ++k) copies[r * 18 + (r + k) % 18] = 32;
  }
  const auto flows = direct_all_to_all_flows(topology, gpus(18), copies, 21_kB);
  CHECK_THAT(microseconds(topology, flows) - flows.phases[0].latency / 1.0_us,
             WithinRel(120.96, 1e-9));
}

TEST_CASE("collective_flows: de-duplicated all-to-all by hand", "[net][oracle]") {
  // Two nodes of two GPUs. Rank 0 sends 10 copies to the other node, where rank 2 keeps 4 and hands
  // 6 on to rank 3; rank 1 sends 3 to rank 0. 10 kB a copy: 100 kB at 10 GB/s: 10 us; 60 kB at
  // 100 GB/s are long over. Latency 4.5 + 2 us.
  const Topology topology(toy_cluster(2, 2));
  const std::array<std::int32_t, 8> to_domain{0, 10, 0, 0, 0, 0, 0, 0};
  const std::array<std::int32_t, 8> inside{0, 0, 3, 0, 0, 6, 0, 0};
  const auto flows =
      all_to_all_flows(topology, gpus(4),
                       {.domains = 2, .peers = 2, .to_domain = to_domain, .inside = inside}, 10_kB);
  REQUIRE(flows.phases[0].transfers.size() == 3);
  CHECK(flows.phases[0].transfers[0].to == GpuId{2});
  CHECK_THAT(microseconds(topology, flows), WithinRel(16.5, 1e-9));
}

TEST_CASE("flow_runs: collectives that share a port slow each other", "[net][oracle]") {
  // A KV cache of 1 MB from GPU 0 to 2 and, 40 us later, 0.3 MB beside it, both over port 0.
  // The first has a start of 4.5 us and is alone until the second's flow starts at 44.5 us: 0.4 MB
  // gone. Then 5 GB/s each: 0.3 MB take 60 us (104.5), leaving 0.3 MB at 10 GB/s: 134.5 us.
  const Topology topology(toy_cluster(2, 2));
  Fabric fabric(topology);
  des::Simulator simulator;
  FlowRuns runs(fabric, simulator, 7);
  const auto first = transfer_flows(
      topology, std::array{Transfer{.from = GpuId{0}, .to = GpuId{2}, .bytes = 1_MB}});
  const auto second = transfer_flows(
      topology, std::array{Transfer{.from = GpuId{0}, .to = GpuId{2}, .bytes = 300_kB}});
  runs.start(first, 1);
  simulator.schedule_at(SimTime::from(40_us), des::Priority::Handover, {.kind = 1});
  std::vector<double> ends(3, 0.0);
  simulator.run([&](const des::Event& event) {
    if (!runs.handles(event)) {
      runs.start(second, 2);
      return;
    }
    for (const std::uint64_t tag : runs.handle(event)) {
      ends[tag] = simulator.now().milliseconds() * 1000.0;
    }
  });
  CHECK_THAT(ends[2], WithinRel(104.5, 1e-9));
  CHECK_THAT(ends[1], WithinRel(134.5, 1e-9));
  CHECK(runs.under_way() == 0);
}

TEST_CASE("fabric: the PCIe of a GPU with a NIC of its own is never a bottleneck", "[net]") {
  const Topology topology(toy_cluster(3, 3));
  const auto dominated = dominated_links(topology);
  for (std::size_t l = 0; l < dominated.size(); ++l) {
    CHECK((dominated[l] != 0) == (topology.links()[l].kind == topology::LinkKind::Pcie));
  }
}

TEST_CASE("fabric: passing over dominated links changes no rate", "[net][property]") {
  CHECK(rc::check([] {
    topology::Cluster cluster = toy_cluster(*rc::gen::inRange<std::int64_t>(2, 5), 4);
    cluster.nics_per_node = *rc::gen::element<std::int64_t>(2, 4);
    cluster.pcie.bandwidth = *rc::gen::inRange(5, 30) * 1_GBps;
    cluster.leaf_ports = *rc::gen::inRange<std::int64_t>(1, 9);
    cluster.oversubscription = *rc::gen::inRange(1, 4);
    cluster.gpu.scale_up = *rc::gen::element(
        catalog::ScaleUpKind::NvSwitch, catalog::ScaleUpKind::Pcie, catalog::ScaleUpKind::XgmiMesh);
    if (*rc::gen::inRange(0, 2) == 0) cluster.scale_out = topology::ScaleOut::LeafSpine;
    const Topology topology(cluster);
    Fabric fabric(topology);
    FlowNetwork all(link_capacities(topology));
    std::vector<PathId> in_fabric;
    std::vector<PathId> in_all;
    for (int f = 0; f < 40; ++f) {
      const GpuId from{*rc::gen::inRange<std::int64_t>(0, cluster.gpus())};
      const GpuId to{*rc::gen::inRange<std::int64_t>(0, cluster.gpus())};
      if (from == to) continue;
      in_fabric.push_back(fabric.path(from, to));
      in_all.push_back(all.add_path(topology.path(from, to)));
      fabric.network().start({}, in_fabric.back(), 1_MB, 0);
      all.start({}, in_all.back(), 1_MB, 0);
    }
    fabric.network().rerate({});
    all.rerate({});
    for (std::size_t f = 0; f < in_all.size(); ++f) {
      const double ratio = fabric.network().rate(in_fabric[f]) / all.rate(in_all[f]);
      RC_ASSERT(std::abs(ratio - 1.0) < 1e-9);
    }
  }));
}

TEST_CASE("collective_flows: broken groups are a bug", "[net]") {
  const Topology topology(toy_cluster(1, 4));
  CHECK(test::aborts([&] {
    (void)all_reduce_flows(topology, std::array{GpuId{0}, GpuId{0}}, 1_MB);
  }));
  CHECK(test::aborts([&] { (void)all_reduce_flows(topology, gpus(4), 0_B); }));
}

}  // namespace
}  // namespace moesim::net
