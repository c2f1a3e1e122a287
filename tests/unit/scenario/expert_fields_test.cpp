// Placement, affinity, traces, drift and rebalancing of a scenario: what is read and what is
// refused.
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/scenario/reading.h"

namespace moesim::scenario {
namespace {

using moesim::test::contains_text;
using moesim::test::kSmall;
using moesim::test::mistakes;
using moesim::test::read;

std::vector<std::string> mixtral(const std::vector<std::string>& more) {
  std::vector<std::string> all = {"model=Mixtral-8x7B-v0.1", "deployment.precision=bf16",
                                  "deployment.tp=2", "deployment.ep=2"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string moe_mistakes(const std::vector<std::string>& more) {
  return mistakes(kSmall, mixtral(more));
}

serving::ExpertSettings experts(const std::vector<std::string>& more) {
  return read(kSmall, mixtral(more)).deployment.experts;
}

TEST_CASE("expert fields: defaults and values are read") {
  const serving::ExpertSettings plain = experts({});
  CHECK(plain.placement.strategy == "contiguous");
  CHECK(plain.placement.budget == 1.0);
  CHECK(plain.placement.slack == 0.0);
  CHECK_FALSE(plain.affinity);
  CHECK_FALSE(plain.rebalancing);
  CHECK_FALSE(plain.drift);
  const serving::ExpertSettings all =
      experts({"experts.placement={strategy: \"eplb\" budget: \"20 ms\" slack: 0.05}",
               "experts.affinity.parameters.strength=2", "experts.drift.every=10 s",
               "experts.rebalancing={every_iterations: 50 balancedness_below: 0.8 "
               "layers_per_iteration: 4}"});
  CHECK(all.placement.strategy == "eplb");
  CHECK(all.placement.budget == 0.02);
  CHECK(all.placement.slack == 0.05);
  CHECK(all.affinity->parameters.strength == 2.0);
  CHECK(all.affinity->parameters.classes == 1024);
  CHECK(all.affinity->bank_tokens == 16'384);
  CHECK(all.drift->sigma == 0.05);
  CHECK(all.rebalancing->every_iterations == 50);
  CHECK(all.rebalancing->window_iterations == 50);
  CHECK(all.rebalancing->balancedness_below == 0.8);
  CHECK(all.rebalancing->layers_per_iteration == 4);
  // The resolved text is a scenario that means the same.
  const Scenario once = read(
      kSmall, mixtral({"experts.affinity.preset=none", "experts.rebalancing.strategy=contiguous"}));
  CHECK(read(once.resolved_text).resolved_text == once.resolved_text);
}

TEST_CASE("expert fields: what means nothing is refused") {
  CHECK_THAT(mistakes(kSmall, {"experts.affinity.preset=none"}),
             contains_text("Llama-3.1-8B has no routed experts"));
  CHECK_THAT(moe_mistakes({"experts.placement={strategy: \"eplb\" file: \"x.json\"}"}),
             contains_text("experts.placement"));
  CHECK_THAT(moe_mistakes({"experts.placement.budget=2 h"}),
             contains_text("at least 1 ms and at most 1 h"));
  CHECK_THAT(moe_mistakes({"experts.placement.slack=1.5"}),
             contains_text("experts.placement.slack"));
  CHECK_THAT(moe_mistakes({"experts.affinity.preset=deepseek"}),
             contains_text("expected deepseek_v2_lite_traces"));
  CHECK_THAT(moe_mistakes({"experts.affinity.bank_tokens=10"}),
             contains_text("experts.affinity.bank_tokens"));
  CHECK_THAT(moe_mistakes({"experts.affinity.parameters.topics=0"}),
             contains_text("experts.affinity.parameters.topics"));
  CHECK_THAT(moe_mistakes({"experts.drift.sigma=0"}), contains_text("experts.drift.sigma"));
  CHECK_THAT(moe_mistakes({"experts.drift.every=1 ms"}), contains_text("at least 1 s"));
  CHECK_THAT(moe_mistakes({"experts.rebalancing.strategy=epbl"}),
             contains_text("did you mean \"eplb\"?"));
  CHECK_THAT(moe_mistakes({"experts.rebalancing={every_iterations: 10 window_iterations: 11}"}),
             contains_text("experts.rebalancing.window_iterations"));
  CHECK_THAT(moe_mistakes({"experts.rebalancing={strategy: \"eplb\" most_moved: 0.1}"}),
             contains_text("only strategy \"rebalance\" counts moves"));
  CHECK_THAT(moe_mistakes({"deployment.ep=1", "experts.rebalancing.every_iterations=10"}),
             contains_text("with ep 1 there are no ranks to move experts between"));
}

/// Rows of the eight experts of Mixtral's 32 layers.
std::string rows(const std::string& last) {
  std::string text = "[";
  for (int layer = 0; layer < 31; ++layer) text += "[0,2,4,6,1,3,5,7],";
  return text + last + "]";
}

TEST_CASE("expert fields: a placement is read from a file and checked against the layout") {
  const test::TemporaryDirectory folder;
  const std::string good = folder.write("good.json", rows("[0,2,4,6,1,3,5,7]"));
  const serving::ExpertSettings read = experts({"experts.placement.file=" + good});
  REQUIRE(read.placement.given != nullptr);
  CHECK(read.placement.given->expert_of_slot[1] == 2);
  CHECK(read.placement.given->shape.ranks == 2);
  const std::string bad = folder.write("bad.json", rows("[0,2,4,6,1,3,5,5]"));
  CHECK_THAT(moe_mistakes({"experts.placement.file=" + bad}), contains_text("bad.json"));
  CHECK_THAT(moe_mistakes({"experts.placement.file=" + bad}), contains_text("31"));
  CHECK_THAT(moe_mistakes({"experts.placement.file=" + good, "experts.redundant_experts=2"}),
             contains_text("good.json"));
  CHECK_THAT(moe_mistakes({"experts.placement.file=none.json"}),
             contains_text("experts.placement.file"));
  CHECK_THAT(moe_mistakes({"experts.placement.file=" + good, "experts.placement.slack=0.1"}),
             contains_text("is for strategies, and a file is named"));
}

TEST_CASE("expert fields: a trace of tokens is replayed, of another shape refused") {
  const test::TemporaryDirectory folder;
  std::string line = "{\"request\":1,\"experts\":[";
  for (int layer = 0; layer < 32; ++layer) line += layer == 0 ? "[0,1]" : ",[0,1]";
  line += "]}\n";
  std::string tokens;
  for (int i = 0; i < 4; ++i) tokens += line;
  const std::string good = folder.write("tokens.jsonl", tokens);
  const std::string said = moe_mistakes({"experts.routing_trace=" + good});
  INFO(said);
  if (said.empty()) {
    const serving::ExpertSettings read = experts({"experts.routing_trace=" + good});
    REQUIRE(read.recorded != nullptr);
    CHECK(read.recorded->tokens() == 4);
    CHECK(read.popularity.share[0] > 0.4);
  }
  CHECK(said.empty());
  CHECK_THAT(moe_mistakes({"experts.routing_trace=" + good, "experts.drift.sigma=0.1"}),
             contains_text("is for tokens that are drawn, and a trace is named"));
  CHECK_THAT(moe_mistakes({"experts.routing_trace=" + good, "experts.popularity.uniform=true"}),
             contains_text("experts.popularity"));
  const std::string other =
      folder.write("other.jsonl", "{\"request\":1,\"experts\":[[0,1],[2,3]]}\n");
  CHECK_THAT(moe_mistakes({"experts.routing_trace=" + other}), contains_text("error"));
}

}  // namespace
}  // namespace moesim::scenario
