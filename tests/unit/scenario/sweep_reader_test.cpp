#include "scenario/sweep_reader.h"

#include "reading.h"
#include "tests/support/catch.h"

namespace moesim::scenario {
namespace {

using test::contains_text;

const std::string kBase = "inline_scenario {\n" + test::kSmall + "}\n";

Sweep read_sweep(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return read_sweep_text(text, test::origin(), overrides, test::shipped_catalog());
}

std::string mistakes_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    static_cast<void>(read_sweep(text, overrides));
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("sweep reader: axes are sorted, absent ones are automatic") {
  const Sweep sweep = read_sweep(kBase + "tp: [8, 1, 2]\ndp: 4\nslo { tpot: \"40 ms\" }\n");
  CHECK(sweep.tp == std::vector<std::int64_t>{1, 2, 8});
  CHECK(sweep.dp == std::vector<std::int64_t>{4});
  CHECK(sweep.pp.empty());
  CHECK(sweep.ep.empty());
  CHECK(sweep.slo.tpot == SimTime::from(40_ms));
  CHECK(sweep.objective == Objective::UsdPerMillionOutputTokens);
  CHECK(sweep.base.deployment.layout.tp == 2);
}

TEST_CASE("sweep reader: every mistake of axes, base and values is reported") {
  const std::string found = mistakes_of(
      "inline_scenario { model: \"Llama-3.1-8X\" cluster { gpu: \"H100-SXM\" nodes: 0 } }\n"
      "tp: [2, 0, 2]\n"
      "vary { field: \"deployment.precision\" }\n"
      "limits { min_slo_attainment: 1.5 }\n");
  CHECK_THAT(found, contains_text("x.txtpb:1:26: error: inline_scenario.model: is no model"));
  CHECK_THAT(found, contains_text("inline_scenario.cluster.nodes: must be 1..16384, got 0"));
  CHECK_THAT(found, contains_text("inline_scenario.workload: is missing"));
  CHECK_THAT(found, contains_text("x.txtpb:2:9: error: tp[1]: must be 1..16384, got 0"));
  CHECK_THAT(found, contains_text("x.txtpb:2:12: error: tp[2]: 2 stands twice"));
  CHECK_THAT(found, contains_text("vary[0]: has 0 values"));
  CHECK_THAT(found, contains_text("limits.min_slo_attainment: must be above 0 and at most 1"));
  CHECK_THAT(mistakes_of("tp: 1\n"), contains_text("scenario: is missing"));
  CHECK_THAT(mistakes_of("scenario: \"nowhere.txtpb\"\n"),
             contains_text("x.txtpb:1:11: error: scenario: "));
}

TEST_CASE("sweep reader: the values of a varied field are checked one by one") {
  const std::string vary =
      "vary { field: \"deployment.precision\" value: [\"bf16\", \"fp8_blok128\"] }\n"
      "vary { field: \"cluster.noodles\" value: \"1\" }\n"
      "vary { field: \"deployment.tp\" value: [\"3\", \"x\"] }\n";
  const std::string found = mistakes_of(kBase + vary);
  CHECK_THAT(found, contains_text("vary[0].value[1]: deployment.precision: is no weight format"));
  CHECK_THAT(found, contains_text("vary[1].value[0]: cluster.noodles: is no field"));
  CHECK_THAT(found, contains_text("vary[2].value[1]: deployment.tp: expected a whole number"));
}

TEST_CASE("sweep reader: overrides reach the sweep and the scenario written inside") {
  const Sweep sweep = read_sweep(kBase, {"tp=[1, 4]", "inline_scenario.deployment.tp=4"});
  CHECK(sweep.tp == std::vector<std::int64_t>{1, 4});
  CHECK(sweep.base.deployment.layout.tp == 4);
}

}  // namespace
}  // namespace moesim::scenario
