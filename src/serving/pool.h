// One pool while a run goes on: prices, experts, instances, router.
//
// Layer: serving.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "serving/autoscaler.h"
#include "serving/deployment.h"
#include "serving/expert_plan.h"
#include "serving/instance.h"
#include "serving/popularity_drift.h"
#include "serving/prefix_tiers.h"
#include "serving/router.h"
#include "serving/run_result.h"
#include "topology/topology.h"
#include "workload/request.h"

namespace moesim::serving {

class Pool {
 public:
  /// Deployment, topology, memory and sequences must outlive it.
  Pool(const Deployment& deployment, const topology::Topology& topology,
       const plan::MemoryReport& memory, const RunSettings& run, ExpertPlanStore* plans,
       SequencePool& sequences);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  [[nodiscard]] const Deployment& deployment() const { return *deployment_; }
  [[nodiscard]] const plan::MemoryReport& memory() const { return *memory_; }
  [[nodiscard]] std::vector<Instance>& instances() { return instances_; }
  [[nodiscard]] const std::vector<Instance>& instances() const { return instances_; }
  [[nodiscard]] std::span<const PricedBy> priced_by() const { return model_.kernels.priced_by(); }
  /// Turns the prefix caches of its ranks on, where the deployment has them (see PrefixTiers).
  void cache_prefixes(std::int64_t hash_tokens, const AssumedReuse& assumed);
  /// Notes what of a new request may be cached.
  void describe(SequencePool& sequences, SequenceIndex index,
                std::span<const std::uint64_t> ids) const {
    if (prefixes_) prefixes_->describe(sequences, index, ids);
  }
  /// `prompt`: ids of its prefix blocks.
  [[nodiscard]] Target choose(std::span<const std::uint64_t> prompt, std::int64_t input_tokens) {
    return router_.choose(instances_, scaler(), prompt, input_tokens);
  }
  /// Null: all instances serve all the time.
  [[nodiscard]] Autoscaler* scaler() { return scaler_ ? &*scaler_ : nullptr; }
  [[nodiscard]] const Autoscaler* scaler() const { return scaler_ ? &*scaler_ : nullptr; }
  /// Whether the instance takes new requests.
  [[nodiscard]] bool takes(std::size_t instance) const {
    return !scaler_ || scaler_->takes(instance);
  }
  /// Requests of each instance: waiting, running, expected, and those whose caches still leave.
  void count_requests(std::vector<std::int64_t>& into) const;
  /// What autoscaling looks at, of all serving instances together.
  [[nodiscard]] double load(LoadMetric metric) const;
  /// Whether the model and the blocks of a rank hold the request to its end.
  [[nodiscard]] bool fits(const workload::Request& request) const;
  /// Turns the popularity of experts to that of `now`.
  void drift_to(SimTime now);
  [[nodiscard]] std::int64_t drift_steps() const { return drift_ ? drift_->steps() : 0; }
  [[nodiscard]] bool drifts() const { return drift_.has_value(); }

  // Sums at the end of a run, in pool_summary.cpp. `end`: when the last request finished.
  [[nodiscard]] TimeBreakdown time(SimTime end, double& prefill_share) const;
  [[nodiscard]] ExpertSummary experts() const;
  [[nodiscard]] KvSummary kv() const;
  /// Part by which caches of other pools lengthen dispatch and combine; nothing where these stay
  /// off the network.
  [[nodiscard]] std::optional<double> exchanges_longer_by() const;
  /// Nothing where prefixes are not cached.
  [[nodiscard]] std::optional<PrefixCounts> prefixes() const {
    return prefixes_ ? prefixes_->summary(instances_) : std::nullopt;
  }

 private:
  void swap_to_host(Instance& instance);

  const Deployment* deployment_;
  const plan::MemoryReport* memory_;
  ModelCost model_;
  std::optional<ExpertPlan> experts_;
  std::optional<PopularityDrift> drift_;
  std::optional<PrefixTiers> prefixes_;
  std::vector<Instance> instances_;
  std::optional<Autoscaler> scaler_;
  Router router_;
};

}  // namespace moesim::serving
