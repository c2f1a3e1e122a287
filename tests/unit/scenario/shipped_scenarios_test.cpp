#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "reading.h"
#include "scenario/placement_reader.h"
#include "scenario/sweep_reader.h"
#include "tests/support/catch.h"

namespace moesim::scenario {
namespace {

namespace fs = std::filesystem;

const fs::path kScenarios = fs::path(MOESIM_SOURCE_DIR) / "scenarios";

/// Files of one kind: "sweep_", "place_", or "" for all others.
std::vector<std::string> shipped(const std::string& kind) {
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(kScenarios)) {
    if (entry.path().extension() != ".txtpb") continue;
    const std::string name = entry.path().filename().string();
    const bool other = !name.starts_with("sweep_") && !name.starts_with("place_");
    if (kind.empty() ? other : name.starts_with(kind)) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

TEST_CASE("shipped scenarios: each reads, says what it shows, and resolves to itself") {
  const std::vector<std::string> paths = shipped("");
  CHECK(paths.size() >= 10);
  for (const std::string& path : paths) {
    INFO(path);
    const Scenario s = read_scenario_file(path, {}, test::shipped_catalog());
    CHECK_FALSE(s.description.empty());
    CHECK(test::read(s.resolved_text).resolved_text == s.resolved_text);
    std::ifstream file(path);
    std::string first;
    std::getline(file, first);
    CHECK(first.starts_with("# "));
  }
}

TEST_CASE("shipped scenarios: the pair for compare has the same demand and cluster") {
  const Scenario dense = read_scenario_file((kScenarios / "dense_vs_moe_llama_405b.txtpb").string(),
                                            {}, test::shipped_catalog());
  const Scenario moe = read_scenario_file((kScenarios / "dense_vs_moe_deepseek_v3.txtpb").string(),
                                          {}, test::shipped_catalog());
  CHECK(dense.workload.trace->requests == moe.workload.trace->requests);
  CHECK(dense.deployment.cluster.gpus() == moe.deployment.cluster.gpus());
  CHECK(dense.deployment.layout.gpus() == moe.deployment.layout.gpus());
  CHECK(dense.slo.ttft == moe.slo.ttft);
  CHECK(dense.pricing.per_gpu == moe.pricing.per_gpu);
}

TEST_CASE("shipped scenarios: the flagship is EP32 with 256 experts on 32 H200") {
  const Scenario s = read_scenario_file((kScenarios / "deepseek_v3_h200_ep32.txtpb").string(), {},
                                        test::shipped_catalog());
  CHECK(s.deployment.layout == plan::Layout{.tp = 1, .pp = 1, .dp = 32, .ep = 32});
  CHECK(s.deployment.cluster.gpus() == 32);
  // 58 MoE layers of 256 experts.
  CHECK(s.deployment.experts.popularity.share.size() == 58 * 256);
  CHECK(s.deployment.cluster.scale_out == topology::ScaleOut::Rail);
}

TEST_CASE("shipped scenarios: each placement file reads into a problem that verifies", "[slow]") {
  const std::vector<std::string> paths = shipped("place_");
  REQUIRE(paths.size() == 1);
  const PlacementTask task = read_placement_file(paths[0], {}, "", test::shipped_catalog());
  CHECK(placement::verify(task.problem).empty());
  CHECK(task.problem.shape.ranks == 32);
  CHECK(task.problem.shape.slots() == 288);
  // 61 layers, the first three dense.
  CHECK(task.layers.hidden_layers == 61);
  CHECK(task.layers.moe_layer_ids.front() == 3);
  CHECK(task.problem.workloads.front().tokens.rows() == 58);
  CHECK(task.later.size() == 1);
  CHECK(task.later.front().tokens.expert != task.problem.workloads.front().tokens.expert);
}

TEST_CASE("shipped scenarios: the sweep starts from the MoE half of the pair") {
  const std::vector<std::string> paths = shipped("sweep_");
  REQUIRE(paths.size() == 1);
  const Sweep sweep = read_sweep_file(paths[0], {}, test::shipped_catalog());
  CHECK(sweep.base.deployment.model.name == "DeepSeek-V3");
  CHECK(sweep.tp.empty());
  CHECK(sweep.replicas == std::vector<std::int64_t>{1, 2});
  CHECK(sweep.max_requests == 600);
  CHECK(sweep.slo.ttft == SimTime::from(2_s));
  // What a candidate is made from.
  const Scenario candidate =
      read_scenario_text(sweep.base_text, sweep.base_origin, {"deployment.tp=8", "deployment.dp=2"},
                         test::shipped_catalog());
  CHECK(candidate.deployment.layout.tp == 8);
}

}  // namespace
}  // namespace moesim::scenario
