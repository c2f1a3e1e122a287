#include "operators/all_to_all.h"

#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {
using namespace moesim::literals;
using moesim::test::toy_cluster;
using moesim::test::WithinRel;
using topology::Cluster;
using topology::Topology;

std::vector<GpuId> all_gpus(const Cluster& c) {
  std::vector<GpuId> group;
  for (std::int64_t g = 0; g < c.gpus(); ++g) group.emplace_back(g);
  return group;
}

/// Counts of a group, all zero at first.
struct Counts {
  Counts(std::int64_t rank_count, std::int64_t domain_count)
      : ranks(rank_count),
        domains(domain_count),
        to_node(static_cast<std::size_t>(ranks * domains), 0),
        in(static_cast<std::size_t>(ranks), 0),
        out(static_cast<std::size_t>(ranks), 0) {}
  std::int64_t ranks;
  std::int64_t domains;
  std::vector<std::int32_t> to_node, in, out;
  std::int32_t& sent(std::int64_t rank, std::int64_t domain) {
    return to_node[static_cast<std::size_t>(rank * domains + domain)];
  }
  [[nodiscard]] TokenTraffic traffic() const {
    return {.ranks = ranks,
            .nodes = domains,
            .to_node = to_node,
            .scale_up_in = in,
            .scale_up_out = out};
  }
};

/// Every rank sends `remote` copies to each other domain; scale-up is idle.
Counts uniform(const AllToAll& exchange, std::int64_t ranks, std::int32_t remote) {
  Counts counts(ranks, exchange.domains());
  for (std::int64_t r = 0; r < ranks; ++r) {
    for (std::int64_t d = 0; d < exchange.domains(); ++d) {
      const bool own = exchange.domain_of_rank()[static_cast<std::size_t>(r)] == d;
      counts.sent(r, d) = own ? 0 : remote;
    }
  }
  return counts;
}

TEST_CASE("AllToAll: ranks of one node meet over scale-up", "[operators][oracle]") {
  const Cluster c = toy_cluster(1, 4);
  AllToAll exchange(Topology(c), all_gpus(c));
  CHECK(exchange.domains() == 1);
  Counts counts(4, 1);
  counts.out = {10, 20, 30, 0};
  counts.in = {0, 50, 5, 5};
  // Busiest: 50 copies of 1 MB into rank 1 at 100 GB/s = 500 us, and 2 us.
  CHECK_THAT(exchange.time(counts.traffic(), 1_MB) / 1.0_us, WithinRel(502.0, 1e-12));
}

TEST_CASE("AllToAll: the busiest NIC decides between nodes", "[operators][oracle]") {
  const Cluster c = toy_cluster(3, 2);
  AllToAll exchange(Topology(c), all_gpus(c));
  CHECK(exchange.domains() == 3);
  Counts counts(6, 3);
  // Rank 0 (node 0, rail 0) sends 3 + 4 copies; rank 4 (node 2, rail 0) sends 5 to node 1. So 8
  // copies reach node 1 by the NIC of rail 0: 8 MB at 10 GB/s = 800 us.
  counts.sent(0, 1) = 3;
  counts.sent(0, 2) = 4;
  counts.sent(4, 1) = 5;
  // Another rail does not add.
  counts.sent(5, 1) = 7;
  // 4.5 us between nodes and 2 us from the relay on.
  CHECK_THAT(exchange.time(counts.traffic(), 1_MB) / 1.0_us, WithinRel(806.5, 1e-12));
  // Scale-up is ten times as fast: 79 copies stay below 800 us, 90 take 900 us.
  counts.out[3] = 79;
  CHECK_THAT(exchange.time(counts.traffic(), 1_MB) / 1.0_us, WithinRel(806.5, 1e-12));
  counts.out[3] = 90;
  CHECK_THAT(exchange.time(counts.traffic(), 1_MB) / 1.0_us, WithinRel(906.5, 1e-12));
}

TEST_CASE("AllToAll: 3 B x 32 tokens x 9 experts x 7000 over 50 GB/s take 121 us",
          "[operators][oracle]") {
  // The bound of the DeepSeek-V3 hardware paper: each GPU sends 32 tokens to 9 experts elsewhere,
  // 1 B out and 2 B back per element. 3 * 32 * 9 * 7000 / 50e9 s = 120.96 us.
  Cluster c = toy_cluster(10, 1);
  c.nic.bandwidth = 400_Gbitps;
  c.nic.latency = Seconds{};
  c.switch_latency = Seconds{};
  c.pcie.bandwidth = 64_GBps;
  AllToAll exchange(Topology(c), all_gpus(c));
  const Counts counts = uniform(exchange, 10, 32);
  const Seconds dispatch = exchange.time(counts.traffic(), 7000_B);
  const Seconds combine = exchange.time(counts.traffic(), 14000_B);
  CHECK_THAT((dispatch + combine) / 1.0_us, WithinRel(120.96, 1e-12));
}

