// What every rank does during a few iterations, who waits for whom, and what the links carry.
//
// Filled while an iteration is priced, from the same times: the spans of a rank follow each other
// without gaps or overlaps and sum to the time of its stage. Order inside a layer: attention,
// all-reduce, feed-forward (with router and shared experts), then its all-reduce; or dispatch,
// experts, combine. Where tokens travel and tp > 1, the all-gather of what came back stands before
// the layer's exchange, where pricing counts it.
// Layer: serving.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/sim_time.h"
#include "core/units.h"
#include "operators/operator_time.h"
#include "serving/context_law.h"
#include "serving/deployment.h"
#include "serving/step_time.h"

namespace moesim::serving {

/// One piece of work, or of waiting, of one rank of a stage.
struct TimelineSpan {
  std::int32_t rank = 0;    ///< GPU of the stage.
  std::int32_t layer = -1;  ///< Of the model, from 0; -1: none.
  StepPart part = StepPart::Attention;
  bool all_gather = false;  ///< AllReduce: it is a gather.
  Seconds start{};          ///< Since the stage began.
  LimitedTime by{};         ///< What the time is limited by; empty for waiting and overhead.
  Seconds length{};
  /// Of the attention rank; experts: pairs of token and expert; head: rows of logits.
  std::int64_t tokens = 0;
  std::int32_t waits_for = -1;   ///< Waiting: the rank that came last.
  Bytes sent{};                  ///< AllReduce: the message.
  double link_use = 0;           ///< AllReduce: share of the usable rate of its busiest link.
  std::int8_t micro_batch = -1;  ///< 0 or 1 where two take turns.
  /// Dispatch, combine: on their way beside what the rank computes; its other spans do not stop.
  bool on_network = false;
};

/// Token copies of one layer on every link they pass from a GPU into the fabric.
struct LinkTraffic {
  std::vector<std::int32_t> scale_up_out;  ///< [rank]
  std::vector<std::int32_t> scale_up_in;
  std::vector<std::int32_t> nic_out;  ///< [NIC of the group]; empty inside one domain.
  std::vector<std::int32_t> nic_in;
  double scale_up_seconds_per_byte = 0;  ///< At peak rates.
  std::vector<double> nic_seconds_per_byte;
  Bytes dispatch_copy{};
  Bytes combine_copy{};
};

/// A dispatch or a combine; combine carries the traffic backwards.
struct TimelineExchange {
  StepPart part = StepPart::Dispatch;
  std::int32_t layer = 0;
  Seconds start{};
  Seconds length{};
  std::size_t traffic = 0;  ///< Index into StageTimeline::traffic.
};

struct StageTimeline {
  SimTime start;
  std::size_t ranks = 0;            ///< GPUs of the stage.
  std::vector<TimelineSpan> spans;  ///< Of each rank in order of time.
  std::vector<TimelineExchange> exchanges;
  std::vector<LinkTraffic> traffic;
  Seconds length;  ///< As priced.
  Seconds send;    ///< Then: activations on their way to the next stage.
};

struct IterationTimeline {
  std::int64_t instance = 0;
  std::int64_t number = 0;  ///< Of the instance, from 1.
  std::int64_t lane = 0;
  std::vector<RankBatch> batches;  ///< Of each attention rank.
  std::vector<StageTimeline> stages;
};

/// Routed experts of one layer as they were priced.
struct ExpertLayerRecord {
  LimitedTime dispatch;
  LimitedTime combine;
  std::vector<operators::OperatorTime> experts;  ///< [expert rank]
  std::vector<std::int64_t> pairs;               ///< [expert rank]
  std::optional<LinkTraffic> traffic;            ///< Where tokens travel.
};

/// Lays the spans of one stage end to end, a clock for each rank.
class StageDrawing {
 public:
  /// `stretch`: of all spans whose length follows from their limits.
  StageDrawing(std::size_t ranks, StageTimeline& stage, double stretch = 1.0)
      : stage_(&stage), clock_(ranks), stretch_(stretch) {
    stage.ranks = ranks;
  }
  [[nodiscard]] std::size_t ranks() const { return clock_.size(); }
  /// Appends to the rank's line; what takes no time leaves no span. `span.rank`, `.start` and
  /// `.length` (unless nothing limits it) are set here.
  void add(std::size_t rank, TimelineSpan span);
  /// At this time; the rank's clock goes on to its end, unless it is on the network.
  void place(std::size_t rank, Seconds start, TimelineSpan span);
  [[nodiscard]] Seconds clock(std::size_t rank) const { return clock_[rank]; }
  /// All clocks stand at this time.
  void start_at(Seconds time) { std::fill(clock_.begin(), clock_.end(), time); }
  /// All wait for the rank that comes last. `sharing` ranks in a row come at the same time: each
  /// waits for the one at its own place among the slowest.
  void meet(std::int32_t layer, std::size_t sharing);
  /// An exchange of all ranks, together at this point.
  void exchange(StepPart part, std::int32_t layer, const LimitedTime& time,
                std::span<const std::int32_t> tokens);

 private:
  StageTimeline* stage_;
  std::vector<Seconds> clock_;
  double stretch_;
};

/// Chooses the iterations of one instance that are drawn and keeps them.
class TimelineRecorder {
 public:
  TimelineRecorder(const RunSettings& run, std::int64_t instance)
      : settings_(run.timeline),
        from_(
            run.timeline.from.value_or(run.timeline.from_iteration > 0 ? SimTime{} : run.warm_up)),
        instance_(instance) {}
  /// An iteration starts; null: it is not drawn.
  [[nodiscard]] IterationTimeline* begin(SimTime now, std::int64_t number, std::size_t lane,
                                         std::span<const RankBatch> batches) {
    return settings_.iterations == 0 ? nullptr : choose(now, number, lane, batches);
  }
  [[nodiscard]] std::vector<IterationTimeline> take() { return std::move(drawn_); }

 private:
  [[nodiscard]] IterationTimeline* choose(SimTime now, std::int64_t number, std::size_t lane,
                                          std::span<const RankBatch> batches);

  TimelineSettings settings_;
  SimTime from_;
  std::int64_t instance_;
  std::vector<IterationTimeline> drawn_;
};

}  // namespace moesim::serving
