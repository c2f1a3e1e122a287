#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "operators/collectives.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {
using namespace moesim::literals;
using moesim::test::toy_cluster;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;
using topology::Topology;

std::vector<double> starts(std::span<const CoefficientSpec> specs) {
  std::vector<double> values;
  for (const CoefficientSpec& spec : specs) values.push_back(spec.start);
  return values;
}

/// Values by name, those at the start of the specs for the rest.
std::vector<double> with(std::span<const CoefficientSpec> specs,
                         const std::vector<std::pair<std::string_view, double>>& named) {
  std::vector<double> values = starts(specs);
  for (const auto& one : named) {
    const auto at = std::find_if(specs.begin(), specs.end(),
                                 [&](const CoefficientSpec& s) { return s.name == one.first; });
    REQUIRE(at != specs.end());
    values[static_cast<std::size_t>(at - specs.begin())] = one.second;
  }
  return values;
}

/// Anywhere between the bounds.
std::vector<double> drawn(std::span<const CoefficientSpec> specs) {
  std::vector<double> values;
  for (const CoefficientSpec& spec : specs) {
    const double at = *rc::gen::inRange(0, 1001) / 1000.0;
    values.push_back(spec.lower + at * (spec.upper - spec.lower));
  }
  return values;
}

/// No ramp to speak of, all efficiencies 1.
NcclCurve plain_curve(const ScaleUpLink& link) {
  return NcclCurve(link, with(NcclCurve::coefficients(), {{"base_us", 5.0},
                                                          {"step_us", 1.0},
                                                          {"exchange_base_us", 7.0},
                                                          {"exchange_peer_us", 0.5},
                                                          {"exchange_late_us", 0.0},
                                                          {"ramp_bytes", 1e3},
                                                          {"ramp_exponent", 0.8},
                                                          {"gather_efficiency", 1.0},
                                                          {"gather_few", 0.0},
                                                          {"reduce_efficiency", 0.5},
                                                          {"reduce_few", 0.0},
                                                          {"exchange_efficiency", 1.0},
                                                          {"exchange_few", 0.0},
                                                          {"sharing_exponent", 2.0},
                                                          {"switch_efficiency", 1.0}}));
}

