#include "serving/link_use.h"

#include <rapidcheck.h>

#include <map>
#include <string>

#include "tests/support/aborts.h"
#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::request_at;
using moesim::test::toy_cluster;
using moesim::test::toy_deployment;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;
using placement::Copies;
using topology::Topology;
using topology::VertexKind;

/// Gigabytes by name of link, those without left out.
std::map<std::string, double> gigabytes(const Topology& t, const StageTraffic& stage) {
  const std::vector<LinkUse> links = use_of_links(t, std::span(&stage, 1), 2_s);
  std::map<std::string, double> found;
  for (std::size_t i = 0; i < links.size(); ++i) {
    const topology::Link& link = t.links()[i];
    const auto name = [&](std::int32_t v) {
      return t.vertices()[static_cast<std::size_t>(v)].name;
    };
    if (links[i].carried > Bytes{}) {
      found[name(link.from) + " > " + name(link.to)] = links[i].carried / 1.0_GB;
    }
  }
  return found;
}

/// Four ranks on two nodes of two GPUs.
StageTraffic two_by_two() {
  return {.group = {GpuId{0}, GpuId{1}, GpuId{2}, GpuId{3}},
          .domain_of_rank = {0, 0, 1, 1},
          .exchanging = 1_s};
}

TEST_CASE("link use: an exchange of two nodes by hand", "[serving][oracle]") {
  const Topology t(toy_cluster(2, 2));
  StageTraffic stage = two_by_two();
  // Rank 0 sends 4 copies to node 1: to its relay there, rank 2, which hands 3 on to rank 3. Rank 3
  // sends 2 to node 0: to rank 1, which hands 1 on to rank 0. 1 GB there, 2 GB back.
  stage.exchanges.push_back({.copies = Copies::Deduplicated,
                             .dispatch_copy = 1_GB,
                             .combine_copy = 2_GB,
                             .to_node = {0, 4, 0, 0, 0, 0, 2, 0},
                             .scale_up_in = {1, 0, 0, 3},
                             .scale_up_out = {0, 1, 3, 0}});
  const std::map<std::string, double> expected = {
      // There: 4 out of node 0 by NIC 0, 2 out of node 1 by NIC 1. Back: 4 by NIC 1, 8 by NIC 0.
      {"node0/gpu0 > node0/nic0", 4},
      {"node0/nic0 > rail0/leaf0", 4},
      {"rail0/leaf0 > node1/nic0", 4},
      {"node1/nic0 > node1/gpu0", 4},
      {"node1/gpu0 > node1/nic0", 8},
      {"node1/nic0 > rail0/leaf0", 8},
      {"rail0/leaf0 > node0/nic0", 8},
      {"node0/nic0 > node0/gpu0", 8},
      {"node1/gpu1 > node1/nic1", 2},
      {"node1/nic1 > rail1/leaf0", 2},
      {"rail1/leaf0 > node0/nic1", 2},
      {"node0/nic1 > node0/gpu1", 2},
      {"node0/gpu1 > node0/nic1", 4},
      {"node0/nic1 > rail1/leaf0", 4},
      {"rail1/leaf0 > node1/nic1", 4},
      {"node1/nic1 > node1/gpu1", 4},
      // Handed on: 1 from GPU 1 to 0 and 2 back; 3 from GPU 2 to 3 and 6 back.
      {"node0/gpu1 > domain0", 1},
      {"domain0 > node0/gpu0", 1},
      {"node0/gpu0 > domain0", 2},
      {"domain0 > node0/gpu1", 2},
      {"node1/gpu0 > domain1", 3},
      {"domain1 > node1/gpu1", 3},
      {"node1/gpu1 > domain1", 6},
      {"domain1 > node1/gpu0", 6}};
  CHECK(gigabytes(t, stage) == expected);

  const std::vector<LinkUse> links = use_of_links(t, std::span(&stage, 1), 2_s);
  const FabricUse use = fabric_use(t, links, 2_s);
  // 8 GB over 10 GB/s: 0.8 s of the run's 2 s and of the 1 s of exchanges.
  REQUIRE(use.busiest.size() == 10);
  // Used alike: by number, the links of node 0 first.
  CHECK(use.busiest[0].kind == "leaf to NIC");
  CHECK(use.busiest[0].name == "rail0/leaf0 -> node0/nic0");
  CHECK(use.busiest[1].name == "node1/nic0 -> rail0/leaf0");
  CHECK_THAT(use.busiest[0].use.utilisation, WithinRel(0.4, 1e-12));
  CHECK_THAT(use.busiest[0].use.exchanging, WithinRel(0.8, 1e-12));
  const KindUse& port = use.kinds[2];
  CHECK(port.name == "NIC to leaf");
  CHECK(port.links == 4);
  CHECK(port.used == 4);
  CHECK_THAT(port.carried / 1.0_GB, WithinRel(18.0, 1e-12));
  CHECK_THAT(port.mean, WithinRel(18.0 / 20.0 / 4.0, 1e-12));
  CHECK_THAT(port.most, WithinRel(0.4, 1e-12));
  CHECK_THAT(port.exchanging, WithinRel(0.8, 1e-12));
  CHECK(port.busiest == "node1/nic0 -> rail0/leaf0");
}

