#include <algorithm>
#include <string>

#include "tests/support/aborts.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"
#include "tests/unit/topology/walk.h"
#include "topology/topology.h"

namespace moesim::topology {
namespace {
using namespace moesim::literals;
using moesim::test::toy_cluster;
using moesim::test::walk;
using moesim::test::WithinRel;

TEST_CASE("Topology: two nodes of two GPUs have the vertices and links of two rails",
          "[topology][oracle]") {
  const Topology t(toy_cluster(2, 2));
  // 4 GPUs, 2 NVSwitch domains, 4 NICs, 2 leaves (one per rail), 1 spine.
  CHECK(t.vertices().size() == 13);
  // Each way: 4 GPU-switch, 4 GPU-NIC, 4 NIC-leaf, 2 leaf-spine = 14.
  CHECK(t.links().size() == 28);
  const auto spines = std::count_if(t.vertices().begin(), t.vertices().end(),
                                    [](const Vertex& v) { return v.kind == VertexKind::Spine; });
  CHECK(spines == 1);
}

TEST_CASE("Topology: equal rails meet in their leaf", "[topology][oracle]") {
  const Topology t(toy_cluster(2, 2));
  CHECK(walk(t, GpuId{0}, GpuId{2}) == "node0/gpu0 node0/nic0 rail0/leaf0 node1/nic0 node1/gpu0");
  // NIC 4 us end to end plus 0.5 us for the leaf; narrowest link: the NIC, 10 GB/s.
  const PathSummary s = t.summary(GpuId{0}, GpuId{2});
  CHECK(s.hops == 4);
  CHECK_THAT(s.latency / 1.0_us, WithinRel(4.5, 1e-12));
  CHECK_THAT(s.bandwidth / 1.0_GBps, WithinRel(10.0, 1e-12));
  CHECK(t.links()[s.bottleneck.index()].kind == LinkKind::NicPort);
}

TEST_CASE("Topology: other rails are reached over NVLink on the source side", "[topology]") {
  const Topology t(toy_cluster(2, 2));
  CHECK(walk(t, GpuId{0}, GpuId{3}) ==
        "node0/gpu0 domain0 node0/gpu1 node0/nic1 rail1/leaf0 node1/nic1 node1/gpu1");
  CHECK_THAT(t.summary(GpuId{0}, GpuId{3}).latency / 1.0_us, WithinRel(6.5, 1e-12));
}

TEST_CASE("Topology: between leaf groups the own NIC is used and the spine joins all rails",
          "[topology][oracle]") {
  Cluster c = toy_cluster(4, 2);
  c.leaf_ports = 2;  // Nodes 0 and 1 below leaf 0 of each rail, nodes 2 and 3 below leaf 1.
  const Topology t(c);
  CHECK(walk(t, GpuId{0}, GpuId{4}) ==
        "node0/gpu0 node0/nic0 rail0/leaf0 spine rail0/leaf1 node2/nic0 node2/gpu0");
  CHECK(walk(t, GpuId{0}, GpuId{5}) ==
        "node0/gpu0 node0/nic0 rail0/leaf0 spine rail1/leaf1 node2/nic1 node2/gpu1");
  // Three switches of 0.5 us and 4 us of the NIC.
  CHECK_THAT(t.summary(GpuId{0}, GpuId{5}).latency / 1.0_us, WithinRel(5.5, 1e-12));
}

TEST_CASE("Topology: 2:1 oversubscription halves the uplink of a leaf", "[topology][oracle]") {
  Cluster c = toy_cluster(4, 2);
  c.scale_out = ScaleOut::LeafSpine;
  c.leaf_ports = 4;  // Two nodes of two NICs.
  c.oversubscription = 2.0;
  const Topology t(c);
  CHECK(walk(t, GpuId{0}, GpuId{3}) == "node0/gpu0 node0/nic0 leaf0 node1/nic1 node1/gpu1");
  CHECK(walk(t, GpuId{0}, GpuId{4}) ==
        "node0/gpu0 node0/nic0 leaf0 spine leaf1 node2/nic0 node2/gpu0");
  // Four NICs of 10 GB/s below a leaf: 40 GB/s down, 20 GB/s up.
  const auto a = t.attachment(GpuId{0});
  REQUIRE(a.has_value());
  REQUIRE(a->uplink.has_value());
  CHECK_THAT(t.links()[a->uplink->index()].bandwidth / 1.0_GBps, WithinRel(20.0, 1e-12));
  CHECK_THAT(t.links()[a->downlink->index()].bandwidth / 1.0_GBps, WithinRel(20.0, 1e-12));
}

TEST_CASE("Topology: a last leaf with fewer nodes has fewer uplinks", "[topology][oracle]") {
  Cluster c = toy_cluster(3, 1);
  c.leaf_ports = 2;
  const Topology t(c);
  // Leaf 1 serves node 2 alone: one NIC of 10 GB/s.
  CHECK_THAT(t.links()[t.attachment(GpuId{0})->uplink->index()].bandwidth / 1.0_GBps,
             WithinRel(20.0, 1e-12));
  CHECK_THAT(t.links()[t.attachment(GpuId{2})->uplink->index()].bandwidth / 1.0_GBps,
             WithinRel(10.0, 1e-12));
}

TEST_CASE("Topology: GPUs that share a NIC share its port", "[topology][oracle]") {
  Cluster c = toy_cluster(2, 8);
  c.nics_per_node = 4;
  const Topology t(c);
  // GPUs 0 and 1 use NIC 0, GPUs 6 and 7 NIC 3.
  CHECK(t.attachment(GpuId{0})->port_out == t.attachment(GpuId{1})->port_out);
  CHECK(t.attachment(GpuId{7})->rail == 3);
  CHECK(t.attachment(GpuId{15})->nic == 7);
  CHECK(walk(t, GpuId{1}, GpuId{8}) == "node0/gpu1 node0/nic0 rail0/leaf0 node1/nic0 node1/gpu0");
  // To another rail over the GPU in the destination's place.
  CHECK(walk(t, GpuId{0}, GpuId{15}) ==
        "node0/gpu0 domain0 node0/gpu7 node0/nic3 rail3/leaf0 node1/nic3 node1/gpu7");
}

TEST_CASE("Topology: more ports than GPUs are bonded", "[topology][oracle]") {
  Cluster c = toy_cluster(2, 2);
  c.nics_per_node = 4;
  const Topology t(c);
  // Two ports of 10 GB/s per GPU; PCIe carries 50.
  CHECK_THAT(t.summary(GpuId{0}, GpuId{2}).bandwidth / 1.0_GBps, WithinRel(20.0, 1e-12));
}

TEST_CASE("Topology: racks of one NVLink domain are joined by rails", "[topology]") {
  Cluster c = toy_cluster(36, 4);
  c.nodes_per_scale_up_domain = 18;
  const Topology t(c);
  CHECK(walk(t, GpuId{0}, GpuId{71}) == "node0/gpu0 domain0 node17/gpu3");
  CHECK(walk(t, GpuId{0}, GpuId{72}) ==
        "node0/gpu0 node0/nic0 rail0/leaf0 node18/nic0 node18/gpu0");
}

TEST_CASE("Topology: clusters whose GPUs could not reach each other are a bug of ours",
          "[topology]") {
  const auto wire = [](const Cluster& c) { return test::aborts([&] { const Topology t(c); }); };
  Cluster apart = toy_cluster(2, 2);
  apart.scale_out = ScaleOut::None;
  CHECK(wire(apart));
  Cluster no_nics = toy_cluster(2, 2);
  no_nics.nics_per_node = 0;
  CHECK(wire(no_nics));
  Cluster dark = toy_cluster(2, 2);
  dark.nic.bandwidth = BytesPerSecond{};
  CHECK(wire(dark));
  Cluster meshed_racks = toy_cluster(2, 2);
  meshed_racks.gpu.scale_up = catalog::ScaleUpKind::XgmiMesh;
  meshed_racks.nodes_per_scale_up_domain = 2;
  CHECK(wire(meshed_racks));
  CHECK_FALSE(wire(toy_cluster(2, 2)));
}

}  // namespace
}  // namespace moesim::topology