TEST_CASE("AllToAll: low latency takes 121 us a layer and 14.8 ms for 61 layers both ways",
          "[operators][oracle]") {
  // The same bound with copies straight to the ranks of nine experts elsewhere, one GPU and NIC a
  // node: 32 * 9 copies out of and into every rank. Two batches that take turns pass 61 layers:
  // 2 * 61 * 120.96 us = 14.757 ms.
  Cluster c = toy_cluster(10, 1);
  c.nic.bandwidth = 400_Gbitps;
  c.nic.latency = Seconds{};
  c.switch_latency = Seconds{};
  c.pcie.bandwidth = 64_GBps;
  AllToAll exchange(Topology(c), all_gpus(c), {.kind = AllToAllKind::LowLatency});
  const Counts counts = uniform(exchange, 10, 32);
  const std::vector<std::int32_t> in(10, 32 * 9);
  TokenTraffic traffic = counts.traffic();
  traffic.network_in = in;
  const Seconds layer =
      exchange.time(traffic, 7000_B) + exchange.time(traffic, 14000_B, ExchangePhase::Combine);
  CHECK_THAT(layer / 1.0_us, WithinRel(120.96, 1e-12));
  CHECK_THAT(2.0 * 61.0 * layer / 1.0_ms, WithinRel(14.75712, 1e-12));
}

TEST_CASE("AllToAll: straight copies enter by the NIC of the rank they are for",
          "[operators][oracle]") {
  const Cluster c = toy_cluster(2, 2);
  AllToAll exchange(Topology(c), all_gpus(c), {.kind = AllToAllKind::LowLatency});
  Counts counts(4, 2);
  // Ranks 0 and 1 send 4 copies each to node 1, all for rank 3: 8 MB into its NIC at 10 GB/s, 800
  // us. Handed on from own rails, each NIC would take 4.
  counts.sent(0, 1) = 4;
  counts.sent(1, 1) = 4;
  const std::vector<std::int32_t> in{0, 0, 0, 8};
  TokenTraffic traffic = counts.traffic();
  traffic.network_in = in;
  // Latency of the longest way: to the other rail over scale-up first, 2 + 4.5 us.
  CHECK_THAT(exchange.time(traffic, 1_MB) / 1.0_us, WithinRel(806.5, 1e-12));
}

TEST_CASE("AllToAll: straight copies to other leaves share the uplinks", "[operators][oracle]") {
  // Two nodes of two GPUs, a leaf each, uplinks of half the NICs: 10 GB/s a leaf.
  Cluster c = toy_cluster(2, 2);
  c.scale_out = topology::ScaleOut::LeafSpine;
  c.leaf_ports = 2;
  c.oversubscription = 2.0;
  AllToAll exchange(Topology(c), all_gpus(c), {.kind = AllToAllKind::LowLatency});
  Counts counts(4, 2);
  counts.sent(0, 1) = 4;
  counts.sent(1, 1) = 3;
  const std::vector<std::int32_t> in{0, 0, 4, 3};
  TokenTraffic traffic = counts.traffic();
  traffic.network_in = in;
  // 7 MB over one uplink of 10 GB/s.
  CHECK_THAT(exchange.load(traffic).network, WithinRel(7.0 / 10e9, 1e-12));
}

TEST_CASE("AllToAll: curves see the links at their peak rates", "[operators][oracle]") {
  Cluster c = toy_cluster(1, 4);
  c.scale_up.efficiency = 0.5;
  std::vector<double> values;
  for (const CoefficientSpec& spec : DeepEpLowLatencyCurve::coefficients()) {
    values.push_back(spec.start);
  }
  const DeepEpLowLatencyCurve curve(values);
  const ExchangeShape shape{.hidden = 2048, .top_k = 2, .experts = 8};
  AllToAll exchange(
      Topology(c), all_gpus(c),
      {.kind = AllToAllKind::LowLatency, .shape = shape, .curves = LowLatencyCurves{curve, curve}});
  Counts counts(4, 1);
  counts.out = {6, 6, 6, 6};
  counts.in = {3, 9, 6, 6};
  TokenTraffic traffic = counts.traffic();
  traffic.tokens = 4;
  // Nine copies of 1 MB at the peak of 100 GB/s: 90 us, though 50 GB/s are usable.
  const Seconds expected = curve.time(
      {.tokens = 4, .hidden = 2048, .experts = 8, .nodes = 1, .scale_up = 90_us, .network = {}});
  CHECK_THAT(exchange.time(traffic, 1_MB) / 1.0_us, WithinRel(expected / 1.0_us, 1e-12));
}

