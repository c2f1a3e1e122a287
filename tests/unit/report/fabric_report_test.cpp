#include "report/fabric_report.h"

#include <algorithm>
#include <sstream>
#include <string>

#include "report/text_layout.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::report {
namespace {
using namespace moesim::literals;
using moesim::test::contains_text;
using moesim::test::toy_cluster;
using topology::Topology;

const FabricSubject kToy{.name = "toy", .description = "a toy", .source = "made up", .notes = {}};

std::size_t occurrences(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

TEST_CASE("Fabric text: a node and its network are drawn with their figures", "[report]") {
  const std::string page = fabric_text(kToy, Topology(toy_cluster(4, 2)));
  for (const char* part : {"domain0: NVSwitch", "gpu0    gpu1", "nic0    nic1", "rail0/leaf0",
                           "nodes 0-3", "8 toy in 4 nodes of 2", "oversubscription 1:1",
                           // Four GPUs on each side, each with a NIC of 10 GB/s.
                           "40 GB/s each way between 4 GPUs and the rest: 10 GB/s per GPU",
                           "node0/gpu0 to node1/gpu1: 6.5 us, 6 hops"}) {
    CHECK_THAT(page, contains_text(part));
  }
}

TEST_CASE("Fabric text: no line is wider than a page", "[report]") {
  for (const std::int64_t gpus : {1, 2, 4, 8, 16, 72}) {
    for (const std::int64_t nodes : {1, 2, 40}) {
      for (const auto kind : {catalog::ScaleUpKind::NvSwitch, catalog::ScaleUpKind::XgmiMesh,
                              catalog::ScaleUpKind::Pcie, catalog::ScaleUpKind::NvLinkBridge}) {
        topology::Cluster c = toy_cluster(nodes, gpus);
        c.gpu.scale_up = kind;
        c.gpu.scale_up_domain = 4;
        c.nics_per_node = gpus == 8 ? 3 : gpus;
        c.leaf_ports = 8;
        if (nodes == 1) c.scale_out = topology::ScaleOut::None;
        std::istringstream page(fabric_text(kToy, Topology(c)));
        for (std::string line; std::getline(page, line);) CHECK(text_width(line) <= kPageWidth);
      }
    }
  }
}

TEST_CASE("Fabric text: degraded links are listed", "[report]") {
  topology::Cluster c = toy_cluster(2, 2);
  c.degraded = {{.link = "node0/nic1", .share = 0.5}, {.link = "node1/nic0", .share = 0.0}};
  const std::string page = fabric_text(kToy, Topology(c));
  CHECK_THAT(page, contains_text("node0/nic1 at 0.5 of its rate"));
  CHECK_THAT(page, contains_text("node1/nic0 is down"));
  CHECK_THAT(page, contains_text("2 of 28 directed links are down"));
}

TEST_CASE("Fabric dot: equal nodes become one box unless all are asked for", "[report][oracle]") {
  const Topology t(toy_cluster(4, 2));
  const std::string folded = fabric_dot(kToy, t, DotDetail::Collapsed);
  CHECK_THAT(folded, contains_text("graph fabric {"));
  CHECK_THAT(folded, contains_text("3 more nodes\\n6 GPUs"));
  // Two leaves to the rest, three ports of 10 GB/s each.
  CHECK(occurrences(folded, "3 links, 30 GB/s") == 2);
  const std::string full = fabric_dot(kToy, t, DotDetail::Full);
  CHECK(occurrences(full, "subgraph") == 4);
  // 8 to the switch, 8 to the NIC, 8 ports, 2 uplinks.
  CHECK(occurrences(full, " -- ") == 26);
}

TEST_CASE("Fabric dot: a link that is down is dashed, its node drawn", "[report]") {
  topology::Cluster c = toy_cluster(4, 2);
  c.degraded = {{.link = "node3/nic1", .share = 0.0}};
  const std::string page = fabric_dot(kToy, Topology(c), DotDetail::Collapsed);
  CHECK_THAT(page, contains_text("\"rail1/leaf0\" -- \"node3/nic1\" [color=red, style=dashed"));
}

TEST_CASE("Fabric json: rates carry their unit in the key", "[report]") {
  const std::string json = fabric_json(kToy, Topology(toy_cluster(4, 2)));
  for (const char* part : {"\"wiring\": \"rail\"", "\"gpus\": 8", "\"scale_up_gb_per_s\": 100",
                           "\"bisection_gb_per_s\": 40", "\"hops\": 6", "\"latency_us\": 6.5",
                           "\"oversubscription\": 1"}) {
    CHECK_THAT(json, contains_text(part));
  }
}

}  // namespace
}  // namespace moesim::report
