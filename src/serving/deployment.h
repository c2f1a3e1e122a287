// What is deployed and how it is driven: the checked input of a simulation.
//
// Everything here has been validated by `scenario`; nothing in `serving` looks at files.
// Layer: serving.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/curve.h"
#include "catalog/engine.h"
#include "catalog/engine_overhead.h"
#include "catalog/model.h"
#include "catalog/precision.h"
#include "core/sim_time.h"
#include "core/time_windows.h"
#include "core/units.h"
#include "operators/operator_time.h"
#include "plan/layout.h"
#include "plan/memory.h"
#include "serving/autoscaling.h"
#include "serving/expert_settings.h"
#include "serving/overlap_settings.h"
#include "serving/prefix_settings.h"
#include "serving/speculation.h"
#include "topology/cluster.h"

namespace moesim::serving {

/// Who is served first.
enum class SchedulingPolicy {
  Fcfs,      ///< First come, first served; who was admitted last is preempted first.
  Priority,  ///< The lowest value, then by arrival; the highest value is preempted first.
};

/// What becomes of a preempted sequence.
enum class PreemptionMode {
  Recompute,  ///< It is computed again.
  Swap,       ///< Its blocks are copied to the host and back, while there is room.
};

/// Holds prompts back until all attention-DP ranks have some (TensorRT-LLM's attention_dp_config).
struct AttentionDpBalance {
  bool on = false;
  std::int64_t timeout_iters = 50;        ///< Prompts are held so many iterations at most.
  std::int64_t batching_wait_iters = 10;  ///< Held so many more once all have some, to gather more.
};

/// Scheduler settings by the engines' own names. Counts are per attention-DP rank.
struct SchedulerSettings {
  std::int64_t max_num_seqs = 256;  ///< Sequences running at once.
  std::int64_t max_num_batched_tokens =
      8192;  ///< Tokens of one iteration, all of its sequences together.
  bool enable_chunked_prefill = true;
  bool prompts_apart = false;  ///< Iterations with prompts hold nothing else.
  /// Decode steps until new requests are looked for.
  std::int64_t recv_interval = 1;
  SchedulingPolicy policy = SchedulingPolicy::Fcfs;
  PreemptionMode preemption = PreemptionMode::Recompute;
  Bytes swap_space{};  ///< Of the host, for each GPU.
  catalog::Admission admission = catalog::Admission::AsNeeded;
  double conservativeness = 1.0;  ///< Of Admission::NewTokenRatio.
  double gpu_memory_utilization = 0.9;
  std::int64_t block_size = 16;  ///< Tokens per KV block.
  Speculation speculation{};     ///< Of decode steps.
  /// Sequences of captured decode graphs, ascending; empty: no padding.
  std::vector<std::int64_t> graph_sizes{};
  PrefixCacheSettings prefix_cache{};
  AttentionDpBalance attention_dp_balance{};
  /// That a preempted sequence finds again where the workload names no prefix blocks.
  catalog::PreemptedBlocks preempted_blocks = catalog::PreemptedBlocks::None;
};

/// How requests are given to the attention-DP ranks of all replicas.
enum class RouterPolicy {
  RoundRobin,
  LeastLoad,
  PrefixAware,
  LeastTokens,   ///< KV held and prompts that wait.
  LeastWaiting,  ///< Four times those that wait and once those that run.
};

/// What a pool of instances does with a request.
enum class PoolRole {
  Mixed,    ///< Prefills and decodes.
  Prefill,  ///< Computes prompts and hands their caches on.
  Decode,   ///< Receives caches and generates.
};

/// One pool of equal instances. A fleet (fleet.h) has one that does all, or one of each role.
struct Deployment {
  catalog::Model model;
  catalog::Precision precision;
  catalog::Engine engine;
  /// Of the engine on these GPUs; absent: `engine.iteration_overhead` is all that is known.
  std::optional<catalog::EngineOverhead> overhead{};
  topology::Cluster cluster;
  plan::Layout layout;  ///< Normalised (plan::normalised).
  SchedulerSettings scheduler;
  plan::MemoryOptions memory;  ///< Consistent with `scheduler`.
  RouterPolicy router = RouterPolicy::LeastLoad;
  ExpertSettings experts;
  OverlapSettings overlap;
  catalog::All2AllBackend all2all = catalog::All2AllBackend::Auto;
  operators::EfficiencySet efficiency;
  operators::RooflineOnly roofline_only;  ///< Operators whose efficiency the user has set.
  /// Fitted curves; null: every operator takes its roofline.
  std::shared_ptr<const catalog::CurveSet> curves;
  PoolRole role = PoolRole::Mixed;
  std::optional<Autoscaling> autoscaling{};  ///< Absent: all replicas serve all the time.
  std::int64_t first_gpu = 0;       ///< Of the cluster; the pool takes layout.gpus() from there on.
  std::int64_t first_instance = 0;  ///< Instances are numbered through all pools.
};

/// Every latency must be met for a request to count as goodput. Absent limits are SimTime::never().
struct SloLimits {
  SimTime ttft = SimTime::never();
  SimTime tpot = SimTime::never();
  SimTime end_to_end = SimTime::never();
};

/// A kind of requests.
struct ServiceClass {
  std::string name;
  std::int32_t priority = 0;       ///< Lower is served first.
  std::optional<SloLimits> slo{};  ///< Absent: those of all requests.
};

/// Iterations to draw. Without a start: the first after the warm-up in which tokens are decoded.
struct TimelineSettings {
  std::int64_t iterations = 0;      ///< Of each instance, one after another; 0: none.
  std::optional<SimTime> from{};    ///< The first starts then or later.
  std::int64_t from_iteration = 0;  ///< Number of the first, from 1; 0: any.
};

/// How the experts of tokens are drawn.
enum class Fidelity {
  Exact,    ///< Every token of every layer, in every iteration.
  Sampled,  ///< In some iterations of each kind; others sample from those.
};

/// How long to run and what to count. Times are those of the run (TimeWindows).
struct RunSettings {
  std::uint64_t seed = 1;
  Fidelity fidelity = Fidelity::Exact;
  TimeWindows windows{};  ///< Of the calendar that rates and autoscaling follow.
  SimTime warm_up{};      ///< Requests that arrive earlier are served but not counted.
  SimTime duration = SimTime::never();  ///< No arrivals after this; what is in flight is finished.
  std::int64_t max_requests = 0;        ///< 0 = as many as the workload has.
  double stop_at_half_width = 0;        ///< Share of the means at which to stop; 0: never.
  TimelineSettings timeline{};
};

}  // namespace moesim::serving
