#include "tests/support/exact_placement.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "core/random.h"
#include "placement/evaluation.h"
#include "strategies/strategy.h"
#include "tests/support/catch.h"
#include "tests/support/placements.h"

namespace moesim::strategies {
namespace {

using moesim::test::ExactPlacement;
using moesim::test::ExactSearch;
using placement::Placement;
using placement::PlacementShape;
using placement::Problem;

/// One layer of six experts on two nodes of two ranks with two slots; tokens of two experts, which
/// come in friends: e and e + 3 mostly together.
Problem tiny(std::uint64_t seed) {
  RandomStream stream(seed, "tiny problem");
  Problem problem{.shape = {.moe_layers = 1,
                            .experts = 6,
                            .ranks = 4,
                            .slots_per_rank = 2,
                            .domain_of_rank = {0, 0, 1, 1}},
                  .routing = {.moe_layers = 1, .experts = 6, .top_k = 2},
                  .workloads = {{.name = "tiny", .load = std::vector<double>(6, 0.0)}}};
  routing::TokenTrace& tokens = problem.workloads[0].tokens;
  tokens = {.experts = 6, .top_k = 2, .layer = {0}, .request = {}, .expert = {}};
  std::vector<double> heat;
  for (int e = 0; e < 6; ++e) heat.push_back(std::exp(0.6 * stream.normal()));
  for (std::uint64_t t = 0; t < 40; ++t) {
    std::size_t first = 0;
    double left = stream.uniform() * (heat[0] + heat[1] + heat[2] + heat[3] + heat[4] + heat[5]);
    while (first < 5 && left >= heat[first]) left -= heat[first++];
    const bool friends = stream.uniform() < 0.7;
    const std::size_t second = friends ? (first + 3) % 6 : (first + 1 + stream.below(5)) % 6;
    tokens.request.push_back(seed + t / 4);
    for (const std::size_t e : {std::min(first, second), std::max(first, second)}) {
      tokens.expert.push_back(static_cast<std::uint16_t>(e));
      problem.workloads[0].load[e] += 1.0;
    }
  }
  for (double& load : problem.workloads[0].load) load = std::max(load, 1.0);
  return problem;
}

/// Balance and copies of slots, by the judge.
struct Figures {
  double balance = 0.0;
  double copies = 0.0;
};

Figures judged(const Problem& problem, std::span<const std::int32_t> slots) {
  const placement::Score score = evaluate(Placement{.shape = problem.shape,
                                                    .expert_of_slot = {slots.begin(), slots.end()},
                                                    .strategy = "tried"},
                                          problem.workloads[0]);
  return {.balance = score.balance_mean, .copies = score.tokens->copies()};
}

struct Goal {
  const char* name;
  double per_balance;
  double per_copy;
  [[nodiscard]] double of(const Figures& f) const {
    return per_balance * f.balance + per_copy * f.copies;
  }
};

TEST_CASE("strategies: never better than the exact optimum, and how close they come",
          "[strategies][oracle]") {
  constexpr int kProblems = 12;
  const std::vector<Goal> goals = {
      {"balance", 1.0, 0.0}, {"copies", 0.0, 1.0}, {"balance + copies", 1.0, 1.0}};
  std::map<std::string, std::vector<double>> mean_ratio;  // Of every strategy, per goal.
  for (int p = 0; p < kProblems; ++p) {
    const Problem problem = tiny(static_cast<std::uint64_t>(100 * p));
    REQUIRE(verify(problem).empty());
    std::vector<ExactPlacement> exact;
    for (const Goal& goal : goals) {
      exact.push_back(
          ExactSearch(
              problem.shape, [&](auto slots) { return goal.of(judged(problem, slots)); }, false)
              .run());
      // Pairs for four ranks that leave no expert out: 15^4 - 6 10^4 + 15 6^4 - 20 3^4 + 15.
      CHECK(exact.back().tried == 8460);
    }
    CHECK(exact[2].value >= exact[0].value + exact[1].value - 1e-9);
    CHECK(placement::balance_lower_bound(problem.workloads[0].load, 4, 2) <= exact[0].value + 1e-9);
    for (const std::string& name : strategy_names()) {
      const Placement placement = make_strategy(name)->place(test::with_current(problem), {});
      const Figures figures = judged(problem, placement.expert_of_slot);
      for (std::size_t g = 0; g < goals.size(); ++g) {
        INFO(name << ", " << goals[g].name << ", problem " << p);
        CHECK(goals[g].of(figures) >= exact[g].value - 1e-9);
        mean_ratio[name].resize(goals.size(), 0.0);
        mean_ratio[name][g] += goals[g].of(figures) / exact[g].value / kProblems;
      }
    }
  }
  for (const auto& [name, ratio] : mean_ratio) {
    INFO(name << ": balance " << ratio[0] << ", copies " << ratio[1] << ", sum " << ratio[2]
              << " of the optimum");
    if (name.starts_with("eplb")) CHECK(ratio[0] < 1.10);
    if (name == "metis") CHECK(ratio[2] < 1.20);
    if (name == "partition") CHECK(ratio[2] < 1.15);
    CHECK(ratio[0] >= 1.0 - 1e-9);
  }
}

TEST_CASE("strategies: balance against the exact optimum of layers with more replicas",
          "[strategies][oracle]") {
  constexpr int kProblems = 8;
  std::map<std::string, double> mean_ratio;
  for (int p = 0; p < kProblems; ++p) {
    RandomStream stream(static_cast<std::uint64_t>(p), "loads");
    Problem problem{.shape = {.moe_layers = 1,
                              .experts = 7,
                              .ranks = 4,
                              .slots_per_rank = 3,
                              .domain_of_rank = {0, 0, 1, 1}},
                    .routing = {.moe_layers = 1, .experts = 7, .top_k = 2},
                    .workloads = {{.name = "loads", .load = {}}}};
    std::vector<double>& load = problem.workloads[0].load;
    for (int e = 0; e < 7; ++e) load.push_back(std::exp(stream.normal()));
    // 35 sets of three: C(38, 4) = 73'815 choices for four ranks that are all alike.
    const ExactPlacement exact =
        ExactSearch(
            problem.shape, [&](auto slots) { return placement::balance(slots, load, 3); }, true)
            .run();
    CHECK(placement::balance_lower_bound(load, 4, 3) <= exact.value + 1e-9);
    for (const std::string& name : strategy_names()) {
      const Placement placement = make_strategy(name)->place(test::with_current(problem), {});
      const double balance = placement::balance(placement.expert_of_slot, load, 3);
      INFO(name << ", problem " << p);
      CHECK(balance >= exact.value - 1e-9);
      mean_ratio[name] += balance / exact.value / kProblems;
    }
  }
  for (const auto& [name, ratio] : mean_ratio) {
    INFO(name << ": balance " << ratio << " of the optimum");
    if (name.starts_with("eplb")) CHECK(ratio < 1.10);
    CHECK(ratio >= 1.0 - 1e-9);
  }
}

}  // namespace
}  // namespace moesim::strategies
