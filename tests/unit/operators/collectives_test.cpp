#include "operators/collectives.h"

#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "tests/support/aborts.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {
using namespace moesim::literals;
using moesim::test::toy_cluster;
using moesim::test::WithinRel;
using topology::Topology;

std::vector<GpuId> gpus(std::int64_t first, std::int64_t count, std::int64_t stride = 1) {
  std::vector<GpuId> group;
  for (std::int64_t i = 0; i < count; ++i) group.emplace_back(first + i * stride);
  return group;
}

TEST_CASE("all_reduce: a ring on NVSwitch moves 2(n-1)/n of the bytes in 2(n-1) steps",
          "[operators][oracle]") {
  const Topology t(toy_cluster(1, 8));
  const CollectiveCost c = all_reduce(t, gpus(0, 8));
  CHECK(c.algorithm == "ring");
  // 14 steps: 2 us and 13 times 0.24 us; 2 * 7/8 of 100 MB at 100 GB/s = 1750 us.
  CHECK_THAT(c.latency / 1.0_us, WithinRel(5.12, 1e-12));
  CHECK_THAT(c.time(100_MB) / 1.0_us, WithinRel(1755.12, 1e-12));
}

TEST_CASE("all_gather and reduce_scatter: one pass of the ring each", "[operators][oracle]") {
  const Topology t(toy_cluster(1, 4));
  // 3 steps: 2 + 2 * 0.24 us; 3/4 of 100 MB at 100 GB/s = 750 us.
  CHECK_THAT(all_gather(t, gpus(0, 4)).time(100_MB) / 1.0_us, WithinRel(752.48, 1e-12));
  CHECK_THAT(reduce_scatter(t, gpus(0, 4)).time(100_MB) / 1.0_us, WithinRel(752.48, 1e-12));
}

TEST_CASE("direct_all_reduce: the bytes of the ring in two steps", "[operators][oracle]") {
  const Topology t(toy_cluster(1, 8));
  // Each GPU sends 7 shares of an eighth twice: 1750 us for 100 MB; two steps: 2.24 us.
  const CollectiveCost c = direct_all_reduce(t, gpus(0, 8));
  CHECK(c.algorithm == "direct");
  CHECK_THAT(c.time(100_MB) / 1.0_us, WithinRel(1752.24, 1e-12));
}

