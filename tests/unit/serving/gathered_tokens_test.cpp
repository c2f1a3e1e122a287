#include "serving/gathered_tokens.h"

#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using moesim::test::WithinRel;
using namespace moesim::literals;

TEST_CASE("gathered tokens: every token to every rank, whatever it picks", "[serving][oracle]") {
  Deployment d = test::toy_deployment(test::toy_moe_model(), {.tp = 1, .dp = 4, .ep = 4});
  d.cluster = test::toy_cluster(1, 4);
  d.cluster.gpu.scale_up = catalog::ScaleUpKind::NvSwitch;
  d.cluster.gpu.scale_up_bandwidth = 100_GBps;
  d.cluster.scale_up.bandwidth = 100_GBps;
  d.cluster.scale_up.latency = 0_us;
  Kernels kernels(d);
  const topology::Topology topology(d.cluster);
  const std::vector<GpuId> group{GpuId(0), GpuId(1), GpuId(2), GpuId(3)};
  const GatheredTokens gathered(d, kernels, topology, group, 1000, 24);
  CHECK(gathered.dispatch_copy() == Bytes::from_base(2048));
  CHECK(gathered.combine_copy() == Bytes::from_base(2000));
  const auto times = [&](std::int64_t tokens) {
    LimitedTime dispatch;
    LimitedTime combine;
    gathered.add(tokens, dispatch, combine);
    return std::pair{dispatch.sum() / 1_us, combine.sum() / 1_us};
  };
  // A million tokens more: 3/4 of 2.048 GB into each rank, at the usable share of 100 GB/s; back
  // 3/4 of 2 GB.
  const double usable = 100e9 * d.cluster.scale_up.efficiency;
  const auto few = times(1'000'000);
  const auto many = times(2'000'000);
  CHECK_THAT(many.first - few.first, WithinRel(1e6 * 0.75 * 2.048e9 / usable, 1e-9));
  CHECK_THAT(many.second - few.second, WithinRel(1e6 * 0.75 * 2.0e9 / usable, 1e-9));
}

TEST_CASE("gathered tokens: all sums to every rank cost twice their share", "[serving][oracle]") {
  Deployment d = test::toy_deployment(test::toy_moe_model(), {.tp = 1, .dp = 4, .ep = 4});
  d.all2all = catalog::All2AllBackend::AllReduce;
  d.cluster = test::toy_cluster(1, 4);
  d.cluster.gpu.scale_up = catalog::ScaleUpKind::NvSwitch;
  d.cluster.gpu.scale_up_bandwidth = 100_GBps;
  d.cluster.scale_up.bandwidth = 100_GBps;
  Kernels kernels(d);
  const topology::Topology topology(d.cluster);
  const std::vector<GpuId> group{GpuId(0), GpuId(1), GpuId(2), GpuId(3)};
  const GatheredTokens gathered(d, kernels, topology, group, 1000, 24);
  CHECK(gathered.dispatch_copy() == Bytes::from_base(2048));
  CHECK(gathered.combine_copy() == Bytes::from_base(4000));
  const auto back = [&](std::int64_t tokens) {
    LimitedTime dispatch;
    LimitedTime combine;
    gathered.add(tokens, dispatch, combine);
    return combine.sum() / 1_us;
  };
  // A million tokens more, 2 GB of sums on each rank: 3/4 scattered and 3/4 gathered.
  const double usable = 100e9 * d.cluster.scale_up.efficiency;
  CHECK_THAT(back(2'000'000) - back(1'000'000), WithinRel(1e6 * 1.5 * 2.0e9 / usable, 1e-9));
}

TEST_CASE("gathered tokens: copies of two nodes of two ranks", "[serving][oracle]") {
  placement::LayerTraffic t;
  t.to_node.assign(8, 9);
  t.scale_up_in.assign(4, 9);
  t.scale_up_out.assign(4, 9);
  t.network_in.assign(4, 9);
  GatheredTokens::count(std::vector<std::int32_t>{0, 0, 1, 1},
                        std::vector<std::int32_t>{1, 2, 3, 4}, t);
  CHECK(t.to_node == std::vector<std::int32_t>{0, 1, 0, 2, 3, 0, 4, 0});
  // Rank 0 holds its 1 and the 3 of rank 2, and hands 4 to rank 1; gets 2 + 4 from it.
  CHECK(t.scale_up_out == std::vector<std::int32_t>{4, 6, 4, 6});
  CHECK(t.scale_up_in == std::vector<std::int32_t>{6, 4, 6, 4});
  CHECK(t.network_in == std::vector<std::int32_t>{0, 0, 0, 0});
  CHECK(t.token_copies_between_nodes == 10);
}

}  // namespace
}  // namespace moesim::serving