TEST_CASE("NcclCurve: latency by steps, bytes of a ring, a ramp", "[operators][oracle]") {
  const NcclCurve curve = plain_curve({.bandwidth = 100_GBps});
  // All-gather of 4 GPUs: 5 us and 3 steps of 1 us; 3/4 of 1 GB at 100 GB/s = 7500 us, and the ramp
  // (1e3 / 750e6)^0.8 = (4 / 3 * 1e-6)^0.8 = 1.99498e-5 of it: 0.1496 us.
  CHECK_THAT(curve.time(CollectiveOp::AllGather, 4, 1_GB) / 1.0_us, WithinAbs(7508.1496, 1e-3));
  CHECK_THAT(curve.time(CollectiveOp::AllGather, 4, Bytes{}) / 1.0_us, WithinRel(8.0, 1e-12));
  // All-reduce: twice the steps and bytes, at half the rate: 5 + 6 + 30'000 us and the ramp of
  // (1e3 / 1.5e9)^0.8 = 1.1458e-5: 0.344 us.
  CHECK_THAT(curve.time(CollectiveOp::AllReduce, 4, 1_GB) / 1.0_us, WithinAbs(30'011.344, 2e-3));
  // Exchange: 7 us and 3 peers of 0.5 us, bytes as all-gather.
  CHECK_THAT(curve.time(CollectiveOp::AllToAll, 4, 1_GB) / 1.0_us, WithinAbs(7508.6496, 1e-3));
}

TEST_CASE("NcclCurve: a switch that reduces sends what it gets once", "[operators][oracle]") {
  const NcclCurve ring = plain_curve({.bandwidth = 100_GBps});
  const NcclCurve reducing = plain_curve({.bandwidth = 100_GBps, .reduces = true});
  // Eight GPUs: (1 + 1/8) GB at 100 GB/s = 11'250 us, against 2 * 7/8 at half the rate = 35'000 us.
  CHECK_THAT(reducing.time(CollectiveOp::AllReduce, 8, 1_GB) / 1.0_us, WithinRel(11'269.0, 1e-4));
  CHECK_THAT(ring.time(CollectiveOp::AllReduce, 8, 1_GB) / 1.0_us, WithinRel(35'019.0, 1e-4));
  // Four leave it to the ring.
  CHECK(reducing.time(CollectiveOp::AllReduce, 4, 1_GB) ==
        ring.time(CollectiveOp::AllReduce, 4, 1_GB));
}

TEST_CASE("NcclCurve: GPUs of a PCIe host crowd each other out", "[operators][oracle]") {
  const NcclCurve curve = plain_curve({.bandwidth = 100_GBps, .shared = true});
  // (2 / 4)^2 of the rate: 750 MB at 25 GB/s = 30'000 us.
  CHECK_THAT(curve.time(CollectiveOp::AllGather, 4, 1_GB) / 1.0_us, WithinRel(30'008.6, 1e-4));
}

TEST_CASE("scale_up_link: Hopper's switches reduce, PCIe is shared", "[operators]") {
  catalog::Gpu gpu = test::toy_gpu();
  gpu.architecture = "Hopper";
  CHECK(scale_up_link(gpu).reduces);
  CHECK_FALSE(scale_up_link(gpu).shared);
  gpu.architecture = "Blackwell";
  CHECK_FALSE(scale_up_link(gpu).reduces);
  gpu.scale_up = catalog::ScaleUpKind::Pcie;
  CHECK(scale_up_link(gpu).shared);
}

TEST_CASE("NcclCurve: more bytes never take less, and never less than the link",
          "[operators][property]") {
  CHECK(rc::check([] {
    const NcclCurve curve({.bandwidth = 100_GBps,
                           .reduces = *rc::gen::arbitrary<bool>(),
                           .shared = *rc::gen::arbitrary<bool>()},
                          drawn(NcclCurve::coefficients()));
    const auto op = *rc::gen::element(CollectiveOp::AllReduce, CollectiveOp::AllGather,
                                      CollectiveOp::ReduceScatter, CollectiveOp::AllToAll);
    const std::int64_t n = *rc::gen::inRange(2, 600);
    const auto bytes = static_cast<double>(*rc::gen::inRange<std::int64_t>(0, 1LL << 40));
    const auto more = bytes * 1.3 + 1.0;
    const RampedTime t = curve.at(op, n);
    RC_ASSERT(t.time(bytes * kByte) <= t.time(more * kByte));
    RC_ASSERT(std::isfinite(t.time(1e15 * kByte) / kSecond));
    // No algorithm moves less than (n-1)/n of the bytes over a link.
    const double share = static_cast<double>(n - 1) / static_cast<double>(n);
    RC_ASSERT(t.time(bytes * kByte) >= bytes * share * kByte / 100_GBps);
  }));
}

EngineAllReduceCurve engine_curve(std::string_view engine, double limit) {
  return EngineAllReduceCurve(
      {.bandwidth = 100_GBps}, engine,
      with(EngineAllReduceCurve::coefficients(), {{"base_us", 4.0},
                                                  {"rank_share", 0.05},
                                                  {"second_shot_us", 6.0},
                                                  {"one_shot_efficiency", 0.5},
                                                  {"two_shot_efficiency", 0.5},
                                                  {"limit_bytes", limit},
                                                  {"library_base_us", 30.0}}));
}

TEST_CASE("EngineAllReduceCurve: one shot, two shots, then the library", "[operators][oracle]") {
  const EngineAllReduceCurve curve = engine_curve("sglang", 1e8);
  // Eight ranks: 4 us * (1 + 6 * 0.05) = 5.2 us alone; 10 kB from seven others at 50 GB/s: 1.4 us.
  CHECK_THAT(curve.time(8, 10_kB) / 1.0_us, WithinRel(6.6, 1e-3));
  // 10 MB: one shot 1405 us; two shots (4 + 6) * 1.3 = 13 us and 1.75 * 10 MB / 50 GB/s = 350 us.
  CHECK_THAT(curve.time(8, 10_MB) / 1.0_us, WithinRel(363.0, 1e-3));
  // Ten times over the limit the library's ring decides: more than 1.75 GB at 88 % of 100 GB/s.
  CHECK(curve.time(8, 1_GB) > 19'000_us);
}

TEST_CASE("EngineAllReduceCurve: TensorRT-LLM leaves to the library sooner with more ranks",
          "[operators]") {
  // 300 kB over 8 ranks: below the limit of 1 MB, above 1 MB * (2/8)^1.7 = 95 kB. The library
  // starts with 39 us there, the kernel with 5.2 us.
  CHECK(engine_curve("sglang", 1e6).time(8, 300_kB) < 30_us);
  CHECK(engine_curve("trtllm", 1e6).time(8, 300_kB) > 39_us);
  CHECK(engine_curve("sglang", 1e6).time(2, 300_kB) == engine_curve("trtllm", 1e6).time(2, 300_kB));
}

TEST_CASE("EngineAllReduceCurve: more bytes never take less, and never less than the link",
          "[operators][property]") {
  CHECK(rc::check([] {
    const EngineAllReduceCurve curve({.bandwidth = 100_GBps, .reduces = false},
                                     *rc::gen::element("trtllm", "sglang"),
                                     drawn(EngineAllReduceCurve::coefficients()));
    const std::int64_t n = *rc::gen::inRange(2, 80);
    const auto bytes = static_cast<double>(*rc::gen::inRange<std::int64_t>(0, 1LL << 38));
    const EngineAllReduceTime t = curve.at(n);
    RC_ASSERT(t.time(bytes * kByte) <= t.time((bytes * 1.1 + 1.0) * kByte) * (1.0 + 1e-12));
    RC_ASSERT(std::isfinite(t.time(1e15 * kByte) / kSecond));
    const double wire = 2.0 * static_cast<double>(n - 1) / static_cast<double>(n);
    RC_ASSERT(t.time(bytes * kByte) >= bytes * wire * kByte / 100_GBps);
  }));
}

CollectiveCurves toy_curves(const topology::Cluster& cluster) {
  return {.library = plain_curve(scale_up_link(cluster)),
          .engine = EngineAllReduceCurve(scale_up_link(cluster), "sglang",
                                         starts(EngineAllReduceCurve::coefficients()))};
}

TEST_CASE("collectives: a curve stands for what stays in a domain", "[operators][oracle]") {
  const topology::Cluster cluster = toy_cluster(2, 4);
  const Topology t(cluster);
  const CollectiveCurves curves = toy_curves(cluster);
  const std::vector<GpuId> node{GpuId{0}, GpuId{1}, GpuId{2}, GpuId{3}};
  const CollectiveCost inside = all_gather(t, node, curves);
  CHECK(inside.algorithm == "measured");
  CHECK(inside.time(1_GB) == curves.library->time(CollectiveOp::AllGather, 4, 1_GB));
  CHECK(direct_all_reduce(t, node, curves).time(1_MB) == curves.engine->time(4, 1_MB));
  // Both nodes: reduce-scatter and all-gather inside by the curve, and a quarter over each NIC:
  // 2 * 1/2 * 250 MB / 10 GB/s = 25'000 us and 2 steps of 4.5 us.
  const std::vector<GpuId> all{GpuId{0}, GpuId{1}, GpuId{2}, GpuId{3},
                               GpuId{4}, GpuId{5}, GpuId{6}, GpuId{7}};
  const Seconds both = curves.library->time(CollectiveOp::ReduceScatter, 4, 1_GB) +
                       curves.library->time(CollectiveOp::AllGather, 4, 1_GB);
  CHECK_THAT(all_reduce(t, all, curves).time(1_GB) / 1.0_us,
             WithinRel(both / 1.0_us + 25'009.0, 1e-12));
}

TEST_CASE("collectives: pair links keep the plain form", "[operators]") {
  topology::Cluster cluster = toy_cluster(1, 8);
  cluster.gpu.scale_up = catalog::ScaleUpKind::XgmiMesh;
  cluster.gpu.scale_up_pair_bandwidth = 10_GBps;
  const Topology t(cluster);
  const std::vector<GpuId> group{GpuId{0}, GpuId{1}, GpuId{2}};
  CHECK(all_reduce(t, group, toy_curves(cluster)).algorithm == "direct");
  CHECK(direct_all_reduce(t, group, toy_curves(cluster)).algorithm == "direct");
}

TEST_CASE("all_reduce: a tree spares steps between many nodes", "[operators][oracle]") {
  const topology::Cluster cluster = toy_cluster(16, 1);
  const Topology t(cluster);
  std::vector<GpuId> group;
  for (std::int64_t g = 0; g < 16; ++g) group.emplace_back(g);
  const CollectiveCost c = all_reduce(t, group);
  // Ring: 30 steps of 4.5 us. Tree: four levels up and four down, 36 us; 1 kB twice over 10 GB/s.
  CHECK_THAT(c.time(1_kB) / 1.0_us, WithinRel(36.2, 1e-12));
  // Large messages ride the ring: 135 us and 2 * 15/16 of 1 GB at 10 GB/s.
  CHECK_THAT(c.time(1_GB) / 1.0_us, WithinRel(187'635.0, 1e-12));
}

TEST_CASE("broadcast: weights are handed on along a chain", "[operators][oracle]") {
  const Topology t(toy_cluster(3, 1));
  const std::vector<GpuId> group{GpuId{0}, GpuId{1}, GpuId{2}};
  // Two steps of 4.5 us; every link carries 1 GB once at 10 GB/s.
  CHECK_THAT(broadcast(t, group).time(1_GB) / 1.0_us, WithinRel(100'009.0, 1e-12));
  CHECK(broadcast(t, std::vector<GpuId>{GpuId{1}}).time(1_GB) == Seconds{});
}

TEST_CASE("paired_transfer: a cache moves over all NICs at once", "[operators][oracle]") {
  const Topology t(toy_cluster(2, 4));
  const std::vector<GpuId> from{GpuId{0}, GpuId{1}, GpuId{2}, GpuId{3}};
  const std::vector<GpuId> to{GpuId{4}, GpuId{5}, GpuId{6}, GpuId{7}};
  // A quarter of 1 GB over each NIC of 10 GB/s, and 4.5 us.
  CHECK_THAT(paired_transfer(t, from, to).time(1_GB) / 1.0_us, WithinRel(25'004.5, 1e-12));
}

}  // namespace
}  // namespace moesim::operators
