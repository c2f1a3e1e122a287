#include <rapidcheck.h>

#include <string>
#include <vector>

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

Cluster mesh_cluster(std::int64_t nodes, std::int64_t gpus) {
  Cluster c = toy_cluster(nodes, gpus);
  c.gpu.scale_up = catalog::ScaleUpKind::XgmiMesh;
  c.gpu.scale_up_pair_bandwidth = 20_GBps;
  c.scale_up.efficiency = 0.5;
  return c;
}

TEST_CASE("Topology: two GPUs of an NVSwitch node meet at the switch", "[topology][oracle]") {
  const Topology t(toy_cluster(1, 8));
  CHECK(walk(t, GpuId{0}, GpuId{5}) == "node0/gpu0 domain0 node0/gpu5");
  // Half of 2 us on each of two links; 100 GB/s on both.
  const PathSummary s = t.summary(GpuId{0}, GpuId{5});
  CHECK(s.hops == 2);
  CHECK_THAT(s.latency / 1.0_us, WithinRel(2.0, 1e-12));
  CHECK_THAT(s.bandwidth / 1.0_GBps, WithinRel(100.0, 1e-12));
  CHECK(t.links()[s.bottleneck.index()].from == 0);
}

TEST_CASE("Topology: a GPU reaches itself over no link", "[topology]") {
  const Topology t(toy_cluster(2, 2));
  CHECK(t.path(GpuId{3}, GpuId{3}).empty());
  CHECK(t.summary(GpuId{3}, GpuId{3}).hops == 0);
  CHECK(t.summary(GpuId{3}, GpuId{3}).latency == Seconds{});
}

TEST_CASE("Topology: the 72 GPUs of a rack share one domain without any NIC", "[topology]") {
  Cluster c = toy_cluster(18, 4);
  c.nodes_per_scale_up_domain = 18;
  c.scale_out = ScaleOut::None;
  const Topology t(c);
  // 72 GPUs and one switch; a link each way per GPU.
  CHECK(t.vertices().size() == 73);
  CHECK(t.links().size() == 144);
  CHECK(walk(t, GpuId{0}, GpuId{71}) == "node0/gpu0 domain0 node17/gpu3");
  CHECK_FALSE(t.attachment(GpuId{0}).has_value());
  CHECK(t.shares_scale_up(GpuId{0}, GpuId{71}));
}

TEST_CASE("Topology: the efficiency of a fabric lowers its links", "[topology][oracle]") {
  Cluster c = toy_cluster(2, 2);
  c.scale_up.efficiency = 0.8;
  c.nic.efficiency = 0.9;
  const Topology t(c);
  CHECK_THAT(t.summary(GpuId{0}, GpuId{1}).bandwidth / 1.0_GBps, WithinRel(80.0, 1e-12));
  CHECK_THAT(t.summary(GpuId{0}, GpuId{2}).bandwidth / 1.0_GBps, WithinRel(9.0, 1e-12));
}

TEST_CASE("Topology: a mesh joins each pair by a link of its own", "[topology][oracle]") {
  const Topology t(mesh_cluster(1, 8));
  CHECK(walk(t, GpuId{2}, GpuId{7}) == "node0/gpu2 node0/gpu7");
  // 20 GB/s of a pair at efficiency 0.5, whole latency on the one link.
  const PathSummary s = t.summary(GpuId{2}, GpuId{7});
  CHECK_THAT(s.bandwidth / 1.0_GBps, WithinRel(10.0, 1e-12));
  CHECK_THAT(s.latency / 1.0_us, WithinRel(2.0, 1e-12));
}

TEST_CASE("Topology: mesh nodes change rails over the mesh", "[topology]") {
  const Topology t(mesh_cluster(2, 4));
  CHECK(walk(t, GpuId{0}, GpuId{6}) ==
        "node0/gpu0 node0/gpu2 node0/nic2 rail2/leaf0 node1/nic2 node1/gpu2");
}

TEST_CASE("Topology: GPUs of a PCIe box meet at the host", "[topology][oracle]") {
  Cluster c = toy_cluster(2, 4);
  c.gpu.scale_up = catalog::ScaleUpKind::Pcie;
  c.scale_up = c.pcie;
  const Topology t(c);
  CHECK(walk(t, GpuId{0}, GpuId{3}) == "node0/gpu0 node0/host node0/gpu3");
  CHECK_THAT(t.summary(GpuId{0}, GpuId{3}).latency / 1.0_us, WithinRel(1.0, 1e-12));
  CHECK_FALSE(t.shares_scale_up(GpuId{0}, GpuId{3}));
  // NICs hang below the host: it hands over to the NIC of the destination's rail.
  CHECK(walk(t, GpuId{0}, GpuId{5}) ==
        "node0/gpu0 node0/host node0/nic1 rail1/leaf0 node1/nic1 node1/host node1/gpu1");
  // Half of 1 us at each GPU's slot, 4 us of the NIC, 0.5 us of the leaf.
  CHECK_THAT(t.summary(GpuId{0}, GpuId{5}).latency / 1.0_us, WithinRel(5.5, 1e-12));
}

TEST_CASE("Topology: bridges join pairs and the host joins the pairs", "[topology]") {
  Cluster c = toy_cluster(1, 4);
  c.gpu.scale_up = catalog::ScaleUpKind::NvLinkBridge;
  c.gpu.scale_up_domain = 2;
  const Topology t(c);
  CHECK(walk(t, GpuId{2}, GpuId{3}) == "node0/gpu2 node0/gpu3");
  CHECK(walk(t, GpuId{1}, GpuId{2}) == "node0/gpu1 node0/host node0/gpu2");
  CHECK(t.shares_scale_up(GpuId{2}, GpuId{3}));
  CHECK_FALSE(t.shares_scale_up(GpuId{1}, GpuId{2}));
}

}  // namespace
}  // namespace moesim::topology