TEST_CASE("all_reduce: a mesh uses all pair links at once", "[operators][oracle]") {
  topology::Cluster cluster = toy_cluster(1, 8);
  cluster.gpu.scale_up = catalog::ScaleUpKind::XgmiMesh;
  cluster.gpu.scale_up_pair_bandwidth = 10_GBps;
  const Topology t(cluster);
  // Eight GPUs: an eighth over each link, twice: 2 * 12.5 MB / 10 GB/s = 2500 us and 2.24 us.
  const CollectiveCost eight = all_reduce(t, gpus(0, 8));
  CHECK(eight.algorithm == "direct");
  CHECK_THAT(eight.time(100_MB) / 1.0_us, WithinRel(2502.24, 1e-12));
  // Two GPUs have one link between them: half of the bytes twice, 10'000 us.
  CHECK_THAT(all_reduce(t, gpus(0, 2)).time(100_MB) / 1.0_us, WithinRel(10'002.24, 1e-12));
}

TEST_CASE("all_reduce: two nodes reduce inside first and share the NICs", "[operators][oracle]") {
  const Topology t(toy_cluster(2, 4));
  const CollectiveCost c = all_reduce(t, gpus(0, 8));
  CHECK(c.algorithm == "hierarchical ring");
  // Inside: 2 passes * 3/4 * 100 MB / 100 GB/s = 1500 us, 6 steps: 2 + 5 * 0.24 = 3.2 us.
  // Across: every rail moves a quarter: 2 * 1/2 * 25 MB / 10 GB/s = 2500 us, 2 * 1 * 4.5 us = 9 us.
  CHECK_THAT(c.latency / 1.0_us, WithinRel(12.2, 1e-12));
  CHECK_THAT(c.time(100_MB) / 1.0_us, WithinRel(4012.2, 1e-12));
  CHECK(t.links()[c.busiest.index()].kind == topology::LinkKind::NicPort);
}

TEST_CASE("all_reduce: shared NICs carry the rings of all their GPUs", "[operators][oracle]") {
  topology::Cluster cluster = toy_cluster(2, 4);
  cluster.nics_per_node = 1;
  const Topology t(cluster);
  // As above, but four rings through one NIC: 4 * 2500 us.
  CHECK_THAT(all_reduce(t, gpus(0, 8)).time(100_MB) / 1.0_us, WithinRel(11'512.2, 1e-12));
}

TEST_CASE("all_reduce: one GPU per node is a ring over the network", "[operators][oracle]") {
  const Topology t(toy_cluster(4, 2));
  // GPU 0 of each node: 6 steps of 4.5 us; 2 * 3/4 * 100 MB / 10 GB/s = 15'000 us.
  const CollectiveCost c = all_reduce(t, gpus(0, 4, 2));
  CHECK(c.algorithm == "ring");
  CHECK_THAT(c.time(100_MB) / 1.0_us, WithinRel(15'027.0, 1e-12));
}

TEST_CASE("all_reduce: uneven nodes fall back to one ring", "[operators]") {
  const Topology t(toy_cluster(2, 4));
  CHECK(all_reduce(t, gpus(2, 3)).algorithm == "ring");
}

TEST_CASE("collectives: one rank costs nothing", "[operators]") {
  const Topology t(toy_cluster(1, 8));
  CHECK(all_reduce(t, gpus(3, 1)).time(1_GB) == Seconds{});
  CHECK(all_gather(t, gpus(3, 1)).time(1_GB) == Seconds{});
  CHECK(direct_all_reduce(t, gpus(3, 1)).time(1_GB) == Seconds{});
  CHECK(point_to_point(t, GpuId{3}, GpuId{3}).time(1_GB) == Seconds{});
}

TEST_CASE("collectives: a GPU named twice is a bug of ours", "[operators]") {
  CHECK(test::aborts([] {
    const Topology t(toy_cluster(1, 2));
    (void)all_reduce(t, std::vector<GpuId>{GpuId{1}, GpuId{1}});
  }));
}

TEST_CASE("point_to_point: latency of the path and its narrowest link", "[operators][oracle]") {
  const Topology t(toy_cluster(2, 2));
  // 10 MB at 10 GB/s = 1000 us, 4.5 us.
  CHECK_THAT(point_to_point(t, GpuId{0}, GpuId{2}).time(10_MB) / 1.0_us, WithinRel(1004.5, 1e-12));
}

TEST_CASE("all_reduce: closed form of the ring for every size of group", "[operators][property]") {
  CHECK(rc::check([] {
    const auto n = *rc::gen::inRange<std::int64_t>(2, 9);
    const auto bytes = static_cast<double>(*rc::gen::inRange(0, 1 << 30)) * kByte;
    const Topology t(toy_cluster(1, 8));
    const auto ranks = static_cast<double>(n);
    // 2(n-1)/n of the bytes and 2(n-1) steps, all but the first at 0.12 of 2 us.
    const Seconds expected = 2.0 * (ranks - 1.0) / ranks * bytes / 100_GBps +
                             (1.0 + 0.12 * (2.0 * (ranks - 1.0) - 1.0)) * 2_us;
    const Seconds got = all_reduce(t, gpus(0, n)).time(bytes);
    RC_ASSERT(got / expected > 1.0 - 1e-12);
    RC_ASSERT(got / expected < 1.0 + 1e-12);
  }));
}

TEST_CASE("all_reduce: closed form of ring and tree over NICs, a full latency each step",
          "[operators][property]") {
  CHECK(rc::check([] {
    const auto n = *rc::gen::inRange<std::int64_t>(2, 33);
    const auto bytes = static_cast<double>(*rc::gen::inRange(0, 1 << 30)) * kByte;
    const Topology t(toy_cluster(n, 1));
    const auto ranks = static_cast<double>(n);
    const Seconds ring =
        2.0 * (ranks - 1.0) / ranks * bytes / 10_GBps + 2.0 * (ranks - 1.0) * 4.5_us;
    // The double tree: up and down its levels, the message twice.
    const Seconds tree = 2.0 * bytes / 10_GBps + 2.0 * std::ceil(std::log2(ranks)) * 4.5_us;
    const Seconds expected = std::min(ring, tree);
    const Seconds got = all_reduce(t, gpus(0, n)).time(bytes);
    RC_ASSERT(got / expected > 1.0 - 1e-12);
    RC_ASSERT(got / expected < 1.0 + 1e-12);
  }));
}

TEST_CASE("all_reduce: never longer than a reduce-scatter and an all-gather",
          "[operators][property]") {
  CHECK(rc::check([] {
    const auto nodes = *rc::gen::inRange<std::int64_t>(1, 5);
    const auto per_node = *rc::gen::inRange<std::int64_t>(1, 9);
    const Topology t(toy_cluster(nodes, per_node));
    const auto group = gpus(0, nodes * per_node);
    const Seconds both = all_gather(t, group).time(1_GB) + reduce_scatter(t, group).time(1_GB);
    RC_ASSERT(all_reduce(t, group).time(1_GB) / 1.0_us <= both / 1.0_us * (1.0 + 1e-12));
    // It starts once instead of twice: at most one message's latency less.
    RC_ASSERT((both - all_reduce(t, group).time(1_GB)) / 1.0_us <= 2.0);
  }));
}

}  // namespace
}  // namespace moesim::operators
