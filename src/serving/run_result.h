// What a run has measured, before anything is rounded or printed.
//
// Layer: serving.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/sim_time.h"
#include "core/units.h"
#include "plan/memory.h"
#include "serving/autoscaler.h"
#include "serving/batch_means.h"
#include "serving/deployment.h"
#include "serving/kernels.h"
#include "serving/kv_pool.h"
#include "serving/link_use.h"
#include "serving/step_time.h"
#include "serving/swap_space.h"
#include "serving/timeline.h"

namespace moesim::serving {

/// One served request.
struct RequestRecord {
  std::int64_t number = 0;
  SimTime arrival;
  SimTime first_token;
  SimTime finish;
  SimTime kv_wait;
  std::int32_t input_tokens = 0;
  std::int32_t output_tokens = 0;
  std::int32_t preemptions = 0;
  std::int32_t service_class = 0;
  [[nodiscard]] SimTime ttft() const { return first_token - arrival; }
  [[nodiscard]] SimTime end_to_end() const { return finish - arrival; }
  /// (last - first) / (n - 1); zero for a single token.
  [[nodiscard]] SimTime tpot() const {
    if (output_tokens <= 1) return SimTime{};
    return SimTime::from_picoseconds((finish - first_token).picoseconds() / (output_tokens - 1));
  }
};

/// Mean and nearest-rank percentiles; all zero if there was nothing to count.
struct Distribution {
  double mean_ms = 0, p50_ms = 0, p90_ms = 0, p95_ms = 0, p99_ms = 0;
};

struct Summary {
  std::int64_t requests_arrived = 0;
  std::int64_t requests_completed = 0;
  std::int64_t requests_rejected =
      0;  ///< Longer than the KV cache of a rank or the model's context.
  std::int64_t requests_measured = 0;  ///< Completed ones that arrived after the warm-up.
  Seconds measured;                    ///< Length of the measuring window.
  double requests_per_s = 0;           ///< Completed inside the window.
  double output_tokens_per_s = 0;
  double input_tokens_per_s = 0;
  double total_tokens_per_s = 0;
  double tokens_per_s_per_gpu = 0;    ///< Output tokens.
  double tokens_per_s_per_user = 0;   ///< 1 / mean TPOT.
  double goodput_requests_per_s = 0;  ///< Completed inside the window, every limit met.
  double slo_attainment = 0;          ///< Share of measured requests that met every limit.
  Distribution ttft, tpot, itl, end_to_end;
  Intervals intervals;
};

/// Requests of one class, counted as in Summary.
struct ClassSummary {
  std::string name;
  std::int32_t priority = 0;
  std::int64_t requests_completed = 0;
  std::int64_t requests_measured = 0;
  std::int64_t preemptions = 0;
  double requests_per_s = 0;
  double goodput_requests_per_s = 0;
  double slo_attainment = 0;
  Distribution ttft, tpot, end_to_end;
};

/// Shares of the time of the instances, summing to 1; step parts, then what is not computing.
struct TimeBreakdown {
  std::array<double, kStepParts> parts{};
  /// The same by what limits them, [part][limit].
  std::array<std::array<double, kLimits>, kStepParts> limits{};
  double pipeline_bubble = 0;
  double idle = 0;
  double mean_iteration_ms = 0;
  double kv_wait_ms =
      0;  ///< Per request: mean time at the head of the queue for want of KV blocks.
  std::int64_t iterations = 0;
  std::int64_t split_iterations = 0;  ///< Run as two micro-batches.
  double hidden = 0;  ///< Dispatch and combine behind computing, as a share like the parts' but
                      ///< beside their sum.
};

/// Rebalancing of all instances in a run.
struct RebalancingSummary {
  std::int64_t looks = 0;  ///< At the loads of a window.
  std::int64_t rebalancings = 0;
  std::int64_t slots_moved = 0;
  Bytes moved{};
  Seconds lost{};     ///< Time of stages, summed over stages and instances.
  double before = 0;  ///< Balancedness under the loads of the window, summed over rebalancings; ...
  double after = 0;   ///< ... and under those of the next look's.
  std::int64_t after_count = 0;
  void add(const RebalancingSummary& other);
  /// Over the rebalancings; 0 without any.
  [[nodiscard]] double mean_before() const {
    return rebalancings == 0 ? 0.0 : before / static_cast<double>(rebalancings);
  }
  [[nodiscard]] double mean_after() const {
    return after_count == 0 ? 0.0 : after / static_cast<double>(after_count);
  }
};

struct ExpertSummary {
  bool present = false;
  double balancedness = 1;       ///< Mean over MoE layers of (mean / max rank load).
  std::int64_t worst_layer = 0;  ///< MoE layer, counted from 0, with the least balancedness.
  double worst_balancedness = 1;
  double internode_bytes_per_token = 0;  ///< Dispatch and combine, per token, all layers.
  std::int64_t token_layers = 0;
  std::string placement;
  std::optional<RebalancingSummary> rebalancing{};
};

struct KvSummary {
  std::int64_t blocks_per_rank = 0;
  std::int64_t peak_blocks = 0;  ///< On the fullest rank.
  std::int64_t preemptions = 0;
  std::optional<SwapCounts> swap{};  ///< All ranks together; peak and room of one.
};

/// Units of a pool that joined and left. Means and changes of the measuring window.
struct ScalingSummary {
  std::int64_t units = 0;  ///< That the pool may have.
  std::int64_t gpus_per_unit = 0;
  HeldUnits mean;
  std::int64_t most = 0;  ///< Serving or loading at once.
  std::int64_t starts = 0;
  std::int64_t stops = 0;
  Seconds start{};                ///< From off to serving.
  Seconds drain{};                ///< Mean time from the last new request until a unit was off.
  std::vector<UnitSpell> spells;  ///< Of the whole run.
  [[nodiscard]] double gpus_held() const { return mean.all() * static_cast<double>(gpus_per_unit); }
};

/// One pool of the fleet.
struct PoolResult {
  PoolRole role = PoolRole::Mixed;
  std::int64_t gpus = 0;
  double gpus_held = 0;  ///< On average in the measuring window.
  std::optional<ScalingSummary> scaling{};
  plan::MemoryReport memory;
  TimeBreakdown time;
  ExpertSummary experts;
  KvSummary kv;
  double prefill_share = 0;  ///< Of its computing time, by the tokens of each iteration.
  /// Part by which KV caches on the same NICs lengthen dispatch and combine.
  std::optional<double> exchanges_longer_by{};
};

/// Prompts that were computed in one pool and decoded in another; sums over those that arrived.
struct HandoverSummary {
  std::int64_t requests = 0;
  Seconds prefill{};   ///< Arrival to the end of the prompt, without the wait.
  Seconds wait{};      ///< For blocks and a seat in the decode pool.
  Seconds transfer{};  ///< From the end of the prompt (and the wait) until all has arrived.
  Bytes bytes{};
};

/// Of a fleet with several pools: `time` is their mean by GPUs, `memory`, `experts` and `kv` are
/// those of the pool that decodes (preemptions of all).
struct RunResult {
  Summary summary;
  std::vector<ClassSummary> classes;  ///< As in Demand.
  TimeBreakdown time;
  ExpertSummary experts;
  KvSummary kv;
  std::optional<PrefixCounts> prefix{};  ///< All ranks together, where prefixes are cached.
  plan::MemoryReport memory;
  std::vector<PoolResult> pools;  ///< In the order of the fleet.
  std::optional<HandoverSummary> handover{};
  std::int64_t gpus = 0;
  double gpus_held = 0;                 ///< On average in the measuring window.
  double prefill_share = 0;             ///< Of the computing time, by the tokens of each iteration.
  SimTime end;                          ///< When the last request finished.
  std::vector<RequestRecord> requests;  ///< In order of completion.
  std::vector<PricedBy> priced_by;      ///< Curves and rooflines behind the times.
  FabricUse fabric;                     ///< What the links carried.
  std::vector<std::string> notes;
  std::vector<IterationTimeline> timeline;  ///< As asked for in RunSettings.
  std::uint64_t fingerprint = 0;
  std::int64_t events = 0;
};

}  // namespace moesim::serving
