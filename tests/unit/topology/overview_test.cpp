#include "topology/overview.h"

#include <rapidcheck.h>

#include <algorithm>
#include <limits>
#include <queue>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::topology {
namespace {
using namespace moesim::literals;
using catalog::ScaleUpKind;
using moesim::test::toy_cluster;
using moesim::test::WithinRel;

TEST_CASE("Overview: the figures of two rails of four nodes", "[topology][oracle]") {
  const Overview o = overview(Topology(toy_cluster(4, 2)));
  CHECK(o.gpus == 8);
  CHECK(o.domains == 4);
  CHECK(o.nics == 8);
  CHECK(o.leaves == 2);
  CHECK(o.spines == 1);
  // Each way: 8 to the switch, 8 to the NIC, 8 ports, 2 uplinks.
  CHECK(o.links == 52);
  CHECK_THAT(o.scale_up_all / 1.0_GBps, WithinRel(100.0, 1e-12));
  CHECK_THAT(o.scale_up_pair / 1.0_GBps, WithinRel(100.0, 1e-12));
  CHECK_THAT(o.scale_out / 1.0_GBps, WithinRel(10.0, 1e-12));
  CHECK_THAT(o.leaf_down / 1.0_GBps, WithinRel(40.0, 1e-12));
  CHECK_THAT(o.oversubscription(), WithinRel(1.0, 1e-12));
  // Four GPUs on a side, a NIC of 10 GB/s each.
  CHECK_THAT(o.bisection / 1.0_GBps, WithinRel(40.0, 1e-12));
  CHECK(o.bisection_gpus == 4);
  // To another rail: 2 us of NVLink, 4 us of the NIC, 0.5 us of the leaf.
  CHECK_THAT(o.longest.latency / 1.0_us, WithinRel(6.5, 1e-12));
  CHECK(o.longest.hops == 6);
  CHECK_THAT(o.near / 1.0_us, WithinRel(2.0, 1e-12));
}

TEST_CASE("Overview: 2:1 halves the bisection", "[topology][oracle]") {
  Cluster c = toy_cluster(4, 2);
  c.scale_out = ScaleOut::LeafSpine;
  c.leaf_ports = 4;
  c.oversubscription = 2.0;
  const Overview o = overview(Topology(c));
  CHECK_THAT(o.oversubscription(), WithinRel(2.0, 1e-12));
  // Two nodes of two NICs below a leaf: 40 GB/s of ports, 20 GB/s up.
  CHECK_THAT(o.bisection / 1.0_GBps, WithinRel(20.0, 1e-12));
}

TEST_CASE("Overview: a mesh gives all peers together what its pairs add up to",
          "[topology][oracle]") {
  Cluster c = toy_cluster(1, 8);
  c.gpu.scale_up = ScaleUpKind::XgmiMesh;
  c.gpu.scale_up_bandwidth = 448_GBps;
  c.gpu.scale_up_pair_bandwidth = 64_GBps;
  c.scale_up.bandwidth = 448_GBps;
  c.scale_out = ScaleOut::None;
  const Overview o = overview(Topology(c));
  CHECK_THAT(o.scale_up_pair / 1.0_GBps, WithinRel(64.0, 1e-12));
  CHECK_THAT(o.scale_up_all / 1.0_GBps, WithinRel(448.0, 1e-12));
  // 4 x 4 pairs between the halves.
  CHECK_THAT(o.bisection / 1.0_GBps, WithinRel(1024.0, 1e-12));
  // A scenario that halves the fabric halves every pair.
  c.scale_up.bandwidth = 224_GBps;
  CHECK_THAT(overview(Topology(c)).scale_up_pair / 1.0_GBps, WithinRel(32.0, 1e-12));
}

TEST_CASE("Overview: NICs no faster than the PCIe behind them", "[topology][oracle]") {
  Cluster c = toy_cluster(2, 2);
  c.nic.bandwidth = 80_GBps;
  const Overview o = overview(Topology(c));
  CHECK_THAT(o.scale_out / 1.0_GBps, WithinRel(50.0, 1e-12));
  CHECK_THAT(o.bisection / 1.0_GBps, WithinRel(100.0, 1e-12));
}

/// Largest flow from the GPUs below `half` to the others, by shortest augmenting paths (Edmonds,
/// Karp, J. ACM 19(2), 1972). In GB/s.
double max_flow(const Topology& t, std::int64_t half) {
  const auto source = static_cast<std::int32_t>(t.vertices().size());
  const std::int32_t sink = source + 1;
  struct Arc {
    std::int32_t to;
    double room;
  };
  std::vector<Arc> arcs;
  std::vector<std::vector<std::size_t>> out(t.vertices().size() + 2);
  const auto add = [&](std::int32_t from, std::int32_t to, double room) {
    out[static_cast<std::size_t>(from)].push_back(arcs.size());
    arcs.push_back({to, room});
    out[static_cast<std::size_t>(to)].push_back(arcs.size());
    arcs.push_back({from, 0.0});
  };
  for (const Link& l : t.links()) add(l.from, l.to, l.bandwidth / 1.0_GBps);
  for (std::int32_t g = 0; g < t.cluster().gpus(); ++g) {
    if (g < half) {
      add(source, g, 1e12);
    } else {
      add(g, sink, 1e12);
    }
  }
  double total = 0.0;
  while (true) {
    std::vector<std::size_t> by(out.size(), arcs.size());
    std::queue<std::int32_t> open;
    open.push(source);
    while (!open.empty() && by[static_cast<std::size_t>(sink)] == arcs.size()) {
      const std::int32_t v = open.front();
      open.pop();
      for (const std::size_t a : out[static_cast<std::size_t>(v)]) {
        const auto to = static_cast<std::size_t>(arcs[a].to);
        if (arcs[a].room < 1e-9 || arcs[a].to == source || by[to] != arcs.size()) continue;
        by[to] = a;
        open.push(arcs[a].to);
      }
    }
    if (by[static_cast<std::size_t>(sink)] == arcs.size()) return total;
    double least = std::numeric_limits<double>::infinity();
    const auto back = [&](std::int32_t v) { return arcs[by[static_cast<std::size_t>(v)] ^ 1U].to; };
    for (std::int32_t v = sink; v != source; v = back(v)) {
      least = std::min(least, arcs[by[static_cast<std::size_t>(v)]].room);
    }
    for (std::int32_t v = sink; v != source; v = back(v)) {
      arcs[by[static_cast<std::size_t>(v)]].room -= least;
      arcs[by[static_cast<std::size_t>(v)] ^ 1U].room += least;
    }
    total += least;
  }
}

TEST_CASE("Overview: the bisection is the largest flow between the halves",
          "[topology][property]") {
  CHECK(rc::check([] {
    Cluster c = toy_cluster(*rc::gen::inRange<std::int64_t>(1, 8),
                            *rc::gen::element<std::int64_t>(1, 2, 4));
    c.gpu.scale_up =
        *rc::gen::element(ScaleUpKind::NvSwitch, ScaleUpKind::XgmiMesh, ScaleUpKind::Pcie);
    c.gpu.scale_up_pair_bandwidth = 30_GBps;
    if (c.gpu.scale_up == ScaleUpKind::NvSwitch) {
      c.nodes_per_scale_up_domain = *rc::gen::inRange<std::int64_t>(1, 3);
    }
    c.scale_out = *rc::gen::element(ScaleOut::Rail, ScaleOut::LeafSpine, ScaleOut::RailOnly);
    c.nics_per_node = *rc::gen::element<std::int64_t>(1, 2, 4, 8);
    c.leaf_ports =
        c.scale_out == ScaleOut::RailOnly ? c.nodes : *rc::gen::inRange<std::int64_t>(1, 9);
    c.spine_switches = *rc::gen::element<std::int64_t>(1, 2, 3);
    c.oversubscription = *rc::gen::element(1.0, 2.0, 4.0);
    if (c.nodes <= c.nodes_per_scale_up_domain) c.scale_out = ScaleOut::None;
    const Topology t(c);
    const Overview o = overview(t);
    RC_PRE(o.gpus > 1);
    const double searched = max_flow(t, o.bisection_gpus);
    RC_ASSERT(std::abs(o.bisection / 1.0_GBps - searched) <= 1e-6 * searched);
  }));
}

}  // namespace
}  // namespace moesim::topology
