// Flows to their end, rates from nothing, and the fast path. Process CPU time.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "core/random.h"
#include "net/exchange_estimate.h"
#include "net/fabric.h"
#include "net/max_min.h"
#include "tests/support/toy_worlds.h"

namespace moesim::net {
namespace {

/// 8-GPU nodes with NVLink of 450 GB/s and a NIC of 400 Gb/s a GPU.
topology::Cluster nodes_of_eight(std::int64_t nodes, bool narrow_leaves) {
  topology::Cluster c = test::toy_cluster(nodes, 8);
  c.scale_up.bandwidth = 450_GBps;
  c.pcie.bandwidth = 63_GBps;
  c.nic.bandwidth = 50_GBps;
  c.leaf_ports = 512;
  if (narrow_leaves) {
    c.scale_out = topology::ScaleOut::LeafSpine;
    c.leaf_ports = 32;
    c.oversubscription = 2.0;
  }
  return c;
}

/// Unequal, some receivers hotter than others.
Bytes flow_size(RandomStream& stream, std::int64_t to) {
  return 100_kB * (0.5 + stream.uniform()) * (0.3 + static_cast<double>(to * 7919 % 100) / 100.0);
}

std::vector<ExchangeEstimate::Pair> without_self(std::vector<ExchangeEstimate::Pair> pairs) {
  std::erase_if(pairs, [](const auto& pair) { return pair.from == pair.to; });
  return pairs;
}

std::vector<GpuId> all_gpus(const topology::Topology& topology) {
  std::vector<GpuId> all;
  for (std::int64_t g = 0; g < topology.cluster().gpus(); ++g) all.emplace_back(g);
  return all;
}

void run_to_end(benchmark::State& state, const topology::Topology& topology,
                const std::vector<ExchangeEstimate::Pair>& pairs) {
  Fabric fabric(topology);
  FlowNetwork& network = fabric.network();
  std::int64_t flows = 0;
  SimTime now;
  for (auto _ : state) {
    RandomStream stream(1, "flow sizes");
    for (const auto& pair : pairs) {
      network.start(now, fabric.path(pair.from, pair.to), flow_size(stream, pair.to.value()), 0);
    }
    network.rerate(now);
    while (network.active() > 0) {
      now = network.next_end();
      flows += static_cast<std::int64_t>(network.end_due(now).size());
      network.rerate(now);
    }
  }
  state.counters["flows"] = static_cast<double>(pairs.size());
  state.counters["flows/s"] =
      benchmark::Counter(static_cast<double>(flows), benchmark::Counter::kIsRate);
}

/// 20,592 flows for 144 GPUs: each to each.
void direct_all_to_all(benchmark::State& state) {
  const topology::Topology topology(nodes_of_eight(state.range(0) / 8, state.range(1) != 0));
  run_to_end(state, topology, without_self(direct_pairs(all_gpus(topology))));
}
BENCHMARK(direct_all_to_all)->Args({144, 0})->Args({144, 1})->Unit(benchmark::kMillisecond);

/// Flows with the same path joined: one to each remote node and one to each peer (137,216 for
/// 1,024 GPUs).
void node_all_to_all(benchmark::State& state) {
  const topology::Topology topology(nodes_of_eight(state.range(0) / 8, state.range(1) != 0));
  run_to_end(state, topology, without_self(all_to_all_pairs(topology, all_gpus(topology))));
}
BENCHMARK(node_all_to_all)
    ->Args({144, 0})
    ->Args({144, 1})
    ->Args({1024, 0})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

/// All rates of an all-to-all, solved from nothing.
void rates_from_nothing(benchmark::State& state) {
  const topology::Topology topology(nodes_of_eight(state.range(0) / 8, false));
  FlowSet flows;
  for (const auto& pair : without_self(direct_pairs(all_gpus(topology)))) {
    flows.add(topology.path(pair.from, pair.to));
  }
  MaxMin solver(link_capacities(topology));
  for (auto _ : state) benchmark::DoNotOptimize(solver.solve(flows).data());
  state.counters["rates/s"] = benchmark::Counter(
      static_cast<double>(flows.size()) * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
}
BENCHMARK(rates_from_nothing)->Arg(64)->Arg(144)->Unit(benchmark::kMicrosecond);

void estimate(benchmark::State& state, bool direct) {
  const topology::Topology topology(nodes_of_eight(state.range(0) / 8, state.range(1) != 0));
  const auto group = all_gpus(topology);
  const auto pairs = direct ? direct_pairs(group) : all_to_all_pairs(topology, group);
  ExchangeEstimate fast(topology, pairs);
  RandomStream stream(1, "copies");
  std::vector<std::int32_t> copies;
  for (const auto& pair : pairs) {
    copies.push_back(pair.from == pair.to ? 0 : static_cast<std::int32_t>(stream.below(20)));
  }
  for (auto _ : state) benchmark::DoNotOptimize(fast.time(copies, 7_kB));
}
void estimate_hierarchical(benchmark::State& state) { estimate(state, false); }
void estimate_direct(benchmark::State& state) { estimate(state, true); }
BENCHMARK(estimate_hierarchical)
    ->Args({32, 0})
    ->Args({144, 0})
    ->Args({144, 1})
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(estimate_direct)
    ->Args({32, 0})
    ->Args({144, 0})
    ->Args({144, 1})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace moesim::net
