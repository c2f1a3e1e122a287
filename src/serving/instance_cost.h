// Time of one iteration of one instance, stage by stage, from what its ranks have batched.
//
// Between two exchanges of tokens every rank works alone; at an exchange all wait for the slowest.
// So a stage takes the sum over its stretches of the slowest rank's time, plus its MoE layers.
// Without attention data parallelism there is one rank and nothing to wait for.
// Formula and worked example: docs/models/iteration.md.
// Layer: serving.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "operators/collectives.h"
#include "serving/context_law.h"
#include "serving/deployment.h"
#include "serving/expert_cost.h"
#include "serving/group_collective.h"
#include "serving/link_use.h"
#include "serving/model_cost.h"
#include "serving/rebalancer.h"
#include "serving/sampled_experts.h"
#include "serving/step_time.h"
#include "serving/swap_space.h"
#include "serving/timeline.h"
#include "serving/two_batch_schedule.h"
#include "serving/two_streams.h"
#include "topology/topology.h"

namespace moesim::serving {

/// What exchanges ask of their network ports during an iteration.
struct NetworkShare {
  double of_time = 0.0;  ///< Part of the stage's time in which they need the network.
  double flows = 0.0;    ///< Messages of one exchange on a port.
};

/// GPUs of the expert group (all tp * dp GPUs) of each stage of the pool's instance `replica`.
[[nodiscard]] std::vector<std::vector<GpuId>> stage_groups(const Deployment& deployment,
                                                           std::int64_t replica);

class InstanceCost {
 public:
  InstanceCost(const Deployment& deployment, ModelCost& model, const topology::Topology& topology,
               const ExpertPlan* experts, std::int64_t replica, std::uint64_t seed);

  /// One entry per stage; valid until the next call. `ranks`: batch of each attention-DP rank.
  /// `drawn`, where given, gets the spans of every stage.
  [[nodiscard]] std::span<const StepTime> price(std::span<const RankBatch> ranks,
                                                IterationTimeline* drawn = nullptr);
  /// Time to hand the activations of `tokens` tokens to the next stage.
  [[nodiscard]] Seconds send(std::size_t stage, std::int64_t tokens);
  /// What each stage has sent so far.
  [[nodiscard]] std::vector<StageTraffic> traffic() const;
  /// From here on experts are drawn as in this plan, which must outlive it.
  void draw_from(const ExpertPlan& plan) {
    experts_->draw_from(plan);
    if (rebalancer_) rebalancer_->forget_tokens();
    forget_samples();
  }
  // Caches on the network ports of its exchanges, in instance_network.cpp.
  /// Whether its exchanges leave their scale-up domains.
  [[nodiscard]] bool exchanges_on_network() const;
  [[nodiscard]] std::size_t stages() const { return stages_.size(); }
  [[nodiscard]] std::span<const GpuId> gpus(std::size_t stage) const {
    return stages_[stage].group;
  }
  /// The next iterations' exchanges share their fullest port with so many caches, in the mean.
  void meet_caches(std::size_t stage, double caches) { stages_[stage].caches = caches; }
  /// Of the iteration priced last.
  [[nodiscard]] NetworkShare network_share(std::size_t stage) const;
  /// Of all exchanges so far, over the stages: what caches on the same ports have added.
  [[nodiscard]] Seconds lost_to_caches() const;
  [[nodiscard]] Seconds exchanging() const;
  /// What KV blocks cost that are copied to the host or back.
  void price_swaps(const SwapPrice& price) { swap_price_ = price; }
  /// From here on the experts' part of most iterations is sampled from exact ones. Nothing to do
  /// for dense models.
  void sample_experts(std::uint64_t seed, std::int64_t replica);
  /// Samples from the records of `other`, if its group lies alike; else false. Call before either
  /// has priced anything.
  bool share_samples_with(InstanceCost& other);
  /// What rebalancing has done so far; nothing where there is none.
  [[nodiscard]] std::optional<RebalancingSummary> rebalancing() const;
  /// Of all iterations so far; nothing for dense models.
  [[nodiscard]] std::optional<ExpertStatistics> expert_statistics() const;