TEST_CASE("link use: copies per pick enter at the rank they are for", "[serving][oracle]") {
  const Topology t(toy_cluster(2, 2));
  StageTraffic stage = two_by_two();
  // 6 copies of rank 0 to node 1, which takes 2 on rank 2 and 4 on rank 3: over rank 1's rail.
  stage.exchanges.push_back({.copies = Copies::PerPick,
                             .dispatch_copy = 1_GB,
                             .to_node = {0, 6, 0, 0, 0, 0, 0, 0},
                             .scale_up_in = {0, 0, 0, 0},
                             .scale_up_out = {0, 0, 0, 0},
                             .network_in = {0, 0, 2, 4}});
  const auto found = gigabytes(t, stage);
  CHECK(found.at("node0/nic0 > rail0/leaf0") == 2);
  CHECK(found.at("node0/gpu0 > domain0") == 4);
  CHECK(found.at("node0/nic1 > rail1/leaf0") == 4);
  CHECK(found.at("node1/nic1 > node1/gpu1") == 4);
  CHECK(found.size() == 4 + 2 + 4);
}

TEST_CASE("link use: collectives and the way to the next stage", "[serving][oracle]") {
  const Topology t(toy_cluster(2, 2));
  // Direct all-reduces of two ranks: each sends 2 * 1/2 of 3 * 1 GB. All-gather: half of 1 GB.
  const StageTraffic stage{.group = {GpuId{0}, GpuId{1}},
                           .next = {GpuId{2}, GpuId{3}},
                           .tp = 2,
                           .all_reduces = 3,
                           .all_gathers = 1,
                           .activations = {1_GB}};
  const auto found = gigabytes(t, stage);
  for (const char* link : {"node0/gpu0 > domain0", "domain0 > node0/gpu0", "node0/gpu1 > domain0",
                           "domain0 > node0/gpu1"}) {
    CHECK_THAT(found.at(link), WithinRel(3.5, 1e-12));
  }
  CHECK(found.at("node0/nic0 > rail0/leaf0") == 1);
  CHECK(found.size() == 4 + 4);
}

TEST_CASE("link use: pairs are as even as their sums allow", "[serving][oracle]") {
  // With a = x10 the sums leave x20 = 1 - a, x21 = a, x01 = x12 = 2 - a, x02 = 1 + a. Proportional
  // fitting keeps x01 x12 x20 = x02 x21 x10: a^3 - 2 a^2 + 4 a - 2 = 0, a = 0.63890.
  const std::vector<double> out{3, 2, 1};
  const std::vector<double> in{1, 2, 3};
  const std::vector<double> x = fitted_pairs(out, in);
  CHECK_THAT(x[3], WithinAbs(0.63890, 1e-5));
  CHECK_THAT(x[1], WithinAbs(2 - 0.63890, 1e-5));
  CHECK_THAT(x[6], WithinAbs(1 - 0.63890, 1e-5));
  CHECK(fitted_pairs(std::vector<double>{0, 0}, std::vector<double>{0, 0}) ==
        std::vector<double>(4, 0.0));
}

