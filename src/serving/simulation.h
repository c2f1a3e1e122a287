// Runs a deployment under a workload, event by event, and returns what it measured.
//
// Events: a request arrives; an iteration ends; a scheduler forms the next iteration. Requests,
// tokens and KV blocks are conserved; that is checked at the end of every run.
// Layer: serving.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "serving/deployment.h"
#include "serving/expert_plan.h"
#include "serving/fleet.h"
#include "serving/run_result.h"
#include "topology/topology.h"
#include "workload/request_source.h"

namespace moesim::serving {

/// What `simulate` cannot model of a deployment: one entry per reason, for the scenario's
/// diagnostics. Empty: go ahead.
struct DeploymentProblem {
  std::string field;  ///< Path inside the scenario, "deployment.ep".
  std::string message;
  std::string hint;
};
[[nodiscard]] std::vector<DeploymentProblem> check_deployment(const Deployment& deployment);

/// Where a long run stands; told about four times a second of host time at most by the caller's
/// clock.
struct Progress {
  SimTime now;
  std::int64_t arrived = 0;
  std::int64_t completed = 0;
};
using ProgressCallback = std::function<void(const Progress&)>;

struct Demand {
  workload::RequestSource* source = nullptr;
  std::int64_t concurrency = 0;  ///< > 0: closed loop, arrivals of the source are ignored.
  AssumedReuse reuse{};          ///< Of prompts whose prefix blocks are not named.
  /// By Request::service_class; empty: all requests are alike.
  std::vector<ServiceClass> classes{};
};

/// Preconditions: check_deployment() found nothing of any pool; the memory plans (one per pool)
/// fit. The progress callback is called every few thousand events and cannot influence the result.
/// `plans`: placements that other runs may have made already; they cannot influence it either.
[[nodiscard]] RunResult simulate(const Fleet& fleet, const topology::Topology& topology,
                                 std::span<const plan::MemoryReport> memory, const Demand& demand,
                                 const SloLimits& slo, const RunSettings& run,
                                 const ProgressCallback& progress = {},
                                 ExpertPlanStore* plans = nullptr);
/// One pool that does everything.
[[nodiscard]] RunResult simulate(const Deployment& deployment, const topology::Topology& topology,
                                 const plan::MemoryReport& memory, const Demand& demand,
                                 const SloLimits& slo, const RunSettings& run,
                                 const ProgressCallback& progress = {},
                                 ExpertPlanStore* plans = nullptr);

}  // namespace moesim::serving
