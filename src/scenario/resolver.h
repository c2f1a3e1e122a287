// A scenario message, made complete and turned into domain objects part by part.
//
// Each part checks its ranges and names, fills the defaults into the message (which becomes the
// resolved text) and returns what it could build; later parts look only at what was built.
// Internal to the folder.
// Layer: scenario.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "scenario.pb.h"
#include "scenario/findings.h"
#include "scenario/scenario.h"
#include "scenario/scenario_reader.h"

namespace moesim::scenario {

/// GPUs of one cluster.
inline constexpr std::int64_t kMaxGpus = 16'384;

/// Limits of latency of the message at `path`.
[[nodiscard]] serving::SloLimits convert_slo(const proto::Slo& slo, Findings& findings,
                                             const std::string& path = "slo");

enum class BlankLines { Refused, Allowed };

/// Reports control characters of a text that reports print; line breaks and tabs unless Allowed.
void check_printable(const std::string& text, const char* path, Findings& findings,
                     BlankLines lines = BlankLines::Refused);

class Resolver {
 public:
  Resolver(proto::Scenario& message, const TextOrigin& origin, const catalog::Catalog& catalog,
           Findings& findings)
      : message_(message), origin_(origin), catalog_(catalog), findings_(findings) {}

  /// The scenario; its value counts only if `findings` has none.
  [[nodiscard]] Scenario resolve();
  /// The same with nothing but its cluster, so that no file it names is opened.
  [[nodiscard]] Scenario resolve_only_cluster();

 private:
  void resolve_names();
  void resolve_simulation();
  void resolve_time_windows();
  void resolve_autoscaling();
  serving::Autoscaling resolve_schedule(proto::Autoscaling& autoscaling);
  serving::LoadTarget resolve_load_target(proto::ScaleByLoad& load);
  /// Until the weights of a unit are there.
  std::optional<Seconds> time_to_load(proto::Autoscaling& autoscaling);

  void resolve_model();
  std::optional<catalog::Model> named_model();
  std::optional<catalog::Model> imported_model();

  void resolve_cluster();
  /// Fills in the fields of its preset; false, with a report, if there is no such preset.
  bool resolve_cluster_preset(proto::Cluster& cluster);
  std::optional<catalog::Gpu> resolve_gpu();
  void resolve_cluster_size(proto::Cluster& cluster);
  void resolve_links(proto::Cluster& cluster);
  void resolve_scale_out(proto::Cluster& cluster);
  void resolve_leaves(proto::Cluster& cluster);
  void resolve_degraded(const proto::Cluster& cluster);
  void check_reach();
  void note_degraded();
  catalog::Fabric default_scale_up() const;
  catalog::Fabric default_pcie() const;
  catalog::Fabric default_nic() const;

  void resolve_deployment();
  void resolve_precision(proto::Deployment& deployment);
  void resolve_layout(proto::Deployment& deployment);
  void check_arithmetic();
  void check_layout_gpus(const plan::Layout& layout);
  void resolve_scheduler(proto::Scheduler& scheduler);
  void resolve_overlap(proto::Deployment& deployment);
  void resolve_all2all(proto::Deployment& deployment);
  /// Choices by the engine's own names become the common ones; others are reported.
  void resolve_engine_choices(proto::Deployment& deployment);
  void resolve_router(proto::Deployment& deployment);
  void check_overlap();
  /// Settings under the engine's own names become the common ones; others are reported.
  void resolve_engine_settings(proto::Scheduler& scheduler);
  void check_engine_support();
  void resolve_efficiency(proto::EfficiencyOverrides& overrides);
  void resolve_speculative(proto::Deployment& deployment);
  void resolve_prefix_cache(proto::Deployment& deployment);
  std::optional<serving::TierSettings> resolve_tier(
      const std::string& path, proto::CacheTier& tier,
      const std::optional<std::string>& default_bandwidth);
  void resolve_prefix_reuse(proto::Workload& workload);
  void resolve_assumed_reuse(proto::PrefixReuse& reuse);
  void check_prefix_blocks(const workload::Trace& trace);
  void resolve_scheduling_policy(proto::Scheduler& scheduler);
  // When requests begin and what is evicted, in resolve_eviction.cpp.
  void resolve_eviction(proto::Scheduler& scheduler);
  void resolve_preemption(proto::Scheduler& scheduler);
  void resolve_admission(proto::Scheduler& scheduler);
  void resolve_recv_interval(proto::Scheduler& scheduler);
  void resolve_attention_dp(proto::Scheduler& scheduler);
  void resolve_classes(proto::Workload& workload);
  void resolve_sessions(proto::Workload& workload);
  /// Where all classes have lengths of their own the workload needs none.
  void lengths_of_classes(const proto::Workload& workload, workload::WorkloadModel& model);
  void resolve_class(proto::RequestClass& message, const std::string& path);

