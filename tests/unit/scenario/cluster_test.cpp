// Clusters of scenarios: presets, degraded links, wirings, and what is refused.
#include <algorithm>
#include <string>
#include <vector>

#include "scenario/cluster_reader.h"
#include "tests/support/catch.h"
#include "tests/unit/scenario/reading.h"
#include "topology/topology.h"

namespace moesim::scenario {
namespace {

using test::contains_text;
using test::kSmall;
using test::mistakes;
using test::read;

const std::vector<std::string> kRails = {"cluster.nodes=2", "cluster.scale_out=RAIL"};

std::string with_degraded(const std::string& entry) {
  std::vector<std::string> overrides = kRails;
  overrides.push_back("cluster.degraded[0]={" + entry + "}");
  return mistakes(kSmall, overrides);
}

TEST_CASE("cluster presets: every one can be wired and names its source") {
  const std::vector<NamedCluster> clusters = list_clusters(test::shipped_catalog());
  CHECK(clusters.size() >= 15);
  for (const NamedCluster& c : clusters) {
    INFO(c.name);
    CHECK_FALSE(c.source.empty());
    CHECK_FALSE(c.description.empty());
    const topology::Topology t(c.cluster);
    CHECK(t.cluster().gpus() == c.cluster.gpus());
    CHECK(read_preset(c.name, {}, test::shipped_catalog()).cluster.name == c.cluster.name);
  }
}

TEST_CASE("cluster presets: fields given hold over those of the preset") {
  const topology::Cluster c =
      read(kSmall, {"cluster={preset: \"hgx-h100\" nodes: 16 nic_figures { efficiency: 0.5 }}"})
          .deployment.cluster;
  CHECK(c.gpu.name == "H100-SXM");
  CHECK(c.nodes == 16);
  CHECK(c.nic.name == "IB-NDR");
  CHECK_THAT(c.nic.efficiency, test::WithinRel(0.5, 1e-12));
  CHECK(c.scale_out == topology::ScaleOut::Rail);
  // A preset may start from another: H200 on the rails of the H100.
  const topology::Cluster h200 =
      read(kSmall, {"cluster={preset: \"DGX-H200\"}"}).deployment.cluster;
  CHECK(h200.gpu.name == "H200-SXM");
  CHECK(h200.leaf_ports == 32);
}

TEST_CASE("cluster presets: the resolved scenario holds the fields and no preset") {
  const Scenario s = read(kSmall, {"cluster={preset: \"rail-only-h100\" nodes: 3}"});
  CHECK(s.resolved_text.find("preset: \"rail") == std::string::npos);
  const Scenario again = read(s.resolved_text);
  CHECK(again.deployment.cluster.scale_out == topology::ScaleOut::RailOnly);
  CHECK(again.deployment.cluster.nodes == 3);
  CHECK(again.resolved_text == s.resolved_text);
}

TEST_CASE("cluster presets: an unknown one suggests the nearest") {
  CHECK_THAT(mistakes(kSmall, {"cluster={preset: \"hgx-h10\"}"}),
             contains_text("cluster.preset: is no cluster of the catalog, got \"hgx-h10\"; did "
                           "you mean \"hgx-h100\"?"));
  CHECK_THROWS_AS(read_preset("nothing-like-it", {}, test::shipped_catalog()), InputError);
}

TEST_CASE("cluster: degraded links reach the topology and the notes") {
  std::vector<std::string> overrides = kRails;
  overrides.emplace_back("cluster.degraded[0]={link: \"node0/nic2\" share: 0.5}");
  overrides.emplace_back("cluster.degraded[1]={link: \"node1/nic3\" down: true}");
  const Scenario s = read(kSmall, overrides);
  REQUIRE(s.deployment.cluster.degraded.size() == 2);
  CHECK(s.deployment.cluster.degraded[1].share <= 0.0);
  for (const char* note : {"node0/nic2 runs at 0.5 of its rate", "node1/nic3 is down"}) {
    CHECK(std::count(s.notes.begin(), s.notes.end(), note) == 1);
  }
  CHECK(read(s.resolved_text).resolved_text == s.resolved_text);
}

TEST_CASE("cluster: wrong degraded links are refused with their field") {
  CHECK_THAT(with_degraded("link: \"node0/nic2\" share: 0"),
             contains_text("cluster.degraded[0].share: must be at least 0.001"));
  CHECK_THAT(with_degraded("link: \"node0/nic2\" share: -1"), contains_text("at least 0.001"));
  CHECK_THAT(with_degraded("link: \"node0/nic2\" share: nan"), contains_text("a finite number"));
  CHECK_THAT(with_degraded("link: \"node0/nic2\" down: false"), contains_text("down: is false"));
  CHECK_THAT(with_degraded("link: \"node0/nic2\""), contains_text("neither which share"));
  CHECK_THAT(with_degraded("down: true"), contains_text("degraded[0].link: is missing"));
  CHECK_THAT(with_degraded("link: \"node2/nic0\" down: true"),
             contains_text("there is no \"node2/nic0\" in this cluster"));
  CHECK_THAT(with_degraded("link: \"node0/gpu0 - node0/gpu0\" down: true"),
             contains_text("joins node0/gpu0 with itself"));
  CHECK_THAT(with_degraded("link: \"node1/gpu3\" down: true"),
             contains_text("node1/gpu3 cannot be reached"));
}

TEST_CASE("cluster: rails without spines stay below one leaf") {
  CHECK_THAT(mistakes(kSmall, {"cluster.nodes=33", "cluster.scale_out=RAIL_ONLY"}),
             contains_text("cluster.scale_out: node32/gpu0 cannot be reached from node0/gpu0"));
  CHECK(mistakes(kSmall, {"cluster.nodes=32", "cluster.scale_out=RAIL_ONLY"}) == "");
  CHECK_THAT(mistakes(kSmall, {"cluster.nodes=4", "cluster.scale_out=RAIL_ONLY",
                               "cluster.spine_switches=4"}),
             contains_text("cluster.spine_switches: RAIL_ONLY has no spines"));
}

TEST_CASE("cluster: spines are counted") {
  CHECK(read(kSmall, {"cluster.nodes=4", "cluster.spine_switches=4"})
            .deployment.cluster.spine_switches == 4);
  CHECK_THAT(mistakes(kSmall, {"cluster.spine_switches=0"}), contains_text("must be 1..1024"));
  CHECK_THAT(mistakes(kSmall, {"cluster.nodes=2048", "cluster.leaf_ports=1",
                               "cluster.spine_switches=1024"}),
             contains_text("trunks, at most 262144"));
}

TEST_CASE("cluster: wrong names are told beside other mistakes of degraded links") {
  std::vector<std::string> overrides = kRails;
  overrides.emplace_back("cluster.degraded[0]={link: \"node0/nic2\"}");
  overrides.emplace_back("cluster.degraded[1]={link: \"node7/nic2\" down: true}");
  const std::string found = mistakes(kSmall, overrides);
  CHECK_THAT(found, contains_text("cluster.degraded[0]: says neither"));
  CHECK_THAT(found, contains_text("cluster.degraded[1].link: there is no \"node7/nic2\""));
}

TEST_CASE("cluster: arithmetic that a GPU lacks is refused or said to be widened") {
  const std::string bare =
      "cluster.inline_gpu={name: \"bare\" memory: \"80 GiB\" memory_bandwidth: \"2 TB/s\" bf16: "
      "\"300 TFLOP/s\" scale_up: NV_SWITCH scale_up_name: \"NVLink3\" scale_up_bandwidth: "
      "\"300 GB/s\" scale_up_domain: 8 pcie_bandwidth: \"31 GB/s\" source: \"made up\"}";
  CHECK(mistakes(kSmall, {bare}) == "");
  for (const std::string format : {"int8", "fp32"}) {
    const std::string precision = format == "int8" ? "int8_w8a8" : "fp32";
    CHECK_THAT(mistakes(kSmall, {bare, "deployment.precision=" + precision}),
               contains_text("deployment.precision: " + precision + " multiplies in " + format +
                             ", of which bare has no rate; use another precision, or give " +
                             format + " in inline_gpu"));
  }
  CHECK(mistakes(kSmall, {"deployment.precision=int8_w8a8"}) == "");
  const auto notes = [](const std::vector<std::string>& overrides, const std::string& wanted) {
    const Scenario s = read(kSmall, overrides);
    return std::count(s.notes.begin(), s.notes.end(), wanted);
  };
  CHECK(notes({"deployment.precision=nvfp4"},
              "H100-SXM has no fp4 arithmetic: weights in nvfp4 are multiplied in fp8") == 1);
  CHECK(notes({"deployment.precision=fp8_block128", "cluster.gpu=A100"},
              "A100-80GB-SXM has no fp8 arithmetic: weights in fp8_block128 are multiplied in "
              "bf16") == 1);
}

}  // namespace
}  // namespace moesim::scenario
