// Whole runs in-core: requests simulated per second of one core.
#include <benchmark/benchmark.h>

#include <string>

#include "scenario/catalog_reader.h"
#include "scenario/scenario_reader.h"
#include "serving/simulation.h"
#include "topology/topology.h"
#include "workload/generator.h"
#include "workload/request_source.h"

namespace moesim {
namespace {

const catalog::Catalog& shipped_catalog() {
  static const catalog::Catalog kCatalog =
      scenario::read_catalog(scenario::find_catalog_directory());
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

}  // namespace
}  // namespace moesim
