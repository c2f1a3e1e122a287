// Speed of the search for a placement: nets, tables of copies, proposals, a whole layer.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <vector>

#include "core/random.h"
#include "routing/expert_router_draw.h"
#include "routing/popularity.h"
#include "strategies/partition_copies.h"
#include "strategies/partition_layer.h"
#include "strategies/partition_tokens.h"

namespace moesim::strategies {
namespace {

constexpr std::int64_t kTokens = 8192;

/// One layer of DeepSeek-V3 on nodes of 8 GPUs, 288 slots, tokens by the router's law.
placement::Problem one_layer(std::int64_t ranks) {
  const routing::RoutingShape model{
      .moe_layers = 1, .experts = 256, .top_k = 8, .groups = 8, .top_groups = 4};
  const routing::Popularity popularity = routing::lognormal(model, {}, 1);
  placement::Problem problem{.shape = {.moe_layers = 1,
                                       .experts = 256,
                                       .ranks = ranks,
                                       .slots_per_rank = 288 / ranks,
                                       .expert_groups = 8,
                                       .domain_of_rank = {}},
                             .routing = model,
                             .workloads = {{.name = "bench", .load = popularity.share}}};
  for (std::int64_t r = 0; r < ranks; ++r) {
    problem.shape.domain_of_rank.push_back(static_cast<std::int32_t>(r / 8));
  }
  routing::TokenTrace& tokens = problem.workloads[0].tokens;
  tokens = {.experts = 256, .top_k = 8, .layer = {0}, .request = {}, .expert = {}};
  const routing::ExpertRouter router(model, popularity);
  RandomStream stream(1, "bench");
  router.draw(0, kTokens, stream, [&](const std::uint16_t* experts) {
    tokens.expert.insert(tokens.expert.end(), experts, experts + 8);
    tokens.request.push_back(tokens.request.size());
  });
  return problem;
}

void nets_of_a_layer(benchmark::State& state) {
  const placement::Problem problem = one_layer(32);
  for (auto _ : state) benchmark::DoNotOptimize(layer_tokens(problem, 0, kTokens, 1).nets());
  state.SetItemsProcessed(state.iterations() * kTokens);
}
BENCHMARK(nets_of_a_layer);

/// Argument: ranks. Items are exchanges of two slots, evaluated on all nets they touch and kept.
void exchanges_kept(benchmark::State& state) {
  const placement::Problem problem = one_layer(state.range(0));
  const auto nodes = static_cast<std::size_t>(state.range(0) / 8);
  const LayerTokens tokens = layer_tokens(problem, 0, kTokens, 1);
  CopyModel copies(tokens, std::vector<double>(nodes, 1.0 - 1.0 / static_cast<double>(nodes)));
  std::vector<std::int32_t> expert(256);
  std::vector<std::int32_t> node(256);
  for (std::size_t e = 0; e < 256; ++e) {
    expert[e] = static_cast<std::int32_t>(e);
    node[e] = static_cast<std::int32_t>(e * nodes / 256);
  }
  copies.assign(expert, node);
  RandomStream stream(1, "bench");
  for (auto _ : state) {
    const std::size_t e = stream.below(256);
    const std::size_t f = stream.below(256);
    const auto a = static_cast<std::size_t>(node[e]);
    const auto b = static_cast<std::size_t>(node[f]);
    if (a == b) continue;
    const std::array<CopyModel::Change, 4> changes = {
        {{e, a, -1}, {e, b, 1}, {f, b, -1}, {f, a, 1}}};
    benchmark::DoNotOptimize(copies.propose(changes));
    copies.keep();
    std::swap(node[e], node[f]);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(exchanges_kept)->Arg(32)->Arg(144);

/// Arguments: ranks, milliseconds of work granted.
void whole_layer(benchmark::State& state) {
  const placement::Problem problem = one_layer(state.range(0));
  const Cluster cluster(problem.shape);
  const StartPlan start = start_plan(problem, 0, problem.workloads[0].load);
  const LayerTask task{.problem = problem, .cluster = cluster, .start = start};
  double copies = 0.0;
  for (auto _ : state) {
    copies = plan_layer(task, start.cap, state.range(1) * 1'000'000, nullptr).copies;
  }
  state.counters["copies"] = copies;
}
BENCHMARK(whole_layer)->Args({32, 14})->Args({32, 140})->Args({144, 140});

}  // namespace
}  // namespace moesim::strategies
