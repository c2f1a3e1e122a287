#include "reading.h"
#include "scenario/message_reader.h"
#include "tests/support/catch.h"

namespace moesim::scenario {
namespace {

using test::contains_text;
using test::kSmall;
using test::mistakes;
using test::read;

TEST_CASE("overrides: any field can be set, messages on the way are made") {
  const Scenario s = read(kSmall, {"slo.ttft=250 ms", "deployment.efficiency.gemm.compute=0.5",
                                   "simulation.seed=18446744073709551615", "name=a \"b\" \\ c"});
  CHECK(s.slo.ttft == SimTime::from(250_ms));
  CHECK(s.deployment.efficiency.gemm.compute == 0.5);
  CHECK(s.run.seed == 18446744073709551615ULL);
  CHECK(s.name == "a \"b\" \\ c");
}

TEST_CASE("overrides: the last one wins, a choice of a oneof replaces the other") {
  const Scenario s = read(kSmall, {"deployment.tp=4", "deployment.tp=8"});
  CHECK(s.deployment.layout.tp == 8);
  const Scenario other = read(kSmall, {"workload.preset=chat_steady"});
  CHECK(other.workload.model->name == "chat_steady");
}

TEST_CASE("overrides: one pair of quotes around a text is left out") {
  CHECK(read(kSmall, {"cluster.gpu=\"H200-SXM\""}).deployment.cluster.gpu.name == "H200-SXM");
  CHECK(read(kSmall, {"slo.ttft=\"2 s\""}).slo.ttft == SimTime::from(2_s));
  CHECK(read(kSmall, {"name=\"a\" and \"b\""}).name == "\"a\" and \"b\"");
  CHECK(read(kSmall, {"name=\""}).name == "\"");
  CHECK(read(kSmall, {"description=\"\""}).description == "");
  CHECK_THAT(mistakes(kSmall, {"name=\"\""}), contains_text("name: is empty"));
  CHECK_THAT(mistakes(kSmall, {"deployment.tp=\"2\""}), contains_text("expected a whole number"));
}

TEST_CASE("overrides: nothing behind the '=' takes the field away") {
  // tp 2 of the file, one GPU by default.
  CHECK(read(kSmall, {"deployment.tp="}).deployment.layout.tp == 1);
  CHECK(read(kSmall, {"deployment="}).deployment.layout.tp == 1);
  CHECK(read(kSmall, {"name=a", "name="}).name == "x");
  // What is not there can be taken away without leaving a block behind: the model is dense.
  const Scenario s =
      read(kSmall, {"experts.placement.strategy=", "workload.trace.file=", "slo.ttft="});
  CHECK(s.resolved_text == read(kSmall).resolved_text);
  CHECK(mistakes(kSmall, {"model="}).starts_with("--set model=: error: model: "));
  CHECK_THAT(mistakes(kSmall, {"slo.tfft="}), contains_text("is no field of the schema"));
  CHECK_THAT(mistakes(kSmall, {"workload={arrivals {poisson {}} rate: \"1 req/s\" input {quantiles "
                               "{level: [0, 1] tokens: [1, 2]}} output {fixed_tokens: 1}}",
                               "workload.input.quantiles.tokens[0]="}),
             contains_text("an element of a list cannot be left out"));
}

TEST_CASE("overrides: lists take an index, appending included, or a whole list") {
  const std::string grid = "workload.input={quantiles {level: [0, 1] tokens: [10, 20]}}";
  const auto tokens = [&](std::vector<std::string> more) {
    more.insert(more.begin(), grid);
    const Scenario s = read(kSmall, more);
    return std::get<workload::GridLength>(*s.workload.model->input).tokens;
  };
  CHECK(tokens({}) == std::vector<double>{10, 20});
  CHECK(tokens({"workload.input.quantiles.tokens[0]=15"}) == std::vector<double>{15, 20});
  CHECK(tokens({"workload.input.quantiles.tokens[2]=30",
                "workload.input.quantiles.level=[0, 0.5, 1]"}) == std::vector<double>{10, 20, 30});
  CHECK_THAT(mistakes(kSmall, {grid, "workload.input.quantiles.tokens[5]=1"}),
             contains_text("there are 2 elements; use an index of 0..2; 2 appends"));
  CHECK_THAT(mistakes(kSmall, {grid, "workload.input.quantiles.tokens=1"}),
             contains_text("takes a list, got \"1\""));
}

TEST_CASE("overrides: mistakes name the option") {
  CHECK(mistakes(kSmall, {"cluster.noodles=2"}) ==
        "--set cluster.noodles=2: error: cluster.noodles: is no field of the schema; did you mean "
        "\"nodes\"?");
  CHECK(mistakes(kSmall, {"cluster.nodes=two"}) ==
        "--set cluster.nodes=two: error: cluster.nodes: expected a whole number, got \"two\"");
  CHECK(mistakes(kSmall, {"slo.ttft=5"}).starts_with("--set slo.ttft=5: error: slo.ttft: "));
  CHECK(mistakes(kSmall, {"cluster.nodes=0"}) ==
        "--set cluster.nodes=0: error: cluster.nodes: must be 1..16384, got 0");
  CHECK_THAT(mistakes(kSmall, {"nodes"}), contains_text("--set nodes: error: has no '='"));
  CHECK_THAT(mistakes(kSmall, {"=1"}), contains_text("is no path of a field"));
  CHECK_THAT(mistakes(kSmall, {"a..b=1"}), contains_text("is no path of a field"));
  CHECK_THAT(mistakes(kSmall, {"cluster[0].nodes=1"}), contains_text("is no list"));
  CHECK_THAT(mistakes(kSmall, {"cluster.nodes.x=1"}), contains_text("holds a value and has no"));
  CHECK_THAT(mistakes(kSmall, {"cluster=4"}), contains_text("takes a block of fields, got \"4\""));
  CHECK_THAT(mistakes(kSmall, {"cluster={gpu: \"H100-SXM\" noodles: 4}"}),
             contains_text("cluster.noodles: is no field of the schema"));
  CHECK_THAT(mistakes(kSmall, {"name=\xff"}), contains_text("not UTF-8"));
}

TEST_CASE("overrides: a mistake of the file that an override mends is gone") {
  std::string text = kSmall;
  text.replace(text.find("tp: 2"), 5, "tp: 5");
  CHECK_FALSE(mistakes(text).empty());
  CHECK(mistakes(text, {"deployment.tp=2"}) == "");
}

}  // namespace
}  // namespace moesim::scenario
