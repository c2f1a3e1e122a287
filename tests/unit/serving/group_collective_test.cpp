#include "serving/group_collective.h"

#include <memory>
#include <string>
#include <vector>

#include "operators/engine_all_reduce_curve.h"
#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {
using namespace moesim::literals;
using moesim::test::WithinRel;

/// Eight GPUs of one node, all peers together 70 GB/s, one pair 10 GB/s, with the engine's curve.
Deployment eight_gpus(catalog::ScaleUpKind kind) {
  Deployment d = test::toy_deployment(test::toy_dense_model(), {.tp = 2});
  d.engine.kernels = "toy";
  d.cluster = test::toy_cluster(1, 8);
  catalog::Gpu& gpu = d.cluster.gpu;
  gpu.scale_up = kind;
  gpu.scale_up_bandwidth = 70_GBps;
  gpu.scale_up_pair_bandwidth = kind == catalog::ScaleUpKind::XgmiMesh ? 10_GBps : 70_GBps;
  d.cluster.scale_up.bandwidth = 70_GBps;
  catalog::Curve curve;
  curve.key = {.operation = "engine_all_reduce", .gpu = gpu.name, .engine = "toy"};
  for (const auto& spec : operators::EngineAllReduceCurve::coefficients()) {
    curve.coefficients.push_back({std::string(spec.name), spec.start});
  }
  d.curves = std::make_shared<const catalog::CurveSet>(std::vector<catalog::Curve>{curve},
                                                       std::vector<catalog::Gpu>{gpu});
  return d;
}

struct Priced {
  Seconds time;
  std::size_t curves;
};

Priced pair_all_reduce(const Deployment& d, Bytes bytes) {
  Kernels kernels(d);
  const topology::Topology topology(d.cluster);
  const std::vector<GpuId> pair{GpuId(0), GpuId(1)};
  LimitedTime time;
  GroupCollective::all_reduce(d, kernels, topology, pair).add(bytes, time);
  std::size_t curves = 0;
  for (const PricedBy& each : kernels.priced_by()) {
    if (!each.curve.empty()) ++curves;
  }
  return {time.sum(), curves};
}

TEST_CASE("group collective: a pair of a mesh has its own link alone, whatever curves there are",
          "[serving][oracle]") {
  const Deployment d = eight_gpus(catalog::ScaleUpKind::XgmiMesh);
  // Direct: each sends half and gets half, then the sums: B over the pair's 10 GB/s each way.
  // 1 GB more takes 0.1 s more.
  const Priced small = pair_all_reduce(d, Bytes::from_base(1e9));
  const Priced large = pair_all_reduce(d, Bytes::from_base(2e9));
  CHECK(small.curves == 0);
  CHECK_THAT((large.time - small.time) / 1.0_s, WithinRel(0.1, 1e-9));
}

TEST_CASE("group collective: behind a switch the engine's curve prices it", "[serving]") {
  const Deployment d = eight_gpus(catalog::ScaleUpKind::NvSwitch);
  CHECK(pair_all_reduce(d, Bytes::from_base(1e6)).curves == 1);
}

}  // namespace
}  // namespace moesim::serving
