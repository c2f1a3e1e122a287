// Placing and judging DeepSeek-V3's experts: 58 layers of 256, top-8 in 4 of 8 groups.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "placement/copies_bound.h"
#include "placement/evaluation.h"
#include "placement/replica_shares.h"
#include "routing/expert_router.h"
#include "routing/expert_router_draw.h"
#include "routing/popularity.h"
#include "strategies/strategy.h"

namespace {

using namespace moesim;

constexpr std::int64_t kLayers = 58;
constexpr std::int64_t kTracedLayers = 16;
constexpr std::int64_t kTokens = 4096;
constexpr std::int64_t kExperts = 256;

/// Log-normal loads, and tokens of every fourth layer that the router draws for them.
placement::Problem problem_of(std::int64_t ranks, std::int64_t slots) {
  placement::Problem problem{.shape = {.moe_layers = kLayers,
                                       .experts = kExperts,
                                       .ranks = ranks,
                                       .slots_per_rank = slots / ranks,
                                       .expert_groups = 8,
                                       .domain_of_rank = {}},
                             .routing = {.moe_layers = kLayers,
                                         .experts = kExperts,
                                         .top_k = 8,
                                         .groups = 8,
                                         .top_groups = 4},
                             .workloads = {{.name = "lognormal", .load = {}}}};
  for (std::int64_t r = 0; r < ranks; ++r) {
    problem.shape.domain_of_rank.push_back(static_cast<std::int32_t>(r / 8));
  }
  const routing::Popularity popularity =
      routing::lognormal(problem.routing, {.sigma = 0.67, .between_groups = 0.265}, 1);
  const routing::ExpertRouter router(problem.routing, popularity);
  placement::Workload& workload = problem.workloads.front();
  workload.load = popularity.share;
  workload.tokens = {.experts = kExperts, .top_k = 8, .layer = {}, .request = {}, .expert = {}};
  for (std::int64_t t = 0; t < kTokens; ++t) {
    workload.tokens.request.push_back(static_cast<std::uint64_t>(t / 64));
  }
  for (std::int64_t row = 0; row < kTracedLayers; ++row) {
    const std::int64_t layer = 3 * row;
    workload.tokens.layer.push_back(static_cast<std::int32_t>(layer));
    RandomStream stream(1, "placement bench", static_cast<std::uint64_t>(layer));
    router.draw(layer, kTokens, stream, [&](const std::uint16_t* experts) {
      workload.tokens.expert.insert(workload.tokens.expert.end(), experts, experts + 8);
    });
  }
  return problem;
}

placement::Placement placed(const placement::Problem& problem, const std::string& strategy) {
  return strategies::make_strategy(strategy)->place(problem, {});
}

void judge(benchmark::State& state) {
  const placement::Problem problem = problem_of(state.range(0), state.range(1));
  const placement::Placement placement = placed(problem, "eplb_global");
  const placement::Judgement judgement{.batch_optimal = state.range(2) != 0};
  for (auto _ : state) {
    benchmark::DoNotOptimize(evaluate(placement, problem.workloads.front(), judgement));
  }
  state.SetItemsProcessed(state.iterations() * kTracedLayers * kTokens);
}
BENCHMARK(judge)->Args({32, 288, 0})->Args({32, 288, 1})->Args({144, 288, 0})->Args({320, 320, 1});

/// One layer's load or tokens, the figure named by the benchmark.
template <class Figure>
void one_layer(benchmark::State& state, Figure figure) {
  const placement::Problem problem = problem_of(state.range(0), state.range(1));
  const placement::Placement placement = placed(problem, "eplb_global");
  for (auto _ : state) benchmark::DoNotOptimize(figure(problem, placement));
}

void optimal_split(benchmark::State& state) {
  one_layer(state, [](const placement::Problem& problem, const placement::Placement& placement) {
    const auto slots = static_cast<std::size_t>(problem.shape.slots());
    return placement::optimal_split(std::span(placement.expert_of_slot).first(slots),
                                    std::span(problem.workloads.front().load).first(kExperts),
                                    problem.shape.slots_per_rank);
  });
}
BENCHMARK(optimal_split)->Args({32, 288})->Args({144, 288})->Args({320, 320});

void replica_of_source(benchmark::State& state) {
  one_layer(state, [](const placement::Problem& problem, const placement::Placement& placement) {
    const auto slots = static_cast<std::size_t>(problem.shape.slots());
    return placement::replica_of_source(problem.shape,
                                        std::span(placement.expert_of_slot).first(slots),
                                        std::span(problem.workloads.front().load).first(kExperts));
  });
}
BENCHMARK(replica_of_source)->Args({32, 288})->Args({144, 288});

void balance_lower_bound(benchmark::State& state) {
  one_layer(state, [](const placement::Problem& problem, const placement::Placement&) {
    return placement::balance_lower_bound(std::span(problem.workloads.front().load).first(kExperts),
                                          problem.shape.ranks, problem.shape.slots_per_rank);
  });
}
BENCHMARK(balance_lower_bound)->Args({32, 288})->Args({144, 288});

void copies_lower_bound(benchmark::State& state) {
  one_layer(state, [](const placement::Problem& problem, const placement::Placement&) {
    return placement::copies_lower_bound(problem.workloads.front().tokens, 0, problem.shape);
  });
}
BENCHMARK(copies_lower_bound)->Args({32, 288})->Args({320, 320});

void place(benchmark::State& state, const std::string& strategy) {
  const placement::Problem problem = problem_of(state.range(0), state.range(1));
  for (auto _ : state) benchmark::DoNotOptimize(placed(problem, strategy));
}
BENCHMARK_CAPTURE(place, eplb, "eplb")
    ->Unit(benchmark::kMillisecond)
    ->Args({32, 288})
    ->Args({144, 288});
BENCHMARK_CAPTURE(place, metis, "metis")->Unit(benchmark::kMillisecond)->Args({32, 288});

}  // namespace
