#include "serving/simulation.h"

#include "core/check.h"
#include "serving/run.h"

namespace moesim::serving {

RunResult simulate(const Fleet& fleet, const topology::Topology& topology,
                   std::span<const plan::MemoryReport> memory, const Demand& demand,
                   const SloLimits& slo, const RunSettings& run, const ProgressCallback& progress,
                   ExpertPlanStore* plans) {
  MOESIM_CHECK(demand.source != nullptr, "a run needs requests");
  MOESIM_CHECK(!fleet.pools.empty() && memory.size() == fleet.pools.size(),
               "a run needs pools and the memory plan of each");
  Run world(fleet, topology, memory, demand, slo, run, progress, plans);
  return world.execute();
}

RunResult simulate(const Deployment& deployment, const topology::Topology& topology,
                   const plan::MemoryReport& memory, const Demand& demand, const SloLimits& slo,
                   const RunSettings& run, const ProgressCallback& progress,
                   ExpertPlanStore* plans) {
  const Fleet fleet{.pools = {deployment}};
  return simulate(fleet, topology, std::span(&memory, 1), demand, slo, run, progress, plans);
}

}  // namespace moesim::serving
