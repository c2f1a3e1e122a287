// Speed of the expert draw and of the dispatch counts; items are tokens in one layer.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <vector>

#include "placement/dispatch.h"
#include "routing/expert_router_draw.h"
#include "routing/popularity.h"
#include "tests/support/placements.h"

namespace moesim {
namespace {

constexpr routing::RoutingShape kDeepSeekV3{
    .moe_layers = 58, .experts = 256, .top_k = 8, .groups = 8, .top_groups = 4};
constexpr routing::RoutingShape kWithoutGroups{.moe_layers = 58, .experts = 256, .top_k = 8};

routing::Popularity decode_popularity(const routing::RoutingShape& shape) {
  return routing::lognormal(shape,
                            routing::find_popularity_preset("deepseek_v3_decode")->parameters, 1);
}

const routing::RoutingShape& shape_of(std::int64_t groups) {
  return groups > 1 ? kDeepSeekV3 : kWithoutGroups;
}

/// Arguments: groups, tokens a call; the layer changes with each call.
void draw_alone(benchmark::State& state) {
  const routing::RoutingShape& shape = shape_of(state.range(0));
  const routing::ExpertRouter router(shape, decode_popularity(shape));
  RandomStream stream(1, "bench");
  std::int64_t layer = 0;
  std::uint32_t sum = 0;
  for (auto _ : state) {
    router.draw(layer, state.range(1), stream, [&](const std::uint16_t* experts) {
      sum += static_cast<std::uint32_t>(experts[0]) ^ experts[7];
    });
    layer = (layer + 1) % shape.moe_layers;
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations() * state.range(1));
}
BENCHMARK(draw_alone)->Args({8, 1024})->Args({8, 64})->Args({1, 1024})->Args({1, 64});

/// Plus counts per expert and tokens per node (4 nodes of 64 experts).
void draw_and_count(benchmark::State& state) {
  const routing::RoutingShape& shape = shape_of(state.range(0));
  const routing::ExpertRouter router(shape, decode_popularity(shape));
  RandomStream stream(1, "bench");
  std::int64_t layer = 0;
  std::array<std::int32_t, 256> count{};
  std::array<std::int32_t, 16> tokens_of_nodes{};
  for (auto _ : state) {
    router.draw(layer, state.range(1), stream, [&](const std::uint16_t* experts) {
      unsigned nodes = 0;
      for (int i = 0; i < 8; ++i) {
        ++count[experts[i]];
        nodes |= 1U << (experts[i] >> 6);
      }
      ++tokens_of_nodes[nodes];
    });
    layer = (layer + 1) % shape.moe_layers;
  }
  benchmark::DoNotOptimize(count);
  benchmark::DoNotOptimize(tokens_of_nodes);
  state.SetItemsProcessed(state.iterations() * state.range(1));
}
BENCHMARK(draw_and_count)->Args({8, 1024})->Args({8, 64})->Args({1, 1024});

/// Arguments: groups, ranks, redundant experts, tokens a call; nodes of 8 ranks.
void dispatch(benchmark::State& state) {
  const routing::RoutingShape& shape = shape_of(state.range(0));
  const routing::Popularity popularity = decode_popularity(shape);
  const routing::ExpertRouter router(shape, popularity);
  const std::int64_t ranks = state.range(1);
  placement::PlacementShape slots{.moe_layers = shape.moe_layers,
                                  .experts = shape.experts,
                                  .ranks = ranks,
                                  .slots_per_rank = (shape.experts + state.range(2)) / ranks,
                                  .expert_groups = shape.groups,
                                  .domain_of_rank = {}};
  for (std::int64_t r = 0; r < ranks; ++r) {
    slots.domain_of_rank.push_back(static_cast<std::int32_t>(r / 8));
  }
  placement::Dispatcher dispatcher(router, test::placed("eplb", slots, popularity.share, 1));
  placement::LayerTraffic traffic = dispatcher.make_traffic();
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(ranks), 0);
  for (std::int64_t t = 0; t < state.range(3); ++t) ++tokens[static_cast<std::size_t>(t % ranks)];
  RandomStream stream(1, "bench");
  std::int64_t layer = 0;
  for (auto _ : state) {
    dispatcher.run(layer, tokens, stream, traffic);
    benchmark::DoNotOptimize(traffic.token_copies_between_nodes);
    layer = (layer + 1) % shape.moe_layers;
  }
  state.SetItemsProcessed(state.iterations() * state.range(3));
}
BENCHMARK(dispatch)
    ->Args({8, 32, 0, 2048})
    ->Args({8, 32, 0, 512})
    ->Args({8, 32, 0, 80})
    ->Args({8, 32, 32, 2048})
    ->Args({8, 32, 32, 512})
    ->Args({8, 32, 32, 80})
    ->Args({1, 32, 32, 512})
    ->Args({8, 144, 32, 4608})
    ->Args({8, 144, 32, 1152})
    ->Args({8, 144, 32, 144})
    ->Args({8, 320, 64, 5120});

void build_router(benchmark::State& state) {
  const routing::RoutingShape& shape = shape_of(state.range(0));
  const routing::Popularity popularity = decode_popularity(shape);
  for (auto _ : state) {
    const routing::ExpertRouter router(shape, popularity);
    benchmark::DoNotOptimize(router.deviation());
  }
}
BENCHMARK(build_router)->Arg(8)->Arg(1)->Unit(benchmark::kMillisecond);

void place_eplb(benchmark::State& state) {
  const std::vector<double> load = decode_popularity(kDeepSeekV3).share;
  placement::PlacementShape slots{.moe_layers = 58,
                                  .experts = 256,
                                  .ranks = state.range(0),
                                  .slots_per_rank = 288 / state.range(0),
                                  .expert_groups = 8,
                                  .domain_of_rank = {}};
  for (std::int64_t r = 0; r < slots.ranks; ++r) {
    slots.domain_of_rank.push_back(static_cast<std::int32_t>(r / 8));
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(test::placed("eplb", slots, load, 1));
  }
}
BENCHMARK(place_eplb)->Arg(32)->Arg(144)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace moesim
