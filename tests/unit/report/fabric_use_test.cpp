#include "report/fabric_use.h"

#include <string>
#include <vector>

#include "report/fabric_report.h"
#include "report/text_layout.h"
#include "tests/support/aborts.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::report {
namespace {
using namespace moesim::literals;
using moesim::test::contains_text;
using moesim::test::toy_cluster;
using moesim::test::WithinRel;

const FabricSubject kToy{.name = "toy", .description = "", .source = "", .notes = {}};

/// Every link of GPU 0's way to GPU 2 carries `bytes`.
std::vector<net::LinkUse> one_way(const topology::Topology& t, Bytes bytes) {
  std::vector<net::LinkUse> use(t.links().size());
  for (const LinkId id : t.path(GpuId{0}, GpuId{2})) use[id.index()].carried = bytes;
  return use;
}

TEST_CASE("Fabric use: shares are bytes over rate and duration", "[report][oracle]") {
  const topology::Topology t(toy_cluster(2, 2));
  // 10 GB in 2 s: over the NIC's 10 GB/s half of the run, over PCIe's 50 GB/s a tenth.
  const FabricUse use = fabric_use(t, one_way(t, 10_GB), 2_s);
  std::string kinds;
  for (const KindUse& kind : use.kinds) kinds += kind.name + ", ";
  CHECK(kinds ==
        "GPU to switch, GPU to NIC, NIC to leaf, leaf to spine, spine to leaf, leaf to NIC, "
        "NIC to GPU or host, switch or host to GPU, ");
  const KindUse& port = use.kinds[2];
  CHECK(port.links == 4);
  CHECK(port.used == 1);
  CHECK_THAT(port.carried / 1.0_GB, WithinRel(10.0, 1e-12));
  CHECK_THAT(port.most, WithinRel(0.5, 1e-12));
  CHECK_THAT(port.mean, WithinRel(0.125, 1e-12));
  CHECK_THAT(use.kinds[1].most, WithinRel(0.1, 1e-12));
  REQUIRE(use.busiest.size() == 4);
  // Both ports are used alike: the first by number, out of the NIC.
  CHECK(use.bottleneck->link == t.path(GpuId{0}, GpuId{2})[1]);
}

TEST_CASE("Fabric use: the link that held flows back longest is the bottleneck", "[report]") {
  const topology::Topology t(toy_cluster(2, 2));
  std::vector<net::LinkUse> links = one_way(t, 10_GB);
  const LinkId slot = t.path(GpuId{0}, GpuId{2})[0];
  links[slot.index()].bottleneck = 1_s;
  const FabricUse use = fabric_use(t, links, 4_s);
  REQUIRE(use.bottleneck.has_value());
  CHECK(use.bottleneck->link == slot);
  CHECK_THAT(use.bottleneck->bottleneck, WithinRel(0.25, 1e-12));
  const std::string page = fabric_use_text(t, use);
  CHECK_THAT(page, contains_text("bottleneck  node0/gpu0 -> node0/nic0, GPU to NIC: it held flows "
                                 "back for 25 % of 4 s and was"));
  CHECK_THAT(page, contains_text("NIC to leaf"));
}

TEST_CASE("Fabric use: JSON has the same figures", "[report]") {
  const topology::Topology t(toy_cluster(2, 2));
  const FabricUse use = fabric_use(t, one_way(t, 10_GB), 2_s);
  const std::string json = fabric_json(kToy, t, &use);
  for (const char* part : {"\"duration_s\": 2", "\"kind\": \"NIC to leaf\"",
                           "\"most_utilisation\": 0.5", "\"mean_utilisation\": 0.125"}) {
    CHECK_THAT(json, contains_text(part));
  }
  CHECK(fabric_json(kToy, t).find("duration_s") == std::string::npos);
}

TEST_CASE("Fabric use: a run without traffic has no bottleneck", "[report]") {
  const topology::Topology t(toy_cluster(2, 2));
  const FabricUse use = fabric_use(t, std::vector<net::LinkUse>(t.links().size()), 1_s);
  CHECK_FALSE(use.bottleneck.has_value());
  CHECK(fabric_use_text(t, use) == "No byte moved between GPUs.\n");
  CHECK(test::aborts([&] { static_cast<void>(fabric_use(t, {}, 1_s)); }));
}

}  // namespace
}  // namespace moesim::report