TEST_CASE("AllToAll: GPUs that share a NIC add up", "[operators][oracle]") {
  Cluster c = toy_cluster(2, 4);
  c.nics_per_node = 2;
  AllToAll exchange(Topology(c), all_gpus(c));
  Counts counts(8, 2);
  counts.sent(0, 1) = 3;
  counts.sent(1, 1) = 4;  // Same NIC: 7 MB at 10 GB/s.
  counts.sent(2, 1) = 5;
  CHECK_THAT((exchange.time(counts.traffic(), 1_MB) - exchange.latency()) / 1.0_us,
             WithinRel(700.0, 1e-12));
}

TEST_CASE("AllToAll: oversubscribed leaves slow what crosses the spine", "[operators][oracle]") {
  Cluster c = toy_cluster(4, 2);
  c.scale_out = topology::ScaleOut::LeafSpine;
  c.leaf_ports = 4;  // Two nodes per leaf; uplink 4 * 10 / 4 = 10 GB/s.
  c.oversubscription = 4.0;
  AllToAll exchange(Topology(c), all_gpus(c));
  Counts below(8, 4);
  for (std::int64_t r : {0, 1}) below.sent(r, 1) = 6;  // Inside leaf 0: 6 MB a NIC, 600 us.
  CHECK_THAT((exchange.time(below.traffic(), 1_MB) - exchange.latency()) / 1.0_us,
             WithinRel(600.0, 1e-12));
  Counts across(8, 4);
  for (std::int64_t r : {0, 1}) across.sent(r, 2) = 6;  // Both over one uplink: 12 MB, 1200 us.
  CHECK_THAT((exchange.time(across.traffic(), 1_MB) - exchange.latency()) / 1.0_us,
             WithinRel(1200.0, 1e-12));
  Counts fan_in(8, 4);  // One copy stream from each node of leaf 0 into leaf 1: its downlink.
  fan_in.sent(0, 2) = 5;
  fan_in.sent(3, 3) = 6;
  CHECK_THAT((exchange.time(fan_in.traffic(), 1_MB) - exchange.latency()) / 1.0_us,
             WithinRel(1100.0, 1e-12));
}

TEST_CASE("AllToAll: rails of one leaf never cross the spine", "[operators]") {
  Cluster c = toy_cluster(4, 2);
  c.oversubscription = 100.0;
  AllToAll exchange(Topology(c), all_gpus(c));
  // 3 nodes * 10 copies of 1 MB at 10 GB/s.
  CHECK_THAT(
      (exchange.time(uniform(exchange, 8, 10).traffic(), 1_MB) - exchange.latency()) / 1.0_us,
      WithinRel(3000.0, 1e-12));
}

TEST_CASE("AllToAll: a mesh spreads over the links to its peers", "[operators][oracle]") {
  Cluster c = toy_cluster(1, 8);
  c.gpu.scale_up = catalog::ScaleUpKind::XgmiMesh;
  c.gpu.scale_up_pair_bandwidth = 10_GBps;
  AllToAll exchange(Topology(c), all_gpus(c));
  Counts counts(8, 1);
  counts.out[0] = 70;
  // 70 MB over 7 links of 10 GB/s = 1000 us.
  CHECK_THAT(exchange.time(counts.traffic(), 1_MB) / 1.0_us, WithinRel(1002.0, 1e-12));
}

TEST_CASE("AllToAll: in a PCIe box peers and network share the slot", "[operators][oracle]") {
  Cluster c = toy_cluster(2, 2);
  c.gpu.scale_up = catalog::ScaleUpKind::Pcie;
  c.scale_up = c.pcie;  // 50 GB/s
  c.nic.bandwidth = 40_GBps;
  AllToAll exchange(Topology(c), all_gpus(c));
  Counts counts(4, 2);
  counts.sent(0, 1) = 20;  // Alone: 20 MB at 40 GB/s = 500 us.
  counts.out[0] = 30;      // With 30 MB to the peer: 50 MB over the slot = 1000 us.
  CHECK_THAT((exchange.time(counts.traffic(), 1_MB) - exchange.latency()) / 1.0_us,
             WithinRel(1000.0, 1e-12));
}

TEST_CASE("AllToAll: ranks meet even when no token moves", "[operators]") {
  const Cluster c = toy_cluster(2, 2);
  AllToAll exchange(Topology(c), all_gpus(c));
  CHECK_THAT(exchange.time(Counts(4, 2).traffic(), 1_MB) / 1.0_us, WithinRel(6.5, 1e-12));
  const Cluster alone = toy_cluster(1, 1);
  AllToAll nobody(Topology(alone), all_gpus(alone));
  CHECK(nobody.time(Counts(1, 1).traffic(), 1_MB) == Seconds{});
}