/// Totals of random pairs of ranks, `nodes` domains of `peers`.
StageTraffic random_traffic(std::int64_t nodes, std::int64_t peers, Copies copies) {
  const auto n = static_cast<std::size_t>(nodes * peers);
  StageTraffic stage{.exchanging = 1_s};
  ExchangeTotals totals{.copies = copies, .dispatch_copy = 1_kB, .combine_copy = 2_kB};
  totals.to_node.resize(n * static_cast<std::size_t>(nodes));
  totals.scale_up_in.resize(n);
  totals.scale_up_out.resize(n);
  totals.network_in.resize(n);
  for (std::size_t r = 0; r < n; ++r) {
    stage.group.emplace_back(static_cast<std::int64_t>(r));
    stage.domain_of_rank.push_back(static_cast<std::int32_t>(r) / static_cast<std::int32_t>(peers));
  }
  for (std::size_t r = 0; r < n; ++r) {
    for (std::size_t q = 0; q < n; ++q) {
      const auto count = *rc::gen::inRange<std::int64_t>(0, 50);
      const auto node = static_cast<std::size_t>(stage.domain_of_rank[q]);
      if (r == q) continue;
      if (stage.domain_of_rank[r] == stage.domain_of_rank[q]) {
        totals.scale_up_out[r] += count;
        totals.scale_up_in[q] += count;
      } else {
        totals.to_node[r * static_cast<std::size_t>(nodes) + node] += count;
        totals.network_in[q] += count;
      }
    }
  }
  stage.exchanges.push_back(totals);
  return stage;
}

TEST_CASE("link use: what enters a switch leaves it, and nothing is lost", "[serving][property]") {
  CHECK(rc::check([] {
    const auto nodes = *rc::gen::inRange<std::int64_t>(1, 5);
    const auto peers = *rc::gen::inRange<std::int64_t>(2, 5);
    topology::Cluster cluster = toy_cluster(nodes, peers);
    cluster.leaf_ports = *rc::gen::element<std::int64_t>(1, 2, 64);
    const Topology t(cluster);
    const Copies copies = *rc::gen::element(Copies::Deduplicated, Copies::PerPick);
    const StageTraffic stage = random_traffic(nodes, peers, copies);
    const std::vector<LinkUse> links = use_of_links(t, std::span(&stage, 1), 1_s);
    std::vector<double> in(t.vertices().size());
    std::vector<double> out(t.vertices().size());
    double from_nics = 0;
    double to_nics = 0;
    for (std::size_t i = 0; i < links.size(); ++i) {
      const topology::Link& link = t.links()[i];
      const double bytes = links[i].carried / kByte;
      out[static_cast<std::size_t>(link.from)] += bytes;
      in[static_cast<std::size_t>(link.to)] += bytes;
      if (link.kind != topology::LinkKind::NicPort) continue;
      const auto from = t.vertices()[static_cast<std::size_t>(link.from)].kind;
      (from == VertexKind::Nic ? from_nics : to_nics) += bytes;
    }
    for (std::size_t v = 0; v < in.size(); ++v) {
      if (t.vertices()[v].kind == VertexKind::Gpu) continue;
      RC_ASSERT(std::abs(in[v] - out[v]) <= 1e-9 * (1.0 + in[v]));
    }
    double copies_between = 0;
    for (const std::int64_t c : stage.exchanges[0].to_node)
      copies_between += static_cast<double>(c);
    RC_ASSERT(std::abs(from_nics - 3000.0 * copies_between) <= 1e-9 * (1.0 + from_nics));
    RC_ASSERT(std::abs(from_nics - to_nics) <= 1e-9 * (1.0 + from_nics));
    // Scale-up sums of each rank hold in copies that stay inside (no rails crossed).
    if (copies == Copies::Deduplicated) {
      double inside = 0;
      for (const std::int64_t c : stage.exchanges[0].scale_up_out) inside += static_cast<double>(c);
      double to_switch = 0;
      for (std::size_t v = 0; v < in.size(); ++v) {
        if (t.vertices()[v].kind == VertexKind::ScaleUpSwitch) to_switch += in[v];
      }
      RC_ASSERT(std::abs(to_switch - 3000.0 * inside) <= 1e-9 * (1.0 + to_switch));
    }
  }));
}

