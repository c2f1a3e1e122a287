#include <chrono>
#include <set>
#include <string>

#include "tests/support/aborts.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"
#include "tests/unit/topology/walk.h"
#include "topology/cluster_check.h"
#include "topology/topology.h"

namespace moesim::topology {
namespace {
using namespace moesim::literals;
using moesim::test::toy_cluster;
using moesim::test::walk;
using moesim::test::WithinRel;

/// Four nodes of two GPUs below two leaves of four NICs, joined by two spines.
Cluster small_tree() {
  Cluster c = toy_cluster(4, 2);
  c.scale_out = ScaleOut::LeafSpine;
  c.leaf_ports = 4;
  c.spine_switches = 2;
  return c;
}

TEST_CASE("Fat tree: a flow takes the spine of its destination's port", "[topology][oracle]") {
  const Topology t(small_tree());
  // Ports of leaf 1: node2 has 0 and 1, node3 has 2 and 3; port modulo 2 spines.
  CHECK(walk(t, GpuId{0}, GpuId{4}) ==
        "node0/gpu0 node0/nic0 leaf0 spine0 leaf1 node2/nic0 node2/gpu0");
  CHECK(walk(t, GpuId{0}, GpuId{5}) ==
        "node0/gpu0 node0/nic0 leaf0 spine1 leaf1 node2/nic1 node2/gpu1");
  CHECK(walk(t, GpuId{1}, GpuId{6}) ==
        "node0/gpu1 node0/nic1 leaf0 spine0 leaf1 node3/nic0 node3/gpu0");
  // Four NICs of 10 GB/s over two trunks: 20 GB/s each, 40 GB/s together.
  const auto a = t.attachment(GpuId{0});
  REQUIRE(a.has_value());
  CHECK_THAT(t.links()[a->uplink->index()].bandwidth / 1.0_GBps, WithinRel(20.0, 1e-12));
  CHECK_THAT(a->leaf_rate / 1.0_GBps, WithinRel(40.0, 1e-12));
}

TEST_CASE("Fat tree: a trunk that is down sends its flows over another spine", "[topology]") {
  Cluster c = small_tree();
  c.degraded = {{.link = "leaf0 - spine0", .share = 0.0}};
  const Topology t(c);
  CHECK(walk(t, GpuId{0}, GpuId{4}) ==
        "node0/gpu0 node0/nic0 leaf0 spine1 leaf1 node2/nic0 node2/gpu0");
  CHECK(walk(t, GpuId{4}, GpuId{0}) ==
        "node2/gpu0 node2/nic0 leaf1 spine1 leaf0 node0/nic0 node0/gpu0");
  CHECK_THAT(t.attachment(GpuId{0})->leaf_rate / 1.0_GBps, WithinRel(20.0, 1e-12));
}

TEST_CASE("Fat tree: leaves without a common spine are refused", "[topology]") {
  Cluster c = small_tree();
  c.degraded = {{.link = "leaf0 - spine0", .share = 0.0}, {.link = "leaf1 - spine1", .share = 0.0}};
  const auto faults = faults_of(c);
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].message ==
        "node2/gpu0 cannot be reached from node0/gpu0: no leaf or spine joins them");
  CHECK(faults[0].degraded == 1);
}

TEST_CASE("Fat tree: 4,096 GPUs use every trunk of every leaf alike", "[topology]") {
  Cluster c = toy_cluster(512, 8);
  c.leaf_ports = 64;
  c.spine_switches = 32;
  const auto start = std::chrono::steady_clock::now();
  const Topology t(c);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  INFO("built in " << took.count() << " s");
  // 8 rails of 8 leaves: 64 leaves of 64 ports, 32 spines.
  CHECK(t.vertices().size() == 4096 + 512 + 4096 + 64 + 32);
  // Each way: 4,096 to the switch, 4,096 to the NIC, 4,096 ports, 64 * 32 trunks.
  CHECK(t.links().size() == 2 * (3 * 4096 + 64 * 32));
  // Node 64 + n has port n of leaf 1: two of the 64 nodes below a leaf share a trunk.
  std::set<std::int32_t> trunks;
  for (std::int64_t n = 0; n < 64; ++n) {
    const auto path = t.path(GpuId{0}, GpuId{(64 + n) * 8});
    REQUIRE(path.size() == 6);
    trunks.insert(path[2].value());
  }
  CHECK(trunks.size() == 32);
}

TEST_CASE("Rail-only: other rails are reached over scale-up links alone", "[topology][oracle]") {
  Cluster c = toy_cluster(4, 2);
  c.scale_out = ScaleOut::RailOnly;
  c.leaf_ports = 4;
  const Topology t(c);
  // 8 GPUs, 4 domains, 8 NICs, 2 leaves, no spine.
  CHECK(t.vertices().size() == 22);
  CHECK(walk(t, GpuId{0}, GpuId{6}) == "node0/gpu0 node0/nic0 rail0/leaf0 node3/nic0 node3/gpu0");
  CHECK(walk(t, GpuId{0}, GpuId{7}) ==
        "node0/gpu0 domain0 node0/gpu1 node0/nic1 rail1/leaf0 node3/nic1 node3/gpu1");
  CHECK_FALSE(t.attachment(GpuId{0})->uplink.has_value());
  CHECK(faults_of(c).empty());
}

TEST_CASE("Rail-only: nodes below different leaves are refused", "[topology]") {
  Cluster c = toy_cluster(4, 2);
  c.scale_out = ScaleOut::RailOnly;
  c.leaf_ports = 3;
  const auto faults = faults_of(c);
  REQUIRE(faults.size() == 1);
  CHECK_FALSE(faults[0].degraded.has_value());
  CHECK(faults[0].message ==
        "node3/gpu0 cannot be reached from node0/gpu0: no leaf joins them and rails have no spine");
  CHECK(faults[0].hint == "use scale_out: RAIL, or leaf_ports of at least 4");
  CHECK(test::aborts([&] { const Topology t(c); }));
}

}  // namespace
}  // namespace moesim::topology
