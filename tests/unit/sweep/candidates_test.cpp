// Layouts of small clusters, counted by hand.
#include "sweep/candidates.h"

#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "core/diagnostics.h"
#include "tests/support/catch.h"
#include "tests/support/toy_scenario.h"

namespace moesim::sweep {
namespace {

using moesim::test::contains_text;
constexpr std::int64_t kNoLimit = 1'000'000;

std::vector<std::string> texts(const LayoutList& list) {
  std::vector<std::string> all;
  for (const plan::Layout& l : list.layouts) all.push_back(plan::to_string(l));
  return all;
}

scenario::Sweep toy_sweep(catalog::Model model) {
  scenario::Sweep sweep;
  sweep.name = "toy sweep";
  sweep.base = test::toy_scenario(std::move(model), {.tp = 1, .pp = 1, .dp = 1, .replicas = 4});
  sweep.slo = sweep.base.slo;
  return sweep;
}

TEST_CASE("candidate_layouts: a dense model on 4 GPUs has 6", "[sweep][oracle]") {
  // tp * pp divides 4: (1,1) (1,2) (1,4) (2,1) (2,2) (4,1); copies fill the cluster.
  const LayoutList list = candidate_layouts({}, false, 4, kNoLimit);
  CHECK(texts(list) == std::vector<std::string>{"tp1 pp1 dp1 ep1 x4", "tp1 pp2 dp1 ep1 x2",
                                                "tp1 pp4 dp1 ep1 x1", "tp2 pp1 dp1 ep1 x2",
                                                "tp2 pp2 dp1 ep1 x1", "tp4 pp1 dp1 ep1 x1"});
  CHECK(list.repeated == 0);
}

TEST_CASE("candidate_layouts: a mixture of experts on 4 GPUs has 16", "[sweep][oracle]") {
  // (tp,pp,dp) with tp*pp*dp dividing 4, each with the divisors of tp*dp as ep, ep 1 only without
  // attention ranks (with them it is replicas):
  //   (1,1,1):1 (1,1,2):1 (1,1,4):2 (1,2,1):1 (1,2,2):1 (1,4,1):1
  //   (2,1,1):2 (2,1,2):2 (2,2,1):2 (4,1,1):3      sum 16
  const LayoutList list = candidate_layouts({}, true, 4, kNoLimit);
  CHECK(list.layouts.size() == 16);
  CHECK(list.repeated == 0);
}

TEST_CASE("candidate_layouts: given degrees leave the rest to the open ones", "[sweep][oracle]") {
  // 8 GPUs, tp 2: pp * dp divides 4; a dense model has no dp: pp 1, 2, 4.
  CHECK(texts(candidate_layouts({.tp = {2}}, false, 8, kNoLimit)) ==
        std::vector<std::string>{"tp2 pp1 dp1 ep1 x4", "tp2 pp2 dp1 ep1 x2", "tp2 pp4 dp1 ep1 x1"});
  // Replicas 2 leave 4 GPUs an instance: tp * pp divides 4, not all of them used.
  CHECK(candidate_layouts({.replicas = {2}}, false, 8, kNoLimit).layouts.size() == 6);
  // tp 16 is tried although the cluster has 8: it is for the judge to refuse it.
  CHECK(texts(candidate_layouts({.tp = {16}}, false, 8, kNoLimit)) ==
        std::vector<std::string>{"tp16 pp1 dp1 ep1 x1"});
}

TEST_CASE("candidate_layouts: dp without experts is replicas, once", "[sweep][oracle]") {
  // dp 1 with 4 copies and dp 2 with 2 copies and ep 1 are the same 4 instances.
  const LayoutAxes axes{.tp = {1}, .pp = {1}, .dp = {1, 2}, .ep = {1}};
  const LayoutList list = candidate_layouts(axes, true, 4, kNoLimit);
  CHECK(texts(list) == std::vector<std::string>{"tp1 pp1 dp1 ep1 x4"});
  CHECK(list.repeated == 1);
}

TEST_CASE("candidate_layouts: no layout twice, none beyond the cluster", "[sweep][property]") {
  CHECK(rc::check([] {
    const int gpus = *rc::gen::inRange(1, 65);
    const bool moe = *rc::gen::inRange(0, 2) == 1;
    const std::vector<std::string> all = texts(candidate_layouts({}, moe, gpus, kNoLimit));
    for (const plan::Layout& l : candidate_layouts({}, moe, gpus, kNoLimit).layouts) {
      RC_ASSERT(l.gpus() == gpus);
      RC_ASSERT(l.tp * l.dp % l.ep == 0);
    }
    std::vector<std::string> sorted = all;
    std::sort(sorted.begin(), sorted.end());
    RC_ASSERT(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end());
  }));
}

TEST_CASE("enumerate_candidates: refuses with the reason what cannot run", "[sweep][oracle]") {
  // Of the 16: pp 4 has more stages than the 2 layers (1); 10 heads do not divide over tp 4 (3);
  // ep 2 with 4 GPUs that share attention ranks is not modelled (tp1 dp4 and tp2 dp2: 2).
  const CandidateSpace space =
      enumerate_candidates(toy_sweep(test::toy_moe_model()), catalog::Catalog{});
  std::map<Refusal, int> count;
  std::int64_t number = 0;
  for (const Candidate& c : space.candidates) {
    ++count[c.refusal];
    CHECK(c.number == ++number);
    CHECK(c.reason.empty() == (c.refusal == Refusal::None));
    if (c.layout.pp == 4) CHECK_THAT(c.reason, contains_text("2 layers do not fill 4 stages"));
    if (c.layout.tp == 4) CHECK_THAT(c.reason, contains_text("10 attention heads"));
  }
  CHECK(number == 16);
  CHECK(count[Refusal::None] == 10);
  CHECK(count[Refusal::Layout] == 4);
  CHECK(count[Refusal::NotModelled] == 2);
}

TEST_CASE("enumerate_candidates: weights that do not fit are refused", "[sweep]") {
  scenario::Sweep sweep = toy_sweep(test::toy_dense_model());
  // Other parameters sit on every GPU: 200e9 of them at 2 B are more than 80 GiB.
  sweep.base.deployment.model.parameters_other = 200'000'000'000;
  const CandidateSpace space = enumerate_candidates(sweep, catalog::Catalog{});
  const auto& first = space.candidates.front();
  CHECK(first.refusal == Refusal::Memory);
  CHECK_THAT(first.reason, contains_text("GB"));
}

TEST_CASE("enumerate_candidates: more GPUs than there are is refused", "[sweep]") {
  scenario::Sweep sweep = toy_sweep(test::toy_dense_model());
  sweep.tp = {2};
  sweep.replicas = {4};
  const CandidateSpace space = enumerate_candidates(sweep, catalog::Catalog{});
  REQUIRE(space.candidates.size() == 1);
  CHECK(space.candidates[0].refusal == Refusal::Cluster);
  CHECK(space.candidates[0].reason == "needs 8 GPUs, the cluster has 4");
}

TEST_CASE("enumerate_candidates: a space beyond the limit is a mistake", "[sweep]") {
  scenario::Sweep sweep = toy_sweep(test::toy_moe_model());
  sweep.max_candidates = 15;
  CHECK_THROWS_WITH(enumerate_candidates(sweep, catalog::Catalog{}),
                    contains_text("limits.max_candidates"));
  sweep.max_candidates = 16;
  CHECK_NOTHROW(enumerate_candidates(sweep, catalog::Catalog{}));
  sweep.vary = {{"a", {"1", "2", "3", "4", "5"}}, {"b", {"1", "2", "3", "4", "5"}}};
  CHECK_THROWS_WITH(enumerate_candidates(sweep, catalog::Catalog{}),
                    contains_text("limits.max_candidates"));
}

TEST_CASE("candidate_scenario: changes the layout and nothing else", "[sweep]") {
  const scenario::Sweep sweep = toy_sweep(test::toy_moe_model());
  const CandidateSpace space = enumerate_candidates(sweep, catalog::Catalog{});
  const scenario::Scenario s = candidate_scenario(space, space.candidates[1]);
  CHECK(s.deployment.layout == space.candidates[1].layout);
  CHECK(s.workload.trace == sweep.base.workload.trace);
  CHECK(s.name == sweep.base.name);
}

}  // namespace
}  // namespace moesim::sweep