TEST_CASE("link use: a run puts on NICs what it sends between nodes", "[serving]") {
  const Deployment d = toy_deployment(test::toy_moe_model(), {.dp = 8, .ep = 8});
  std::vector<workload::Request> requests;
  for (int i = 0; i < 30; ++i) requests.push_back(request_at(0.001 * i * kSecond, 50 + i, 5));
  const RunResult result = test::run(d, requests);
  REQUIRE(result.fabric.kinds.size() > 2);
  const KindUse& port = result.fabric.kinds[2];
  REQUIRE(port.name == "NIC to leaf");
  // Two MoE layers.
  const double expected = result.experts.internode_bytes_per_token *
                          static_cast<double>(result.experts.token_layers) / 2.0;
  REQUIRE(expected > 0.0);
  CHECK_THAT(port.carried / kByte, WithinRel(expected, 1e-9));
  CHECK(result.fabric.duration == result.end.seconds());
  for (const KindUse& kind : result.fabric.kinds) {
    CHECK(kind.mean <= kind.most);
    CHECK(kind.most <= kind.exchanging);
    CHECK(kind.exchanging <= 1.0);
  }
  const RunResult again = test::run(d, requests);
  REQUIRE(again.fabric.busiest.size() == result.fabric.busiest.size());
  for (std::size_t i = 0; i < again.fabric.busiest.size(); ++i) {
    CHECK(again.fabric.busiest[i].link == result.fabric.busiest[i].link);
    CHECK(again.fabric.busiest[i].use.carried == result.fabric.busiest[i].use.carried);
    CHECK(again.fabric.busiest[i].use.exchanging == result.fabric.busiest[i].use.exchanging);
  }
}

TEST_CASE("link use: a run on one GPU uses no link", "[serving]") {
  const RunResult result =
      test::run(toy_deployment(test::toy_dense_model(), {}), {request_at(0_s, 100, 3)});
  CHECK(result.fabric.duration > Seconds{});
  CHECK(result.fabric.busiest.empty());
}

TEST_CASE("link use: tensor and pipeline groups of a run by hand", "[serving][oracle]") {
  // 100 prompt tokens and two more; 2 layers of 2 all-reduces, one layer a stage; 2000 B a token.
  const Deployment d = toy_deployment(test::toy_dense_model(), {.tp = 2, .pp = 2});
  const RunResult result = test::run(d, {request_at(0_s, 100, 3)});
  const KindUse& up = result.fabric.kinds[0];
  REQUIRE(up.name == "GPU to switch");
  // Stage 0 and 1: each of two GPUs sends 2 * 1/2 of 2 * 102 * 2000 B; 102 * 2000 B to stage 1,
  // which is in the same node.
  CHECK_THAT(up.carried / kByte, WithinRel(102 * 2000.0 * (4 * 2 + 1), 1e-12));
}

TEST_CASE("link use: refuses links of another world", "[serving]") {
  const Topology t(toy_cluster(2, 2));
  CHECK(test::aborts([&] { static_cast<void>(fabric_use(t, {}, 1_s)); }));
  CHECK(test::aborts([&] { static_cast<void>(use_of_links(t, {}, Seconds{})); }));
}

}  // namespace
}  // namespace moesim::serving
