// Time of the routed experts of each MoE layer of one instance: draw, dispatch, compute, combine.
//
// Exact: every token of every layer draws its experts; the rank that finishes last decides. With
// attention data parallelism tokens travel to the ranks that hold their experts and back; without
// it every rank has every token and the experts' results are summed by an all-reduce. Ranks that
// split experts between them (ep < tp * dp) are one rank of the expert group, and gather all
// tokens. Omits: overlap of dispatch and combine with compute. See docs/models/iteration.md. Layer:
// serving.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/random.h"
#include "operators/collectives.h"
#include "operators/expert_kernels.h"
#include "placement/dispatch.h"
#include "serving/deployment.h"
#include "serving/expert_plan.h"
#include "serving/kernels.h"
#include "serving/link_use.h"
#include "serving/step_time.h"
#include "serving/timeline.h"
#include "serving/token_exchange.h"
#include "serving/token_picker.h"
#include "topology/topology.h"

namespace moesim::serving {

/// Elements of one token as it travels to its experts: hidden, or less where experts are narrower.
[[nodiscard]] std::int64_t expert_width(const catalog::Model& model);

/// Sums over a run, for balancedness and traffic.
struct ExpertStatistics {
  std::vector<double> mean_load;  ///< Per MoE layer: sum over iterations of the mean rank load.
  std::vector<double> max_load;
  double copies_between_nodes =
      0;                    ///< Token copies sent to another scale-up domain (dispatch only).
  double token_layers = 0;  ///< Tokens times MoE layers drawn.
  /// Preconditions: as many layers.
  void add(double times, const ExpertStatistics& other);
};

struct ExpertLayerTime {
  LimitedTime dispatch;
  Seconds slowest;   ///< Experts on the slowest rank.
  LimitedTime mean;  ///< Over the ranks.
  LimitedTime combine;
  void add_to(StepTime& time) const {
    time.add(StepPart::Dispatch, 1.0, dispatch);
    time.add(StepPart::Experts, 1.0, mean);
    time[StepPart::Waiting] += std::max(Seconds{}, slowest - mean.sum());
    time.add(StepPart::Combine, 1.0, combine);
    time.total += dispatch.sum() + slowest + combine.sum();
  }
};

class ExpertCost {
 public:
  /// `groups`: GPUs of the expert group of each pipeline stage. `picks`: for tokens of the bank.
  ExpertCost(const Deployment& deployment, Kernels& kernels, const ExpertPlan& plan,
             const topology::Topology& topology, const std::vector<std::vector<GpuId>>& groups,
             RandomStream stream, RandomStream picks);
  /// MoE layer `layer` (0-based) on stage `stage` for the given tokens of each rank of the group.
  /// `prefill`: tokens of prompts are among them. `record`, where given, gets each rank's part.
  [[nodiscard]] ExpertLayerTime price(std::int64_t layer, std::size_t stage,
                                      std::span<const std::int32_t> tokens_of_rank, bool prefill,
                                      ExpertLayerRecord* record = nullptr);
  /// The same for tokens whose experts are given, source rank by source rank, top_k each.
  [[nodiscard]] ExpertLayerTime price_given(std::int64_t layer, std::size_t stage,
                                            std::span<const std::int32_t> tokens_of_rank,
                                            std::span<const std::uint16_t> experts,
                                            std::uint64_t replica_seed, bool prefill);
  /// What the layer priced last would take with so many times the pairs on its busiest rank and
  /// copies between nodes (rounded to whole ones).
  [[nodiscard]] ExpertLayerTime price_scaled(std::int64_t layer, std::size_t stage,
                                             std::span<const std::int32_t> tokens_of_rank,
                                             double pairs, double copies);
  /// Chooses the bank's tokens of an iteration; to be called before its layers are priced. Nothing
  /// to do without a bank.
  void begin_iteration(std::span<const RankBatch> ranks);
  /// Tokens of each slot in the layer priced last.
  [[nodiscard]] std::span<const std::int32_t> slot_tokens() const { return traffic_.slot_tokens; }
  /// The bank and the tokens of this iteration; null without a bank.
  [[nodiscard]] const routing::TokenBank* bank() const {
    return picker_ ? &picker_->bank() : nullptr;
  }
  [[nodiscard]] std::span<const std::uint32_t> bank_tokens() const { return bank_tokens_; }
  /// From here on tokens come from this plan's router or bank, which must outlive it.
  void draw_from(const ExpertPlan& plan) {
    if (plan.router != nullptr) dispatcher_.draw_from(*plan.router);
    if (plan.bank != nullptr) picker_->draw_from(*plan.bank);
  }
  /// Other experts in the slots of a layer.
  void set_layer(std::int64_t layer, std::span<const std::int32_t> expert_of_slot) {
    dispatcher_.set_layer(layer, expert_of_slot);
  }
  /// The same for the experts that the last price() drew for a layer: what there is to do besides
  /// the draw.
  [[nodiscard]] ExpertLayerTime price_drawn(std::int64_t layer, std::size_t stage,
                                            std::span<const std::int32_t> tokens_of_rank);
  /// Other groups' exchanges on the same narrow links at a time, in the mean.
  void set_neighbours(std::size_t stage, double others) {
    if (exchanges_) exchange_of_stage_[stage].set_neighbours(others);
  }
  /// Whether a stage's exchanges get slower where others use the same links.
  [[nodiscard]] bool feels_neighbours(std::size_t stage) const {
    return exchanges_ && exchange_of_stage_[stage].feels_neighbours();
  }
  /// See TokenExchange; 0 without attention data parallelism.
  [[nodiscard]] double flows_on_port(std::size_t stage, placement::Copies copies) const {
    return exchanges_ ? exchange_of_stage_[stage].flows_on_port(copies) : 0.0;
  }
  /// What the exchanges of each stage take when one rank after the other has most to send: equal
  /// for groups that lie alike.
  [[nodiscard]] std::vector<Seconds> probe_exchanges();
  /// From here on both count what they send in one place.
  void count_together_with(ExpertCost& other) { sent_ = other.sent_; }
  /// Experts of each rank of the group in the layer priced last.
  [[nodiscard]] std::span<const Seconds> rank_times() const { return rank_times_; }
  /// Bytes of one copy of a token on its way to the experts, and of what comes back.
  [[nodiscard]] Bytes dispatch_copy(std::size_t stage, placement::Copies copies) const {
    return exchange_of_stage_[stage].dispatch_copy(copies);
  }
  [[nodiscard]] Bytes combine_copy(std::size_t stage, placement::Copies copies) const {
    return exchange_of_stage_[stage].combine_copy(copies);
  }
  /// How the last layer's tokens travelled.
  [[nodiscard]] placement::Copies last_copies() const { return copies_; }
  [[nodiscard]] const ExpertStatistics& statistics() const { return statistics_; }
  /// Starts again from these counts; returns those so far.
  ExpertStatistics exchange_statistics(ExpertStatistics begin) {
    return std::exchange(statistics_, std::move(begin));
  }
  /// Counts of nothing.
  [[nodiscard]] ExpertStatistics no_statistics() const;
  /// How tokens of such an iteration travel.
  [[nodiscard]] placement::Copies copies(std::size_t stage, bool prefill,
                                         std::int64_t most_tokens) const {
    return exchanges_ ? exchange_of_stage_[stage].copies(prefill, most_tokens)
                      : placement::Copies::Deduplicated;
  }
  /// Adds the copies that a stage has exchanged so far.
  void add_traffic(std::size_t stage, StageTraffic& traffic) const;