 private:
  /// Layers a rank runs between two exchanges, counted by kind, and how often such a stretch
  /// stands.
  struct Stretch {
    std::vector<std::int32_t> layers_of_kind;
    std::int32_t times = 0;
  };
  struct Stage {
    std::vector<Stretch> stretches;
    std::vector<std::int64_t> moe_layers;
    std::vector<std::size_t> kind_of_moe_layer;     ///< [MoE layer of the stage]
    std::vector<std::size_t> stretch_of_moe_layer;  ///< That ends with it; index into `stretches`.
    /// By kind: layers before the first exchange, after the last one, and all others.
    std::vector<std::int32_t> leading;
    std::vector<std::int32_t> trailing;
    std::vector<std::int32_t> split;
    GroupCollective all_reduce;  ///< Of the tp ranks that hold one token.
    GroupCollective all_gather;
    operators::CollectiveCost to_next;
    std::vector<GpuId> group;
    std::vector<std::int32_t> layers_of_kind;
    [[nodiscard]] std::int64_t layers() const {
      std::int64_t all = 0;
      for (const std::int32_t layers : layers_of_kind) all += layers;
      return all;
    }
    std::vector<Seconds> collectives;  ///< [attention rank] so far.
    Seconds exchanging;                ///< Dispatch, combine, handing over so far.
    std::int64_t neighbours = 0;  ///< Groups of other stages and instances below the same leaves.
    Seconds on_network;           ///< Of all its exchanges so far.
    Seconds passed;               ///< Of all its iterations so far.
    double sampled_beside = 0;    ///< busy_neighbours() when records were last forgotten.
    double caches = 0;            ///< On the fullest port of its exchanges.
    double slower = 0;            ///< By which part caches lengthen the network's time.
    Seconds lost_to_caches;
    NetworkShare share;  ///< Of the last iteration.
  };
  /// One layer kind on one rank.
  struct KindTime {
    LimitedTime attention;
    LimitedTime feed_forward;
    LimitedTime all_reduce;
    Seconds sum;
    Seconds before_core;  ///< Of attention, where it is run in two parts.
    Seconds shared;       ///< Of the feed-forward: experts that every token passes.
    Seconds gathering;    ///< Of the collectives: what follows the return from the experts.
  };
  /// One of the two halves of an iteration.
  struct MicroBatch {
    std::vector<RankBatch> batches;
    std::vector<RankBatch> computed;           ///< The same, padded.
    std::vector<std::int32_t> tokens_of_rank;  ///< Of the expert group.
    std::int64_t tokens = 0;
    std::vector<KindTime> kind_times;        ///< Of the stage at hand.
    std::vector<ExpertLayerTime> layers;     ///< [MoE layer]
    std::vector<Seconds> experts;            ///< [MoE layer * attention ranks + rank]
    std::vector<ExpertLayerRecord> records;  ///< [MoE layer], if drawn.
    double slow_down = 1.0;                  ///< Of arithmetic, by what communication keeps.
    bool hooks = false;                      ///< Messages travel without multiprocessors.
    Bytes dispatch_copy{};                   ///< Of a token on its way to the experts.
    Bytes combine_copy{};
  };
  struct OverlappedStage;
  class OverlapDrawing;

  void count_neighbours(const topology::Topology& topology,
                        const std::vector<std::vector<GpuId>>& groups);
  void lay_out_stages(const topology::Topology& topology,
                      const std::vector<std::vector<GpuId>>& groups);
  /// Index of the stretch.
  static std::size_t add_stretch(Stage& stage, const std::vector<std::int32_t>& layers_of_kind);
  /// `halves`: of a split iteration, whose shared experts run by themselves.
  void time_kinds(std::span<const RankBatch> ranks, const Stage& stage, bool halves,
                  std::vector<KindTime>& times) const;
  void spread_tokens(std::span<const RankBatch> ranks, std::vector<std::int32_t>& of_rank) const;
  void add_stretches(std::size_t ranks, const Stage& stage, StepTime& time) const;
  /// The same layers `times` times, by `kind_times_`: all ranks wait for the slowest at their end.
  void add_layers(std::size_t ranks, std::span<const std::int32_t> layers_of_kind, double times,
                  StepTime& time) const;
  void begin_experts(std::span<const RankBatch> ranks, bool prefill, bool drawn);
  // Captured graphs, in instance_graphs.cpp.
  /// What the ranks compute: their batches, filled up to the graph that they replay. Valid until
  /// the next call.
  [[nodiscard]] std::span<const RankBatch> padded(std::span<const RankBatch> ranks);
  /// Without a graph the host launches each layer: the stage is no faster than that.
  void add_launches(std::span<const RankBatch> ranks, const Stage& stage, StepTime& time) const;
  /// Tells the exchanges how often others are likely to be on the same links: as often as this
  /// stage's own were.
  void expect_neighbours(std::size_t stage_index);
  void expect_caches(std::span<const RankBatch> ranks, bool prefill);
  /// Lengthens the exchanges of a layer by what caches take of the network.
  void meet_caches_in(std::size_t stage_index, ExpertLayerTime& time);
  [[nodiscard]] placement::Copies copies_of(std::span<const RankBatch> ranks, std::size_t stage,
                                            bool prefill) const;
  void add_experts(std::size_t stage_index, std::int64_t tokens, bool prefill, bool record,
                   StepTime& time);
  void add_expert_layer(std::int64_t layer, std::size_t stage_index, bool prefill, bool record,
                        StepTime& time);
  void add_ends(std::span<const RankBatch> ranks, std::size_t stage_index, StepTime& time);

  // The drafting module, in instance_drafts.cpp.
  void batches_of_draft(std::span<const RankBatch> ranks, std::int32_t draft);
  void add_drafts(std::span<const RankBatch> ranks, std::size_t stage_index, bool prefill,
                  StageTimeline* drawn, StepTime& time);
  void add_draft(std::size_t stage_index, bool prefill, StageTimeline* drawn, StepTime& time);

  void count_exchanges(std::size_t ranks, Stage& stage, const StepTime& time) const;

