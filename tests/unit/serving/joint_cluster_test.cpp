#include "serving/joint_cluster.h"

#include "net/collective_flows.h"
#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::request_at;
using moesim::test::toy_deployment;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

/// One node each: NICs of 10 GB/s where prompts are computed, `decode_nic` times that where they
/// are decoded, by a GPU of another name and memory.
Fleet two_kinds(double decode_nic, std::int64_t prefill_gpus = 1) {
  Deployment prefill = toy_deployment(test::toy_dense_model(), {.replicas = prefill_gpus});
  prefill.cluster = test::toy_cluster(1, 2);
  prefill.cluster.gpu.scale_up = catalog::ScaleUpKind::NvSwitch;
  prefill.role = PoolRole::Prefill;
  Deployment decode = toy_deployment(test::toy_dense_model(), {});
  decode.cluster = prefill.cluster;
  decode.cluster.gpu.name = "other";
  decode.cluster.gpu.memory_bandwidth = prefill.cluster.gpu.memory_bandwidth * 2.0;
  decode.cluster.nic.bandwidth = decode_nic * prefill.cluster.nic.bandwidth;
  decode.role = PoolRole::Decode;
  decode.first_instance = prefill_gpus;
  REQUIRE(check_joint(prefill.cluster, decode.cluster).empty());
  join_nodes(prefill, decode);
  return {.pools = {prefill, decode}};
}

RunResult run_kinds(const Fleet& fleet, std::vector<workload::Request> requests) {
  const topology::Topology topology(joint_cluster(fleet));
  test::ListSource source(std::move(requests));
  const std::int64_t size = fleet.pools.front().scheduler.block_size;
  const std::vector<plan::MemoryReport> memory(2, test::toy_memory(1'000'000, size));
  return simulate(fleet, topology, memory, {.source = &source}, {}, {});
}

double transfer_us(const Fleet& fleet) {
  return run_kinds(fleet, {request_at(0_s, 1000, 5)}).handover->transfer / 1.0_us;
}

double latency_us(const Fleet& fleet) {
  const topology::Topology topology(joint_cluster(fleet));
  const auto& d = fleet.pools;
  return net::transfer_flows(topology, cache_transfers(d.front(), {}, d.back(), {}, 1000))
             .phases.at(0)
             .latency /
         1.0_us;
}

// 1,000 tokens of 1,600 B are 1.6 MB: 160 us at 10 GB/s, 80 us at 20 GB/s, 320 us at 5 GB/s.
TEST_CASE("joint cluster: a cache moves at the rate of the slower NIC", "[serving][oracle]") {
  const Fleet equal = two_kinds(1.0);
  CHECK_THAT(transfer_us(equal) - latency_us(equal), WithinRel(160.0, 1e-5));
  const Fleet fast = two_kinds(4.0);
  CHECK_THAT(transfer_us(fast) - latency_us(fast), WithinRel(160.0, 1e-5));
  const Fleet slow = two_kinds(0.5);
  CHECK_THAT(transfer_us(slow) - latency_us(slow), WithinRel(320.0, 1e-5));
}

TEST_CASE("joint cluster: links have the rates of their nodes' kinds", "[serving][oracle]") {
  const Fleet fleet = two_kinds(4.0);
  CHECK(fleet.pools[0].cluster.nodes == 2);
  CHECK(fleet.pools[1].first_gpu == 2);
  CHECK(fleet.pools[1].cluster.scale_out == topology::ScaleOut::Rail);
  const topology::Topology joint(joint_cluster(fleet));
  for (const topology::Link& link : joint.links()) {
    if (link.kind != topology::LinkKind::NicPort) continue;
    const auto name = [&](std::int32_t v) {
      return joint.vertices()[static_cast<std::size_t>(v)].name;
    };
    const bool first = name(link.from).starts_with("node0/") || name(link.to).starts_with("node0/");
    CHECK_THAT(link.bandwidth / 1.0_GBps, WithinRel(first ? 10.0 : 40.0, 1e-12));
  }
}

TEST_CASE("joint cluster: each pool computes on its own GPU", "[serving][oracle]") {
  const Fleet fleet = two_kinds(1.0);
  Deployment alone = fleet.pools.back();
  alone.role = PoolRole::Mixed;
  alone.first_instance = 0;
  Deployment slower = alone;
  slower.cluster.gpu = fleet.pools.front().cluster.gpu;
  // Four decode steps of contexts 1,001..1,004, as in a run of the kind alone.
  const auto tpot = [](const RunResult& r) {
    return (r.requests.at(0).finish - r.requests.at(0).first_token).seconds() / 1.0_us;
  };
  const double own = tpot(test::run(alone, {request_at(0_s, 1000, 5)}));
  const double other = tpot(test::run(slower, {request_at(0_s, 1000, 5)}));
  REQUIRE(own < 0.95 * other);
  CHECK_THAT(tpot(run_kinds(fleet, {request_at(0_s, 1000, 5)})), WithinRel(own, 1e-9));
}

TEST_CASE("joint cluster: kinds without a network between them are refused", "[serving]") {
  topology::Cluster a = test::toy_cluster(1, 2);
  a.gpu.scale_up = catalog::ScaleUpKind::NvSwitch;
  topology::Cluster b = a;
  CHECK(check_joint(a, b).empty());
  b.nics_per_node = 0;
  CHECK(check_joint(a, b).at(0).field == "nics_per_node");
  b = a;
  b.gpus_per_node = 4;
  CHECK(check_joint(a, b).at(0).field == "gpus_per_node");
  b = a;
  b.gpu.scale_up = catalog::ScaleUpKind::Pcie;
  CHECK(check_joint(a, b).at(0).field == "gpu");
}

}  // namespace
}  // namespace moesim::serving
