// Hold model: the queue keeps its size while the first event is taken out and one is put in at a
// random later time. Speed is holds per second of CPU time.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/random.h"
#include "core/sim_time.h"
#include "des/event_queue.h"
#include "des/simulator.h"

namespace moesim::des {
namespace {

/// Exponential delays of mean 1 us, drawn beforehand so that drawing is not measured.
std::vector<SimTime> delays() {
  constexpr std::size_t kCount = 1 << 14;
  RandomStream random(1, "event queue bench");
  std::vector<SimTime> result;
  result.reserve(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    result.push_back(
        SimTime::from_picoseconds(static_cast<std::int64_t>(random.exponential() * 1e6)));
  }
  return result;
}

void hold(benchmark::State& state) {
  const std::vector<SimTime> delay = delays();
  const auto pending = static_cast<std::uint64_t>(state.range(0));
  EventQueue queue;
  queue.reserve(pending + 1);
  std::size_t i = 0;
  for (std::uint64_t n = 0; n < pending; ++n) {
    queue.push(delay[i++ % delay.size()], Priority::Arrival, {.kind = 0, .a = 0, .b = n});
  }
  const auto once = [&] {
    const PendingEvent next = queue.pop();
    queue.push(next.time() + delay[i++ % delay.size()], Priority::Arrival, next.event);
  };
  for (std::uint64_t n = 0; n < 5 * pending; ++n) once();  // to the steady distribution
  for (auto _ : state) once();
  state.SetItemsProcessed(state.iterations());
}

/// The same through the simulator: clock checks, event count and fingerprint included.
void simulator_hold(benchmark::State& state) {
  const std::vector<SimTime> delay = delays();
  const auto pending = static_cast<std::uint64_t>(state.range(0));
  Simulator simulator;
  simulator.reserve(pending + 1);
  std::size_t i = 0;
  for (std::uint64_t n = 0; n < pending; ++n) {
    simulator.schedule_at(delay[i++ % delay.size()], Priority::Arrival,
                          {.kind = 0, .a = 0, .b = n});
  }
  constexpr std::int64_t kBatch = 10'000;
  std::int64_t left = 0;
  const auto handler = [&](const Event& event) {
    simulator.schedule_after(delay[i++ % delay.size()], Priority::Arrival, event);
    if (--left == 0) simulator.stop();
  };
  for (auto _ : state) {
    left = kBatch;
    simulator.run(handler);
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}

BENCHMARK(hold)->Arg(1'000)->Arg(10'000)->Arg(100'000);
BENCHMARK(simulator_hold)->Arg(1'000)->Arg(10'000)->Arg(100'000);

}  // namespace
}  // namespace moesim::des