  // Two micro-batches, in instance_overlap.cpp.
  static void count_split_layers(Stage& stage);
  [[nodiscard]] bool splits(std::span<const RankBatch> ranks) const;
  void price_halves(std::span<const RankBatch> ranks, bool prefill, bool record);
  void price_half(MicroBatch& half, bool prefill, bool record);
  void draw_half(MicroBatch& half, bool prefill, bool record);
  void add_overlapped(std::span<const RankBatch> ranks, std::size_t stage_index, bool prefill,
                      StageTimeline* drawn, StepTime& time);
  void book_halves(const Stage& stage, const TwoBatchTime& run, StepTime& time) const;

  /// Before a stage computes: blocks to the host and back, each rank its own.
  void add_swaps(std::span<const RankBatch> ranks, StepTime& time) const;
  [[nodiscard]] LimitedTime swap_time(const RankBatch& batch) const;
  // Rebalancing, in instance_rebalancing.cpp.
  void begin_moves();
  void add_moves(std::size_t stage_index, StepTime& time);
  void watch_tokens();
  void watch_layer(std::int64_t layer);

  // Sampling, in instance_sampling.cpp.
  [[nodiscard]] bool samples(bool drawn) const;
  void sample(std::span<const RankBatch> ranks, bool prefill);
  void forget_samples();
  [[nodiscard]] ExpertRecord draw_record(std::span<const RankBatch> ranks, bool prefill);
  [[nodiscard]] SampledExperts::KindOf kind_of(std::span<const RankBatch> ranks, bool prefill);
  /// The exchange and the experts of the module that drafts.
  [[nodiscard]] ExpertLayerTime sample_draft(std::span<const RankBatch> ranks,
                                             std::size_t stage_index, bool prefill);
  void count_exact(std::span<const RankBatch> ranks, bool prefill);
  /// Layers of a draft over those of an iteration.
  [[nodiscard]] double share_of_draft() const;
  void scale_traffic(StageTraffic& traffic) const;
  /// Exchanges of neighbours on the same leaf links at a time, in the mean so far.
  [[nodiscard]] double busy_neighbours(const Stage& stage) const;
  /// Tokens of the GPU that sends most, where the fullest attention rank has so many.
  [[nodiscard]] std::int64_t most_on_a_gpu(std::size_t ranks, std::int64_t largest) const;

  // Timelines, in instance_timeline.cpp: the times above, in order.
  void draw_stage(std::span<const RankBatch> ranks, std::size_t stage_index, StageTimeline& drawn);
  /// Moves, overhead and embedding, which stand before the layers.
  [[nodiscard]] StageDrawing begin_drawing(std::span<const RankBatch> ranks,
                                           std::size_t stage_index, StageTimeline& drawn);
  /// Layers before the first exchange of a stage in two micro-batches, or after the last.
  void draw_whole_layers(std::span<const RankBatch> ranks, std::size_t stage_index, bool leading,
                         StageDrawing& drawing);
  void draw_layer(std::span<const RankBatch> ranks, const Stage& stage, std::int64_t layer,
                  std::size_t kind, StageDrawing& drawing);
  void draw_reduction(std::span<const RankBatch> ranks, const Stage& stage, std::int64_t layer,
                      bool gather, StageDrawing& drawing) const;
  void draw_experts(std::int32_t layer, ExpertLayerRecord& record, StageTimeline& drawn,
                    StageDrawing& drawing) const;
  void draw_ends(std::span<const RankBatch> ranks, bool first, bool last, StageDrawing& drawing);

  const Deployment* deployment_;
  ModelCost* model_;
  std::vector<Stage> stages_;
  std::optional<ExpertCost> experts_;
  SwapPrice swap_price_;
  std::unique_ptr<Rebalancer> rebalancer_;
  std::shared_ptr<SampledExperts> sampled_;         ///< Shared with instances that lie alike.
  std::shared_ptr<SampledExperts> sampled_drafts_;  ///< One layer each, where a module drafts.
  bool owns_samples_ = false;                       ///< Of those that share them, one reports them.
  std::array<double, 2> served_{};  ///< Tokens, by way of travelling (per pick: [1]).
  std::vector<Seconds> probe_;      ///< ExpertCost::probe_exchanges().
  std::span<const ExpertLayerTime> sampled_layers_;  ///< Of this iteration; empty: it is exact.
  std::vector<LayerMoves> moves_;                    ///< Of this iteration.
  std::vector<std::int64_t> tokens_passed_;          ///< [attention rank] since the start.
  std::vector<KindTime> kind_times_;                 ///< [rank * kinds]
  std::vector<std::int32_t> tokens_of_rank_;         ///< Of the expert group.
  std::vector<StepTime> times_;
  std::vector<ExpertLayerRecord> expert_records_;  ///< Of a stage that is drawn.
  std::array<MicroBatch, 2> halves_;
  std::vector<RankBatch> draft_batches_;
  std::vector<RankBatch> padded_batches_;
  std::int64_t graph_ = 0;  ///< Sequences of the graph that this iteration replays; 0: none.
  std::int64_t top_k_ = 0;
  TwoStreams streams_;
};

}  // namespace moesim::serving
