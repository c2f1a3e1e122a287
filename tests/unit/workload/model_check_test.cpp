#include <string>

#include "tests/support/catch.h"
#include "workload/model.h"

namespace moesim::workload {
namespace {

using namespace moesim::literals;

WorkloadModel good() {
  WorkloadModel model;
  model.name = "toy";
  model.arrivals = Poisson{};
  model.default_rate = 1_per_s;
  model.input = FixedLength{.tokens = 1};
  model.output = FixedLength{.tokens = 1};
  return model;
}

std::string problems(const WorkloadModel& model) {
  std::string text;
  for (const Diagnostic& diagnostic : check_model(model)) text += to_string(diagnostic) + "\n";
  return text;
}

TEST_CASE("check_model: a sound model has no mistakes", "[workload]") {
  CHECK(problems(good()).empty());
}

TEST_CASE("check_model: missing lengths are demanded", "[workload]") {
  WorkloadModel model = good();
  model.name = "deepseek_v3r1_day";
  model.input.reset();
  CHECK(problems(model) ==
        "error: input: workload deepseek_v3r1_day has no input lengths: none were published; give "
        "input and output lengths in the scenario\n");
}

TEST_CASE("check_model: a model written out in a scenario may have no name", "[workload]") {
  WorkloadModel model = good();
  model.name = "";
  model.output.reset();
  CHECK(problems(model) ==
        "error: output: no output lengths given; give input and output lengths in the scenario\n");
}

TEST_CASE("check_model: arrivals out of range", "[workload]") {
  WorkloadModel model = good();
  model.arrivals = GammaRenewal{.shape = 0.0};
  CHECK(problems(model) ==
        "error: arrivals.gamma.shape: must be at least 0.001 and at most 1e+06, got 0\n");
  model.arrivals = ClosedLoop{.concurrency = 0};
  CHECK_THAT(problems(model), test::contains_text("arrivals.closed_loop.concurrency: must be"));
  model.arrivals = ClosedLoop{.concurrency = 1'000'000};
  CHECK(problems(model).empty());
  model.arrivals = ClosedLoop{.concurrency = 1'000'001};
  CHECK_THAT(problems(model), test::contains_text("at most 1e+06"));
  model.arrivals = ClientPool{};
  CHECK_THAT(problems(model), test::contains_text("the table of clients has no traffic"));
}

TEST_CASE("check_model: a chain needs probabilities that sum to 1", "[workload]") {
  WorkloadModel model = good();
  Mmpp chain{.bin = 1_s,
             .rates = {1_per_s, 2_per_s},
             .transition = {{0.5, 0.4}, {0.5, 0.5}},
             .stationary = {0.5, 0.5}};
  model.arrivals = chain;
  CHECK(problems(model) == "error: arrivals.mmpp.state[0].transition: must sum to 1, got 0.9\n");
  chain.transition = {{1.0}, {0.5, 0.5}};
  model.arrivals = chain;
  CHECK_THAT(problems(model), test::contains_text("needs 2 probabilities, one per state, got 1"));
  chain.transition.pop_back();
  model.arrivals = chain;
  CHECK_THAT(problems(model), test::contains_text("needs at least one state"));
}

TEST_CASE("check_model: lengths out of range", "[workload]") {
  WorkloadModel model = good();
  model.input = UniformLength{.min = 10, .max = 5};
  model.output = GridLength{.levels = {0.5, 0.5}, .tokens = {10, 5}};
  CHECK(problems(model) ==
        "error: input.uniform.max_tokens: must be at least 10 and at most 1e+08, got 5\n"
        "error: output.quantiles.level[1]: levels must ascend\n"
        "error: output.quantiles.tokens[1]: tokens must not descend\n");
  model = good();
  model.input = GridLength{.levels = {0.5}, .tokens = {}};
  CHECK_THAT(problems(model), test::contains_text("got 1 levels and 0 tokens"));
}

TEST_CASE("check_model: a curve where it has no meaning is refused", "[workload]") {
  WorkloadModel model = good();
  model.curve = RateCurve{.step = 1_s, .multiplier = {0.0}, .start = ""};
  CHECK_THAT(problems(model), test::contains_text("needs at least one value above 0"));
  model.curve->multiplier = {1.0};
  model.arrivals = ClosedLoop{};
  CHECK_THAT(problems(model), test::contains_text("a closed loop has no rate to shape"));
}

TEST_CASE("model_notes: prefix reuse is named as not applied", "[workload]") {
  WorkloadModel model = good();
  CHECK(model_notes(model).empty());
  model.notes = {"first"};
  model.prefix = PrefixStructure{.block_tokens = 512, .reuse_fraction = 0.3736, .text = ""};
  REQUIRE(model_notes(model).size() == 2);
  CHECK(model_notes(model)[1] ==
        "prefix reuse not applied: every prompt counts as new (published share of input tokens "
        "seen before: 0.3736)");
}

}  // namespace
}  // namespace moesim::workload
