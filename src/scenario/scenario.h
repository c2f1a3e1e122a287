// A scenario file, checked and resolved into the objects the simulator runs on.
//
// Layer: scenario.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cost/pricing.h"
#include "serving/fleet.h"
#include "workload/generated_sessions.h"
#include "workload/generator.h"
#include "workload/request.h"
#include "workload/request_classes.h"
#include "workload/shared_prefix.h"

namespace moesim::scenario {

/// Who sends requests: a recorded trace, or a model of one; open loop by rate or closed by
/// concurrency.
struct WorkloadSettings {
  std::shared_ptr<const workload::Trace> trace;  ///< Set for recorded workloads.
  std::optional<workload::WorkloadModel> model;  ///< Set for parametric ones.
  /// 2.0 = twice the load. The arrivals of `trace` are already divided by it; a model is not.
  double rate_scale = 1.0;
  /// > 0: closed loop with so many requests in flight (`model` is then a ClosedLoop; of a trace
  /// only the lengths count, in file order).
  std::int64_t concurrency = 0;
  serving::AssumedReuse assumed_reuse{};
  workload::SharedPrefix shared_prefix{};
  std::optional<workload::SessionModel> sessions{};  ///< Of a model: each request begins one.
  /// Kinds of requests, by number: how many and how long, and how they are served. Empty: all
  /// alike.
  std::vector<workload::RequestClass> class_demand;
  std::vector<serving::ServiceClass> classes;
  std::string description;  ///< One line for reports.
};

struct Scenario {
  std::string name;
  std::string description;
  serving::Deployment deployment;  ///< Of two pools: the one that decodes.
  /// Prefill and decode, where prompts have a pool of their own. Empty: `deployment` is all.
  std::vector<serving::Deployment> pools;
  /// Of each pool with nodes of its own kind; empty: all at `pricing`.
  std::vector<cost::Pricing> pool_pricing;
  serving::KvTransferSettings kv_transfer{};
  WorkloadSettings workload;
  serving::SloLimits slo;
  cost::Pricing pricing;
  serving::RunSettings run;
  std::string resolved_text;  ///< The scenario with all defaults filled in, text format.
  std::vector<std::string>
      notes;  ///< Estimates, assumptions and what is not modelled, for the report.
};

}  // namespace moesim::scenario
