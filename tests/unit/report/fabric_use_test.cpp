#include "report/fabric_use.h"

#include <string>
#include <vector>

#include "report/fabric_report.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::report {
namespace {
using namespace moesim::literals;
using moesim::test::contains_text;
using moesim::test::toy_cluster;
using serving::LinkUse;

const FabricSubject kToy{.name = "toy", .description = "", .source = "", .notes = {}};

/// Two seconds; 10 GB on every link of GPU 0's way to GPU 2: half of the NIC's 10 GB/s.
serving::RunResult one_way(const topology::Topology& t) {
  std::vector<LinkUse> links(t.links().size());
  for (const LinkId id : t.path(GpuId{0}, GpuId{2})) {
    const double use = 10_GB / t.links()[id.index()].bandwidth / 2_s;
    links[id.index()] = {.carried = 10_GB, .utilisation = use, .exchanging = 1.5 * use};
  }
  serving::RunResult run;
  run.fabric = serving::fabric_use(t, links, 2_s);
  return run;
}

double& limit_of(serving::RunResult& run, serving::Limit limit) {
  return run.time.limits[0][static_cast<std::size_t>(limit)];
}

TEST_CASE("Fabric use: tables by kind and by link", "[report]") {
  const topology::Topology t(toy_cluster(2, 2));
  const std::string page = fabric_use_text(one_way(t).fabric);
  CHECK_THAT(page,
             contains_text("NIC to leaf                     4        1           10     12.5 %"
                           "       50 %         75 %\n"));
  CHECK_THAT(page, contains_text("GPU to switch                   4        0            0"));
  CHECK_THAT(page, contains_text("\nnode0/nic0 -> rail0/leaf0          "));
}

TEST_CASE("Fabric use: names the link, or what holds the run back instead", "[report]") {
  const topology::Topology t(toy_cluster(2, 2));
  serving::RunResult run = one_way(t);
  limit_of(run, serving::Limit::ScaleUp) = 0.1;
  limit_of(run, serving::Limit::ScaleOut) = 0.3;
  limit_of(run, serving::Limit::Memory) = 0.35;
  const std::string named =
      "node0/nic0 -> rail0/leaf0 (NIC to leaf), used to 75 % of 10 GB/s while exchanging and to 50 "
      "% over the run";
  CHECK(bottleneck_text(run.fabric, run.time) ==
        named + "; links limit 40 % of the time, more than anything else");
  limit_of(run, serving::Limit::Memory) = 0.5;
  CHECK(bottleneck_text(run.fabric, run.time) ==
        "not links, which limit 40 % of the time, but memory bandwidth with 50 %; the busiest is " +
            named);
}

TEST_CASE("Fabric use: JSON has the same figures", "[report]") {
  const topology::Topology t(toy_cluster(2, 2));
  const serving::RunResult run = one_way(t);
  const std::string json = fabric_json(kToy, t, &run);
  for (const char* part :
       {"\"duration_s\": 2", "\"kind\": \"NIC to leaf\"", "\"most_utilisation\": 0.5",
        "\"mean_utilisation\": 0.125", "\"most_while_exchanging\": 0.75",
        "\"busiest\": \"node0/nic0 -\\u003e rail0/leaf0\"", "\"bottleneck\": \""}) {
    CHECK_THAT(json, contains_text(part));
  }
  CHECK(fabric_json(kToy, t).find("duration_s") == std::string::npos);
}

TEST_CASE("Fabric use: a run without traffic has no bottleneck", "[report]") {
  const topology::Topology t(toy_cluster(2, 2));
  serving::RunResult run;
  run.fabric = serving::fabric_use(t, std::vector<LinkUse>(t.links().size()), 1_s);
  limit_of(run, serving::Limit::Compute) = 0.9;
  CHECK(fabric_use_text(run.fabric) == "No byte moved between GPUs.\n");
  CHECK(bottleneck_text(run.fabric, run.time) ==
        "no link: nothing moved between GPUs; 90 % of the time is bound by arithmetic");
}

}  // namespace
}  // namespace moesim::report