  // Two pools, in resolve_pools.cpp.
  [[nodiscard]] Scenario resolve_pools();
  [[nodiscard]] bool pools_are_whole();
  /// The scenario as if the pool were all; its mistakes are reported as those of the pool.
  [[nodiscard]] Scenario resolve_pool(const char* name, proto::Deployment& pool);
  /// Nodes of their own: both pools have them, and no field of the scenario contradicts.
  void check_own_nodes();
  void join_pools(const Scenario& prefill, serving::Deployment& first);
  void check_pools();

  // Caches that hold not one request or block, in check_memory.cpp.
  void check_kv_room(const char* pool, const serving::Deployment& d);
  void check_cache_tiers();

  void resolve_experts();
  void resolve_popularity(proto::ExpertPopularity& popularity, const routing::RoutingShape& shape);
  void resolve_placement(proto::ExpertPlacement& placement);
  void read_placement_file(proto::ExpertPlacement& placement);
  void resolve_drift(proto::PopularityDrift& drift);
  void read_routing_trace(proto::Experts& experts, const routing::RoutingShape& shape);
  void resolve_rebalancing(proto::ExpertRebalancing& rebalancing);
  std::string known_strategy(const std::string& path, const std::string& name);
  void resolve_affinity(proto::ExpertAffinity& affinity, const routing::RoutingShape& shape);

  void resolve_workload();
  void resolve_trace(proto::Workload& workload);
  void resolve_parametric(proto::Workload& workload);
  std::optional<workload::WorkloadModel> preset_model(const std::string& name);
  bool written_laws(const proto::Workload& workload, workload::WorkloadModel& model);
  void resolve_load(proto::Workload& workload, workload::WorkloadModel& model);
  void refuse_pace(bool given, const char* field);
  void check_lengths(std::int64_t longest_input, std::int64_t longest_request);
  /// A run short against the states of its arrivals does not see how much they differ.
  void note_slow_states(const workload::WorkloadModel& model);
  void check_lengths(const workload::LengthLaw& input, const workload::LengthLaw& output);

  void resolve_electricity(proto::Pricing& pricing);
  void resolve_pricing();
  const catalog::Price* chosen_price(const proto::Pricing& pricing);

  void error(const std::string& path, std::string text, std::string hint = "") {
    findings_.error(path, std::move(text), std::move(hint));
  }
  void note(std::string text) { scenario_.notes.push_back(std::move(text)); }
  /// `path` as the file means it: relative to the folder of the scenario.
  [[nodiscard]] std::string located(const std::string& path) const;
  /// The same, so that the resolved scenario can be read from any folder.
  [[nodiscard]] std::string absolute(const std::string& path) const;
  /// False, with a report, if this reader must not open files.
  bool may_open(const std::string& path);

  proto::Scenario& message_;
  const TextOrigin& origin_;
  const catalog::Catalog& catalog_;
  Findings& findings_;
  Scenario scenario_;
  bool has_model_ = false;
  bool has_gpu_ = false;
  bool has_cluster_ = false;
  bool has_layout_ = false;
  /// Tokens a request may not exceed; 0 = none set.
  std::int64_t max_model_len_ = 0;
  bool asks_for_prefix_caching_ = false;  ///< Or refuses it: not the engine's default.
};

}  // namespace moesim::scenario
