#include "scenario/placement_reader.h"

#include <string>
#include <vector>

#include "core/diagnostics.h"
#include "reading.h"
#include "tests/support/catch.h"

namespace moesim::scenario {
namespace {

using moesim::test::contains_text;

/// 4 MoE layers of top-3 of 16 experts, tokens of layers 0 and 2.
const std::string kRouting = std::string(MOESIM_SOURCE_DIR) + "/tests/golden/place_tiny/routing";

PlacementTask read_task(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return read_placement_text(text, {.file_name = "p.txtpb", .folder = "", .may_open_files = true},
                             overrides, "", test::shipped_catalog());
}

std::string tiny(const std::string& more = "") {
  return "gpus: 8\nnodes: 4\nslots: 24\nworkload { instance: \"" + kRouting + "\" }\n" + more;
}

std::string first_mistake(const std::string& text) {
  try {
    static_cast<void>(read_task(text));
  } catch (const InputError& error) {
    return to_string(error.diagnostics().front());
  }
  return "";
}

TEST_CASE("placement file: an instance becomes a problem with the routing that comes later") {
  const PlacementTask task = read_task(tiny());
  CHECK(task.strategy == "partition");
  CHECK(task.problem.shape.slots_per_rank == 3);
  CHECK(task.problem.shape.domain_of_rank == std::vector<std::int32_t>{0, 0, 1, 1, 2, 2, 3, 3});
  CHECK(task.problem.routing.top_k == 3);
  REQUIRE(task.problem.workloads.size() == 1);
  CHECK(task.problem.workloads[0].tokens.layer == std::vector<std::int32_t>{0, 2});
  REQUIRE(task.later.size() == 1);
  CHECK(task.later[0].load != task.problem.workloads[0].load);
  CHECK_FALSE(task.follows_drift);
}

TEST_CASE("placement file: overrides and options reach the search") {
  const PlacementTask task =
      read_task(tiny("strategy: \"rebalance\"\n"), {"max_moves=0.25", "budget=300 ms", "seed=9"});
  CHECK(task.search.most_moved == 0.25);
  CHECK(task.search.budget == Approx(0.3));
  CHECK(task.search.seed == 9);
  CHECK(task.follows_drift);  // No current placement: from a plan for the first loads.
  CHECK(read_task(tiny("max_imbalance: 1.2\n")).search.max_imbalance == 1.2);
}

TEST_CASE("placement file: several workloads keep their weights") {
  const PlacementTask task = read_task(
      "gpus: 4\nslots: 16\nnodes: 2\nover: WORST\n"
      "workload { name: \"a\" instance: \"" +
      kRouting +
      "\" }\n"
      "workload { name: \"b\" weight: 3 instance: \"" +
      kRouting + "\" }\n");
  REQUIRE(task.problem.workloads.size() == 2);
  CHECK(task.problem.over == placement::Over::Worst);
  CHECK(task.problem.workloads[1].name == "b");
  CHECK(task.problem.workloads[1].weight == 3.0);
  CHECK(task.later.size() == 2);
}

TEST_CASE("placement file: mistakes are named where they stand") {
  CHECK_THAT(first_mistake(tiny("strategy: \"eplbb\"\n")),
             contains_text("p.txtpb:5:") && contains_text("did you mean \"eplb\"?"));
  CHECK_THAT(first_mistake(tiny("slack: 0.1\nmax_imbalance: 1.1\n")),
             contains_text("in place of slack"));
  CHECK_THAT(first_mistake(tiny("prefill: true\n")), contains_text("needs a scenario"));
  CHECK_THAT(first_mistake("gpus: 8\nslots: 20\nworkload { instance: \"" + kRouting + "\" }\n"),
             contains_text("slots: expected a multiple of 8 GPUs"));
  CHECK_THAT(first_mistake("gpus: 8\nslots: 24\nworkload { }\n"),
             contains_text("needs an instance folder or files"));
  CHECK_THAT(first_mistake("gpus: 8\nslots: 24\nworkload { file: \"x.csv\" }\n"),
             contains_text("needs a model"));
  CHECK_THAT(first_mistake("gpus: 8\nslots: 24\n"), contains_text("workload: is missing"));
  CHECK_THAT(first_mistake(tiny("model: \"DeepSek-V3\"\n")), contains_text("did you mean"));
  CHECK_THAT(first_mistake(tiny("current: \"absent.json\"\n")), contains_text("absent.json"));
  CHECK_THAT(first_mistake("scenario: \"absent.txtpb\"\n"), contains_text("absent.txtpb"));
}

}  // namespace
}  // namespace moesim::scenario
