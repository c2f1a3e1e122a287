// One copy of the model: its attention-DP ranks stepping together, its stages filled by
// micro-batches.
//
// An iteration of a lane (micro-batch) passes the stages in order; a stage serves one lane at a
// time, first come first served, so a lane waits where the one before it is slower: the pipeline's
// bubbles are real time on the clock. All ranks of an iteration start together and end together,
// idle ones too. Layer: serving.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/sim_time.h"
#include "serving/instance_cost.h"
#include "serving/prompt_gate.h"
#include "serving/rank_scheduler.h"
#include "serving/timeline.h"

namespace moesim::serving {

/// Time of one instance since the start, averaged over its stages; parts as in StepTime.
struct InstanceTime {
  std::array<Seconds, kStepParts> parts{};
  std::array<LimitedTime, kStepParts> limits{};
  Seconds active;     ///< At least one iteration in flight.
  Seconds busy;       ///< Stage time of all iterations, over the stages.
  Seconds in_flight;  ///< Sum over iterations of start to end.
  Seconds prefill;    ///< The part of it that falls to prompts, by their share of the tokens.
  Seconds hidden;     ///< Dispatch and combine behind computing, over the stages.
  std::int64_t split_iterations = 0;  ///< Run as two micro-batches.
  std::int64_t iterations = 0;
};

class Instance {
 public:
  Instance(const Deployment& deployment, ModelCost& model, const topology::Topology& topology,
           const ExpertPlan* experts, std::int64_t replica, std::int64_t kv_blocks_per_rank,
           SequencePool& pool, const RunSettings& run);

  [[nodiscard]] std::vector<RankScheduler>& ranks() { return ranks_; }
  [[nodiscard]] const std::vector<RankScheduler>& ranks() const { return ranks_; }

  struct Started {
    std::size_t lane;
    SimTime end;               ///< When the iteration ends.
    SimTime first_stage_free;  ///< When another lane may start.
  };
  /// Starts the next lane that has something to run, if the first stage is free now.
  [[nodiscard]] std::optional<Started> start(SimTime now);
  void finish(std::size_t lane, SimTime now, StepListener& listener);
  /// When the next prompt can go on that waits for cached blocks to be loaded; nothing if none
  /// does.
  [[nodiscard]] std::optional<SimTime> next_loaded(SimTime now) const;

  /// Room for preempted sequences of each rank, and what it takes to get there.
  void swap_to_host(std::int64_t blocks_per_rank, const SwapPrice& price);

  /// From here on experts are drawn as in this plan, which must outlive it.
  void draw_from(const ExpertPlan& plan) { cost_.draw_from(plan); }

  [[nodiscard]] const InstanceTime& time() const { return time_; }
  [[nodiscard]] const InstanceCost& cost() const { return cost_; }
  [[nodiscard]] bool is_idle() const { return lanes_in_flight_ == 0; }
  /// See InstanceCost.
  void meet_caches(std::size_t stage, double caches) { cost_.meet_caches(stage, caches); }
  bool share_samples_with(Instance& other) { return cost_.share_samples_with(other.cost_); }
  /// Those iterations that were to be drawn.
  [[nodiscard]] std::vector<IterationTimeline> take_timeline() { return recorder_.take(); }

 private:
  [[nodiscard]] bool plan(std::size_t lane, SimTime now);
  [[nodiscard]] std::optional<Started> try_lanes(SimTime now);
  [[nodiscard]] Started launch(std::size_t lane, SimTime now);

  InstanceCost cost_;
  std::vector<RankScheduler> ranks_;
  PromptGate gate_;
  std::vector<RankBatch> batches_;
  std::vector<SimTime> stage_free_;
  std::vector<bool> in_flight_;  ///< Per lane.
  std::size_t next_lane_ = 0;
  std::size_t lanes_in_flight_ = 0;
  SimTime active_since_;
  InstanceTime time_;
  TimelineRecorder recorder_;
};

}  // namespace moesim::serving
