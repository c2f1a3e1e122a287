#include <rapidcheck.h>

#include <string>
#include <vector>

#include "tests/support/aborts.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"
#include "tests/unit/topology/walk.h"
#include "topology/cluster_check.h"
#include "topology/topology.h"

namespace moesim::topology {
namespace {
using namespace moesim::literals;
using catalog::ScaleUpKind;
using moesim::test::toy_cluster;
using moesim::test::walk;
using moesim::test::WithinRel;

Cluster degraded(Cluster c, std::vector<DegradedLink> links) {
  c.degraded = std::move(links);
  return c;
}

std::string only_fault(const Cluster& c) {
  const auto faults = faults_of(c);
  REQUIRE(faults.size() == 1);
  return faults[0].message;
}

TEST_CASE("Degraded: a port at half its rate narrows both directions", "[topology][oracle]") {
  const Topology t(degraded(toy_cluster(2, 2), {{.link = "node0/nic1", .share = 0.5}}));
  CHECK(walk(t, GpuId{1}, GpuId{3}) == "node0/gpu1 node0/nic1 rail1/leaf0 node1/nic1 node1/gpu1");
  CHECK_THAT(t.summary(GpuId{1}, GpuId{3}).bandwidth / 1.0_GBps, WithinRel(5.0, 1e-12));
  CHECK_THAT(t.summary(GpuId{3}, GpuId{1}).bandwidth / 1.0_GBps, WithinRel(5.0, 1e-12));
  CHECK_THAT(t.summary(GpuId{0}, GpuId{2}).bandwidth / 1.0_GBps, WithinRel(10.0, 1e-12));
}

TEST_CASE("Degraded: a downed NIC re-routes over the next NIC of its node", "[topology][oracle]") {
  const Topology t(degraded(toy_cluster(2, 4), {{.link = "node0/nic2", .share = 0.0}}));
  // GPU 2 uses NIC 3; in the other node rails change where it leaves or where it enters.
  CHECK(t.attachment(GpuId{2})->nic == 3);
  CHECK(t.attachment(GpuId{2})->rail == 3);
  CHECK(walk(t, GpuId{2}, GpuId{7}) ==
        "node0/gpu2 domain0 node0/gpu3 node0/nic3 rail3/leaf0 node1/nic3 node1/gpu3");
  CHECK(walk(t, GpuId{2}, GpuId{4}) ==
        "node0/gpu2 domain0 node0/gpu0 node0/nic0 rail0/leaf0 node1/nic0 node1/gpu0");
  // To the peer of its own rail: out by rail 3, over NVLink at the far end.
  CHECK(walk(t, GpuId{2}, GpuId{6}) ==
        "node0/gpu2 domain0 node0/gpu3 node0/nic3 rail3/leaf0 node1/nic3 node1/gpu3 domain1 "
        "node1/gpu2");
  CHECK(walk(t, GpuId{6}, GpuId{2}) ==
        "node1/gpu2 domain1 node1/gpu3 node1/nic3 rail3/leaf0 node0/nic3 node0/gpu3 domain0 "
        "node0/gpu2");
  // Nobody else is touched.
  CHECK(walk(t, GpuId{1}, GpuId{5}) == "node0/gpu1 node0/nic1 rail1/leaf0 node1/nic1 node1/gpu1");
}

TEST_CASE("Degraded: a PCIe box goes over the host to another NIC", "[topology]") {
  Cluster c = toy_cluster(2, 2);
  c.gpu.scale_up = ScaleUpKind::Pcie;
  const Topology t(degraded(c, {{.link = "node0/nic0", .share = 0.0}}));
  CHECK(walk(t, GpuId{0}, GpuId{2}) ==
        "node0/gpu0 node0/host node0/nic1 rail1/leaf0 node1/nic1 node1/host node1/gpu0");
}

TEST_CASE("Degraded: a tray without NICs uses those of its NVLink domain", "[topology]") {
  Cluster c = toy_cluster(4, 1);
  c.nodes_per_scale_up_domain = 2;
  const Topology t(degraded(c, {{.link = "node0/nic0", .share = 0.0}}));
  CHECK(walk(t, GpuId{0}, GpuId{2}) ==
        "node0/gpu0 domain0 node1/gpu0 node1/nic0 rail0/leaf0 node2/nic0 node2/gpu0");
}

TEST_CASE("Degraded: a mesh goes around a pair that is down", "[topology][oracle]") {
  Cluster c = toy_cluster(1, 4);
  c.gpu.scale_up = ScaleUpKind::XgmiMesh;
  c.gpu.scale_up_pair_bandwidth = 20_GBps;
  const Topology t(degraded(c, {{.link = "node0/gpu0-node0/gpu1", .share = 0.0}}));
  CHECK(walk(t, GpuId{0}, GpuId{1}) == "node0/gpu0 node0/gpu2 node0/gpu1");
  CHECK_THAT(t.summary(GpuId{0}, GpuId{1}).latency / 1.0_us, WithinRel(4.0, 1e-12));
  CHECK(walk(t, GpuId{0}, GpuId{3}) == "node0/gpu0 node0/gpu3");
}

TEST_CASE("Degraded: bridged cards whose bridge is out meet at the host", "[topology]") {
  Cluster c = toy_cluster(1, 4);
  c.gpu.scale_up = ScaleUpKind::NvLinkBridge;
  c.gpu.scale_up_domain = 2;
  const Topology t(degraded(c, {{.link = "node0/gpu0 - node0/gpu1", .share = 0.0}}));
  CHECK(walk(t, GpuId{0}, GpuId{1}) == "node0/gpu0 node0/host node0/gpu1");
  CHECK_FALSE(t.shares_scale_up(GpuId{0}, GpuId{1}));
  CHECK(t.shares_scale_up(GpuId{2}, GpuId{3}));
}

TEST_CASE("Degraded: one vertex stands for its own links", "[topology][oracle]") {
  Cluster c = toy_cluster(4, 2);
  c.leaf_ports = 2;
  const Topology t(degraded(c, {{.link = "rail0/leaf0", .share = 0.25},
                                {.link = "node0/gpu1", .share = 0.5},
                                {.link = "domain1", .share = 0.1}}));
  // The leaf's uplink of two NICs of 10 GB/s.
  CHECK_THAT(t.attachment(GpuId{0})->leaf_rate / 1.0_GBps, WithinRel(5.0, 1e-12));
  CHECK_THAT(t.summary(GpuId{0}, GpuId{1}).bandwidth / 1.0_GBps, WithinRel(50.0, 1e-12));
  CHECK_THAT(t.summary(GpuId{2}, GpuId{3}).bandwidth / 1.0_GBps, WithinRel(10.0, 1e-12));
}

TEST_CASE("Degraded: wrong names are faults of their entry", "[topology]") {
  const Cluster c = toy_cluster(2, 2);
  const auto faults = faults_of(degraded(c, {{.link = "node2/nic0", .share = 0.5},
                                             {.link = "node0/gpu0 - node0/gpu0", .share = 0.5},
                                             {.link = "node0/nic0 - node1/nic0", .share = 0.5},
                                             {.link = "node0/nic0", .share = 0.5},
                                             {.link = "node0/nic0 - rail0/leaf0", .share = 0.5}}));
  REQUIRE(faults.size() == 4);
  CHECK(faults[0].message == "there is no \"node2/nic0\" in this cluster");
  CHECK(faults[0].hint == "names go up to node1/gpu1, domain1, node1/nic1, rail1/leaf0, spine");
  CHECK(faults[1].message == "joins node0/gpu0 with itself");
  CHECK(faults[2].message == "no link joins node0/nic0 and node1/nic0");
  CHECK(faults[3].message == "names a link that degraded[3] names as well");
  CHECK(faults[3].degraded == 4);
}

TEST_CASE("Degraded: a GPU that cannot be reached is named", "[topology]") {
  const Cluster c = toy_cluster(2, 2);
  CHECK(only_fault(degraded(
            c, {{.link = "node1/nic0", .share = 0.0}, {.link = "node1/nic1", .share = 0.0}})) ==
        "node1/gpu0 cannot be reached from node0/gpu0: no NIC of node1 is up");
  CHECK(only_fault(degraded(c, {{.link = "node0/gpu1", .share = 0.0}})) ==
        "node0/gpu1 cannot be reached: its only link to the other GPUs is down");
  Cluster rails = c;
  rails.scale_out = ScaleOut::RailOnly;
  CHECK(only_fault(degraded(
            rails, {{.link = "node0/nic0", .share = 0.0}, {.link = "node1/nic1", .share = 0.0}})) ==
        "node1/gpu0 cannot be reached from node0/gpu0: no leaf joins them and rails have no "
        "spine");
  Cluster pair = toy_cluster(1, 2);
  pair.gpu.scale_up = ScaleUpKind::XgmiMesh;
  CHECK(only_fault(degraded(pair, {{.link = "node0/gpu0", .share = 0.0}})) ==
        "node0/gpu0 cannot be reached: no links of the mesh are left between it and node0/gpu1");
  CHECK(
      test::aborts([&] { const Topology t(degraded(c, {{.link = "node0/gpu1", .share = 0.0}})); }));
}

/// Random wirings with a few links down or slow.
Cluster any_degraded() {
  Cluster c = toy_cluster(*rc::gen::inRange<std::int64_t>(1, 7),
                          *rc::gen::element<std::int64_t>(1, 2, 4, 8));
  c.gpu.scale_up = *rc::gen::element(ScaleUpKind::NvSwitch, ScaleUpKind::XgmiMesh,
                                     ScaleUpKind::Pcie, ScaleUpKind::NvLinkBridge);
  c.gpu.scale_up_domain = 2;
  if (c.gpu.scale_up == ScaleUpKind::NvSwitch) {
    c.nodes_per_scale_up_domain = *rc::gen::inRange<std::int64_t>(1, 3);
  }
  c.scale_out = *rc::gen::element(ScaleOut::Rail, ScaleOut::LeafSpine, ScaleOut::RailOnly);
  c.nics_per_node = *rc::gen::element<std::int64_t>(1, 2, 4, 8);
  c.leaf_ports = c.scale_out == ScaleOut::RailOnly ? c.nodes : *rc::gen::element(1, 2, 8, 16);
  c.spine_switches = *rc::gen::element<std::int64_t>(1, 2, 4);
  const Topology whole(c);
  const auto cuts = *rc::gen::inRange(0, 5);
  for (int i = 0; i < cuts; ++i) {
    const auto n = static_cast<std::int64_t>(whole.links().size());
    if (n == 0) break;
    const Link& link =
        whole.links()[static_cast<std::size_t>(*rc::gen::inRange<std::int64_t>(0, n))];
    const std::string name = whole.vertices()[static_cast<std::size_t>(link.from)].name + " - " +
                             whole.vertices()[static_cast<std::size_t>(link.to)].name;
    c.degraded.push_back({.link = name, .share = *rc::gen::element(0.0, 0.0, 0.5)});
    if (!faults_of(c).empty()) c.degraded.pop_back();
  }
  return c;
}

TEST_CASE("Degraded: paths avoid what is down and are as short as a search finds",
          "[topology][property]") {
  CHECK(rc::check([] {
    const Topology t(any_degraded());
    const GpuId from{*rc::gen::inRange<std::int64_t>(0, t.cluster().gpus())};
    const GpuId to{*rc::gen::inRange<std::int64_t>(0, t.cluster().gpus())};
    const std::vector<LinkId> path = t.path(from, to);
    std::int32_t at = from.value();
    for (const LinkId id : path) {
      const Link& link = t.links()[id.index()];
      RC_ASSERT(link.from == at);
      RC_ASSERT(link.bandwidth > BytesPerSecond{});
      at = link.to;
    }
    RC_ASSERT(at == to.value());
    // The search may pass through a third node, which no library does.
    RC_ASSERT(path.size() >= t.searched_path(from, to).size());
    if (t.cluster().degraded.empty()) RC_ASSERT(path.size() == t.searched_path(from, to).size());
  }));
}

TEST_CASE("Degraded: a link at a share of its rate changes no path", "[topology][property]") {
  CHECK(rc::check([] {
    Cluster c = any_degraded();
    for (DegradedLink& d : c.degraded) d.share = 0.5;
    const Topology slow(c);
    c.degraded.clear();
    const Topology whole(c);
    const GpuId from{*rc::gen::inRange<std::int64_t>(0, c.gpus())};
    const GpuId to{*rc::gen::inRange<std::int64_t>(0, c.gpus())};
    RC_ASSERT(slow.path(from, to) == whole.path(from, to));
  }));
}

}  // namespace
}  // namespace moesim::topology
