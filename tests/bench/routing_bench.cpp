// Speed of the expert draw and of the dispatch counts; items are tokens in one layer.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "placement/dispatch.h"
#include "routing/affinity_model.h"
#include "routing/expert_router_draw.h"
#include "routing/popularity.h"
#include "routing/token_bank.h"
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

/// A bank of router draws in all 58 layers: what it costs to read depends on its size alone.
const routing::TokenBank& bank_of(std::int64_t tokens) {
  static std::map<std::int64_t, routing::TokenBank> banks;
  const auto found = banks.find(tokens);
  if (found != banks.end()) return found->second;
  const routing::ExpertRouter router(kDeepSeekV3, decode_popularity(kDeepSeekV3));
  routing::TokenTrace trace{.experts = 256, .top_k = 8, .layer = {}, .request = {}, .expert = {}};
  RandomStream stream(1, "bank");
  for (std::int64_t t = 0; t < tokens; ++t) {
    trace.request.push_back(static_cast<std::uint64_t>(t / 64));
  }
  for (std::int32_t layer = 0; layer < 58; ++layer) {
    trace.layer.push_back(layer);
    router.draw(layer, tokens, stream, [&](const std::uint16_t* experts) {
      trace.expert.insert(trace.expert.end(), experts, experts + 8);
    });
  }
  return banks.emplace(tokens, routing::TokenBank(std::move(trace))).first->second;
}

/// Arguments: tokens of the bank, of a batch. All 58 layers of a batch of random tokens, counted
/// per expert; items are tokens in one layer.
void pick_and_count(benchmark::State& state) {
  const routing::TokenBank& bank = bank_of(state.range(0));
  RandomStream stream(1, "bench");
  std::vector<std::uint32_t> tokens(static_cast<std::size_t>(state.range(1)));
  std::array<std::int32_t, 256> count{};
  for (auto _ : state) {
    for (std::uint32_t& t : tokens) t = bank.pick(stream);
    for (std::int64_t layer = 0; layer < bank.layers(); ++layer) {
      bank.visit(layer, tokens, [&](const std::uint16_t* experts) {
        for (int i = 0; i < 8; ++i) ++count[experts[i]];
      });
    }
  }
  benchmark::DoNotOptimize(count);
  state.SetItemsProcessed(state.iterations() * state.range(1) * bank.layers());
}
BENCHMARK(pick_and_count)
    ->Args({16384, 64})
    ->Args({16384, 1024})
    ->Args({65536, 64})
    ->Args({65536, 1024})
    ->Args({65536, 16});

/// The same for a run of adjacent tokens (a prompt).
void run_and_count(benchmark::State& state) {
  const routing::TokenBank& bank = bank_of(state.range(0));
  RandomStream stream(1, "bench");
  std::array<std::int32_t, 256> count{};
  for (auto _ : state) {
    const std::uint32_t first = bank.pick_request(stream);
    for (std::int64_t layer = 0; layer < bank.layers(); ++layer) {
      bank.visit_run(layer, first, state.range(1), [&](const std::uint16_t* experts) {
        for (int i = 0; i < 8; ++i) ++count[experts[i]];
      });
    }
  }
  benchmark::DoNotOptimize(count);
  state.SetItemsProcessed(state.iterations() * state.range(1) * bank.layers());
}
BENCHMARK(run_and_count)->Args({65536, 64})->Args({65536, 1024});

/// Counts alone, of a window: a call is one layer, whatever the tokens.
void count_window(benchmark::State& state) {
  const routing::TokenBank& bank = bank_of(state.range(0));
  const routing::WindowCounts windows(bank);
  RandomStream stream(1, "bench");
  std::vector<std::int32_t> count(256);
  for (auto _ : state) {
    const std::uint32_t first = windows.pick(stream);
    for (std::int64_t layer = 0; layer < bank.layers(); ++layer) {
      windows.add(layer, first, state.range(1), count);
    }
    benchmark::DoNotOptimize(count.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(1) * bank.layers());
}
BENCHMARK(count_window)->Args({65536, 1024})->Args({65536, 4096})->Args({65536, 4128});

/// Arguments: tokens. Drawing with affinity and fitting the loads of two layers.
void draw_with_affinity(benchmark::State& state) {
  const routing::RoutingShape shape{
      .moe_layers = 2, .experts = 256, .top_k = 8, .groups = 8, .top_groups = 4};
  const routing::Popularity popularity = decode_popularity(shape);
  for (auto _ : state) {
    benchmark::DoNotOptimize(routing::draw_tokens(shape, popularity, {}, state.range(0), 1));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0) * shape.moe_layers);
}
BENCHMARK(draw_with_affinity)->Arg(8192)->Arg(16384)->Unit(benchmark::kMillisecond);

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
