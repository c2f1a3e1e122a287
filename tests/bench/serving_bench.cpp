// Whole runs in-core: requests simulated per second of one core.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "scenario/catalog_reader.h"
#include "scenario/scenario_reader.h"
#include "serving/expert_cost.h"
#include "serving/instance_cost.h"
#include "serving/simulation.h"
#include "topology/topology.h"
#include "workload/generator.h"
#include "workload/request_source.h"

namespace moesim {
namespace {

const catalog::Catalog& shipped_catalog() {
  static const catalog::Catalog kCatalog =
      scenario::read_catalog(scenario::find_catalog_directory(),
                             scenario::CatalogParts::Run | scenario::CatalogParts::Prices);
  return kCatalog;
}

scenario::Scenario read(const std::string& file, const std::vector<std::string>& overrides) {
  return scenario::read_scenario_file(std::string(MOESIM_SOURCE_DIR) + "/scenarios/" + file,
                                      overrides, shipped_catalog());
}

void run(benchmark::State& state, const scenario::Scenario& s) {
  const auto& d = s.deployment;
  const topology::Topology topology(d.cluster);
  const auto memory = plan::plan_memory(d.model, d.precision, d.cluster.gpu, d.layout, d.memory);
  std::int64_t requests = 0;
  std::int64_t token_layers = 0;
  for (auto _ : state) {
    const auto source =
        s.workload.trace ? workload::make_trace_source(*s.workload.trace)
                         : workload::make_generated_source(*s.workload.model, {.seed = s.run.seed});
    const auto result = serving::simulate(
        d, topology, memory, {.source = source.get(), .concurrency = s.workload.concurrency}, s.slo,
        s.run);
    requests += result.summary.requests_completed;
    token_layers += result.experts.token_layers;
  }
  state.counters["requests/s"] =
      benchmark::Counter(static_cast<double>(requests), benchmark::Counter::kIsRate);
  if (token_layers > 0) {
    state.counters["token_layers/s"] =
        benchmark::Counter(static_cast<double>(token_layers), benchmark::Counter::kIsRate);
  }
}

void dense_closed_loop(benchmark::State& state) {
  run(state, read("llama_8b_h100_tp4_closed_loop.txtpb", {"simulation.max_requests=20000"}));
}
BENCHMARK(dense_closed_loop)->Unit(benchmark::kMillisecond);

void deepseek_v3_ep32_exact(benchmark::State& state) {
  run(state, read("deepseek_v3_h200_ep32.txtpb", {"simulation.max_requests=300"}));
}
BENCHMARK(deepseek_v3_ep32_exact)->Unit(benchmark::kMillisecond);

/// Pricing one decode iteration of DeepSeek-V3 on 144 GPUs without the draw of experts: 144 ranks,
/// 58 MoE layers with dispatch, experts and combine. Argument: sequences of a rank.
void deepseek_v3_ep144_iteration(benchmark::State& state) {
  const scenario::Scenario s = read("deepseek_v3_h800_decode_ep144.txtpb", {});
  const serving::Deployment& d = s.deployment;
  const topology::Topology topology(d.cluster);
  const auto groups = serving::stage_groups(d, 0);
  const auto plan = serving::make_expert_plan(d, topology, 1);
  serving::ModelCost model(d);
  serving::InstanceCost instance(d, model, topology, nullptr, 0, 1);
  serving::ExpertCost experts(d, model.kernels, *plan, topology, groups,
                              RandomStream(1, "routing", 0), RandomStream(1, "picks", 0));
  const auto sequences = static_cast<std::int32_t>(state.range(0));
  std::vector<serving::RankBatch> ranks(static_cast<std::size_t>(d.layout.dp));
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    // Contexts that differ, so that ranks do.
    ranks[r].decode_sequences = sequences;
    ranks[r].logit_rows = sequences;
    ranks[r].decode_context.fill(sequences * (4000 + static_cast<std::int64_t>(r)));
  }
  const std::vector<std::int32_t> tokens(ranks.size(), sequences);
  const std::int64_t layers = d.model.moe_layers();
  const bool prefill = false;
  benchmark::DoNotOptimize(experts.price(0, 0, tokens, prefill));
  if (model.kernels.priced_by().empty() || model.kernels.priced_by().front().curve.empty()) {
    state.SkipWithError("the fitted curves are not in use");
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(instance.price(ranks));
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      benchmark::DoNotOptimize(experts.price_drawn(layer, 0, tokens));
    }
  }
}
BENCHMARK(deepseek_v3_ep144_iteration)->Arg(16)->Arg(64)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace moesim
