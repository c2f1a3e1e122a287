#include <rapidcheck.h>

#include <algorithm>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"
#include "topology/topology.h"

namespace moesim::topology {
namespace {
using namespace moesim::literals;

Cluster any_cluster() {
  const auto gpus = *rc::gen::element<std::int64_t>(1, 2, 4, 8);
  Cluster c = test::toy_cluster(*rc::gen::inRange<std::int64_t>(1, 9), gpus);
  c.gpu.scale_up =
      *rc::gen::element(catalog::ScaleUpKind::NvSwitch, catalog::ScaleUpKind::XgmiMesh,
                        catalog::ScaleUpKind::Pcie, catalog::ScaleUpKind::NvLinkBridge);
  c.gpu.scale_up_domain = *rc::gen::element(2, 4);
  if (c.gpu.scale_up == catalog::ScaleUpKind::NvSwitch) {
    c.nodes_per_scale_up_domain = *rc::gen::inRange<std::int64_t>(1, 5);
  }
  c.scale_out = *rc::gen::element(ScaleOut::Rail, ScaleOut::LeafSpine, ScaleOut::RailOnly);
  c.nics_per_node = *rc::gen::element<std::int64_t>(1, 2, 3, 4, 8, 16);
  c.leaf_ports = *rc::gen::inRange<std::int64_t>(1, 17);
  if (c.scale_out == ScaleOut::RailOnly) c.leaf_ports = std::max(c.leaf_ports, c.nodes);
  c.spine_switches = *rc::gen::element<std::int64_t>(1, 2, 3, 8);
  c.oversubscription = *rc::gen::element(1.0, 2.0, 4.0);
  return c;
}

TEST_CASE("Topology: a path is a walk of fewest hops from one GPU to the other",
          "[topology][property]") {
  CHECK(rc::check([] {
    const Topology t(any_cluster());
    const GpuId from{*rc::gen::inRange<std::int64_t>(0, t.cluster().gpus())};
    const GpuId to{*rc::gen::inRange<std::int64_t>(0, t.cluster().gpus())};
    const std::vector<LinkId> path = t.path(from, to);
    std::int32_t at = from.value();
    Seconds latency;
    for (const LinkId id : path) {
      const Link& link = t.links()[id.index()];
      RC_ASSERT(link.from == at);
      RC_ASSERT(link.bandwidth > BytesPerSecond{});
      at = link.to;
      latency += link.latency;
    }
    RC_ASSERT(at == to.value());

    const std::vector<LinkId> searched = t.searched_path(from, to);
    RC_ASSERT(path.size() == searched.size());
    Seconds least;
    for (const LinkId id : searched) least += t.links()[id.index()].latency;
    // Rails may prefer NVLink over a spine that is faster to cross, never the other way round.
    RC_ASSERT(latency / 1.0_us >= least / 1.0_us - 1e-9);

    const PathSummary s = t.summary(from, to);
    RC_ASSERT(s.hops == path.size());
    RC_ASSERT(s.latency == latency);
    for (const LinkId id : path) RC_ASSERT(s.bandwidth <= t.links()[id.index()].bandwidth);
  }));
}

TEST_CASE("Topology: a path and its way back are equally long", "[topology][property]") {
  CHECK(rc::check([] {
    const Topology t(any_cluster());
    const GpuId a{*rc::gen::inRange<std::int64_t>(0, t.cluster().gpus())};
    const GpuId b{*rc::gen::inRange<std::int64_t>(0, t.cluster().gpus())};
    const PathSummary there = t.summary(a, b);
    const PathSummary back = t.summary(b, a);
    RC_ASSERT(there.hops == back.hops);
    RC_ASSERT(std::max(there.latency, back.latency) / 1.0_us -
                  std::min(there.latency, back.latency) / 1.0_us <
              1e-9);
    RC_ASSERT(there.bandwidth == back.bandwidth);
  }));
}

TEST_CASE("Topology: every GPU has as many ways out as ways in", "[topology][property]") {
  CHECK(rc::check([] {
    const Topology t(any_cluster());
    std::vector<std::int64_t> balance(t.vertices().size(), 0);
    for (const Link& link : t.links()) {
      ++balance[static_cast<std::size_t>(link.from)];
      --balance[static_cast<std::size_t>(link.to)];
    }
    RC_ASSERT(std::all_of(balance.begin(), balance.end(), [](auto b) { return b == 0; }));
  }));
}

}  // namespace
}  // namespace moesim::topology