TEST_CASE("AllToAll: a domain with fewer ranks takes all rails on those it has", "[operators]") {
  const Cluster c = toy_cluster(2, 2);
  // Ranks on GPUs 0, 1 of node 0 and on GPU 2 of node 1.
  AllToAll exchange(Topology(c), std::vector<GpuId>{GpuId{0}, GpuId{1}, GpuId{2}});
  Counts counts(3, 2);
  counts.sent(0, 1) = 3;
  counts.sent(1, 1) = 4;
  // Seven copies into the one NIC of node 1: 700 us.
  CHECK_THAT((exchange.time(counts.traffic(), 1_MB) - exchange.latency()) / 1.0_us,
             WithinRel(700.0, 1e-12));
}

TEST_CASE("AllToAll: uniform traffic has a closed form", "[operators][property]") {
  CHECK(rc::check([] {
    const auto nodes = *rc::gen::inRange<std::int64_t>(2, 10);
    const auto per_node = *rc::gen::inRange<std::int64_t>(1, 9);
    const auto copies = *rc::gen::inRange<std::int32_t>(0, 1000);
    const Cluster c = toy_cluster(nodes, per_node);
    AllToAll exchange(Topology(c), all_gpus(c));
    const Counts counts = uniform(exchange, c.gpus(), copies);
    // (nodes - 1) * copies * 7 kB / 10 GB/s; 4.5 us, and 2 us where nodes have peers.
    const double expected =
        static_cast<double>(nodes - 1) * copies * 0.7 + (per_node > 1 ? 6.5 : 4.5);
    const double got = exchange.time(counts.traffic(), 7_kB) / 1.0_us;
    RC_ASSERT(std::abs(got - expected) <= 1e-9 * expected);
  }));
}

TEST_CASE("AllToAll: renaming nodes changes nothing", "[operators][property]") {
  CHECK(rc::check([] {
    const auto nodes = *rc::gen::inRange<std::int64_t>(1, 7);
    const auto per_node = *rc::gen::inRange<std::int64_t>(1, 5);
    Cluster c = toy_cluster(nodes, per_node);
    c.nics_per_node = *rc::gen::inRange<std::int64_t>(1, per_node + 1);
    const auto ranks = c.gpus();
    std::vector<std::int64_t> order(static_cast<std::size_t>(nodes));
    std::iota(order.begin(), order.end(), 0);
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[*rc::gen::inRange<std::size_t>(0, i)]);
    }
    const auto renamed = [&](std::int64_t rank) {
      return order[static_cast<std::size_t>(rank / per_node)] * per_node + rank % per_node;
    };
    Counts before(ranks, nodes);
    Counts after(ranks, nodes);
    for (std::int64_t r = 0; r < ranks; ++r) {
      const auto from = static_cast<std::size_t>(r);
      const auto to = static_cast<std::size_t>(renamed(r));
      after.in[to] = before.in[from] = *rc::gen::inRange(0, 500);
      after.out[to] = before.out[from] = *rc::gen::inRange(0, 500);
      for (std::int64_t d = 0; d < nodes; ++d) {
        if (d == r / per_node) continue;
        const int copies = *rc::gen::inRange(0, 500);
        before.sent(r, d) = copies;
        after.sent(renamed(r), order[static_cast<std::size_t>(d)]) = copies;
      }
    }
    AllToAll exchange(Topology(c), all_gpus(c));
    RC_ASSERT(exchange.time(before.traffic(), 7_kB) == exchange.time(after.traffic(), 7_kB));
  }));
}

TEST_CASE("AllToAll: more copies never take less, and scratch keeps nothing",
          "[operators][property]") {
  CHECK(rc::check([] {
    Cluster c = toy_cluster(4, 2);
    c.scale_out = *rc::gen::element(topology::ScaleOut::Rail, topology::ScaleOut::LeafSpine);
    c.leaf_ports = *rc::gen::inRange<std::int64_t>(1, 9);
    c.oversubscription = 2.0;
    AllToAll exchange(Topology(c), all_gpus(c));
    Counts counts(8, 4);
    for (std::int64_t r = 0; r < 8; ++r) {
      for (std::int64_t d = 0; d < 4; ++d) {
        if (d != r / 2) counts.sent(r, d) = *rc::gen::inRange(0, 500);
      }
    }
    const Seconds first = exchange.time(counts.traffic(), 7_kB);
    RC_ASSERT(exchange.time(counts.traffic(), 7_kB) == first);
    const auto r = *rc::gen::inRange<std::int64_t>(0, 8);
    const auto d = (r / 2 + *rc::gen::inRange<std::int64_t>(1, 4)) % 4;
    counts.sent(r, d) += *rc::gen::inRange(0, 500);
    RC_ASSERT(exchange.time(counts.traffic(), 7_kB) >= first);
  }));
}

}  // namespace
}  // namespace moesim::operators