 private:
  void choose_copies(std::size_t stage, std::span<const std::int32_t> tokens_of_rank, bool prefill);
  void draw(std::int64_t layer, std::span<const std::int32_t> tokens_of_rank);
  /// The kernels of one shape of experts, for either layout of what arrived.
  struct Timers {
    operators::ExpertKernels contiguous;
    operators::ExpertKernels masked;
  };
  [[nodiscard]] const operators::ExpertKernels& kernels_of(std::int64_t layer) const;
  void time_ranks(const operators::ExpertKernels& kernels, std::size_t layer,
                  std::span<const std::int32_t> tokens_of_rank, ExpertLayerTime& time);
  void record_ranks(const operators::ExpertKernels& kernels,
                    std::span<const std::int32_t> tokens_of_rank, ExpertLayerRecord& record);
  /// Of one rank, in all passes of the layer.
  [[nodiscard]] operators::OperatorTime time_of(const operators::ExpertKernels& kernels,
                                                std::span<const std::int32_t> slots,
                                                std::int64_t group_tokens);
  void gather(TokenExchange& exchange, std::span<const std::int32_t> tokens_of_rank,
              ExpertLayerTime& time);
  /// What the exchange of the layer priced last carries, GPU by GPU.
  [[nodiscard]] const placement::LayerTraffic& carried() const {
    return split_ > 1 ? gathered_ : traffic_;
  }

  bool exchanges_;                           ///< Tokens travel (attention data parallelism).
  std::vector<Timers> timers_;               ///< Of each run of equal layers.
  std::vector<std::size_t> timer_of_layer_;  ///< Index into timers_.
  placement::Dispatcher dispatcher_;
  std::optional<TokenPicker> picker_;           ///< Where tokens come from a bank.
  std::span<const std::uint32_t> bank_tokens_;  ///< Of this iteration.
  std::vector<TokenExchange> exchange_of_stage_;
  std::int64_t split_ = 1;   ///< GPUs that exchange tokens and are one rank of the expert group.
  std::int64_t passes_ = 1;  ///< Of the layer priced last.
  placement::LayerTraffic gathered_;         ///< Of GPUs; only where experts are split.
  std::vector<std::int32_t> tokens_of_gpu_;  ///< Likewise.
  std::vector<std::int32_t> pass_slots_;
  placement::LayerTraffic traffic_;
  placement::Copies copies_ = placement::Copies::Deduplicated;  ///< How `traffic_` was counted.
  std::vector<Seconds> rank_times_;
  RandomStream stream_;
  ExpertStatistics statistics_;
  std::vector<std::int32_t> domain_of_gpu_;  ///< Of those that exchange tokens.
  /// [stage * 2 + (per pick ? 1 : 0)]
  std::shared_ptr<std::vector<ExchangeTotals>> sent_;
};

}  // namespace moesim::serving
