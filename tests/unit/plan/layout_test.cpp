#include "plan/layout.h"

#include <rapidcheck.h>

#include "tests/support/catch.h"
#include "tests/unit/plan/known_models.h"

namespace moesim::plan {
namespace {

using moesim::test::contains_text;

TEST_CASE("to_string: names every degree", "[plan][oracle]") {
  CHECK(to_string({.tp = 2, .pp = 1, .dp = 16, .ep = 32, .replicas = 2}) == "tp2 pp1 dp16 ep32 x2");
}

TEST_CASE("normalised: attention ranks without experts to share are replicas", "[plan][oracle]") {
  CHECK(normalised({.tp = 2, .dp = 4, .replicas = 3}) == Layout{.tp = 2, .replicas = 12});
  const Layout expert_group{.tp = 2, .dp = 4, .ep = 8};
  CHECK(normalised(expert_group) == expert_group);
}

TEST_CASE("split_layers: the remainder goes to the first stages", "[plan][oracle]") {
  // 61 layers in 4 stages: 16, 15, 15, 15.
  const std::vector<StageLayers> split = split_layers(61, 4);
  REQUIRE(split.size() == 4);
  CHECK(split[0].last == 16);
  CHECK(split[1].last == 31);
  CHECK(split[2].last == 46);
  CHECK(split[3].last == 61);
}

catalog::Model toy_model_of_layers(std::int32_t layers) {
  catalog::Model model;
  model.name = "toy";
  model.hidden = 64;
  model.kinds.resize(1);
  model.kinds[0].attention = {.kind = catalog::AttentionKind::Gqa,
                              .heads = 8,
                              .kv_heads = 8,
                              .head_dim = 8,
                              .v_head_dim = 8};
  model.kinds[0].feed_forward.dense_intermediate = 64;
  model.runs = {{.kind = 0, .count = layers}};
  return model;
}

TEST_CASE("split_layers: as the layout says, and only if it adds up", "[plan][oracle]") {
  const catalog::Model model = toy_model_of_layers(10);
  const Layout uneven{.pp = 3, .layers_per_stage = {4, 5, 1}};
  CHECK(check_layout(uneven, model, 0).empty());
  const std::vector<StageLayers> split = split_layers(model, uneven);
  REQUIRE(split.size() == 3);
  CHECK(split[1].first == 4);
  CHECK(split[2].first == 9);
  CHECK(split[2].last == 10);
  const auto problem = [&](std::vector<std::int64_t> layers) {
    const auto found = check_layout({.pp = 3, .layers_per_stage = std::move(layers)}, model, 0);
    REQUIRE(found.size() == 1);
    CHECK(found[0].field == "layers_per_stage");
    return found[0].message;
  };
  CHECK(problem({5, 5}) == "2 numbers for 3 stages");
  CHECK(problem({5, 5, 0}) == "a stage without a layer");
  CHECK(problem({5, 4, 2}) == "11 layers in all, toy has 10");
}

TEST_CASE("split_layers: gives each layer to one stage and no stage two more than another",
          "[plan][property]") {
  CHECK(rc::check([] {
    const auto layers = *rc::gen::inRange<std::int64_t>(0, 200);
    const auto stages = *rc::gen::inRange<std::int64_t>(1, 64);
    std::int64_t next = 0;
    for (const StageLayers& s : split_layers(layers, stages)) {
      RC_ASSERT(s.first == next);
      RC_ASSERT(s.last - s.first >= layers / stages);
      RC_ASSERT(s.last - s.first <= layers / stages + 1);
      next = s.last;
    }
    RC_ASSERT(next == layers);
  }));
}

TEST_CASE("check_layout: accepts what engines run", "[plan][oracle]") {
  const catalog::Model v3 = test::deepseek_v3();
  CHECK(check_layout({.tp = 8}, v3, 0).empty());
  CHECK(check_layout({.tp = 16}, v3, 0).empty());
  CHECK(check_layout({.tp = 8, .ep = 8}, v3, 0).empty());
  CHECK(check_layout({.dp = 32, .ep = 32}, v3, 32).empty());
  CHECK(check_layout({.tp = 8, .pp = 2}, v3, 0).empty());
  CHECK(check_layout({.tp = 16}, test::model_named("Llama-3.1-70B"), 0).empty());
}

struct Refusal {
  Layout layout;
  std::int64_t redundant;
  std::string field;
  std::string message;
};

TEST_CASE("check_layout: says which degree is wrong and what to use", "[plan][oracle]") {
  const catalog::Model toy = test::toy_moe();  // 4 heads, 2 kv heads, 8 experts, 4 layers.
  const std::vector<Refusal> refusals = {
      {{.tp = 0}, 0, "tp", "must be at least 1, got 0"},
      {{.tp = 3}, 0, "tp", "4 attention heads do not divide over tp 3"},
      {{.pp = 5}, 0, "pp", "4 layers do not fill 5 stages"},
      {{.tp = 4, .ep = 3}, 0, "ep", "ep 3 does not divide tp * dp = 4"},
      {{.dp = 7, .ep = 7}, 0, "ep", "8 experts do not divide over ep 7"},
      {{.dp = 4, .ep = 4}, 3, "ep", "11 experts and copies do not divide over ep 4"},
      {{.dp = 4, .ep = 4}, -1, "redundant_experts", "must not be negative"},
      {{.tp = 4}, 1, "redundant_experts", "put two of one expert on a GPU"},
      {{.dp = 16, .ep = 2}, 0, "ep", "4 columns of an expert do not divide over tp * dp / ep = 8"},
  };
  for (const Refusal& r : refusals) {
    const std::vector<LayoutProblem> problems = check_layout(r.layout, toy, r.redundant);
    INFO(to_string(r.layout));
    REQUIRE_FALSE(problems.empty());
    CHECK(problems.front().field == r.field);
    CHECK_THAT(problems.front().message, contains_text(r.message));
    CHECK_FALSE(problems.front().hint.empty());
  }
}

TEST_CASE("check_layout: a dense model has no experts to spread", "[plan][oracle]") {
  const std::vector<LayoutProblem> problems =
      check_layout({.tp = 2, .ep = 2}, test::model_named("Llama-3.1-8B"), 4);
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].field == "ep");
  CHECK(problems[1].field == "redundant_experts");
}

TEST_CASE("check_layout: reports all mistakes at once and each once", "[plan][oracle]") {
  // tp 3: heads 4, kv heads 2, columns 16 and 4; experts 8 / 1 fine; expert columns 4 over 3.
  const std::vector<LayoutProblem> problems = check_layout({.tp = 3, .pp = 9}, test::toy_moe(), 0);
  CHECK(problems.size() == 6);
}

}  // namespace
}  // namespace moesim::plan
