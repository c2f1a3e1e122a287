// Rebalancing while an instance serves: loads are watched, a new placement is planned, experts
// move.
//
// Policy:  every so many iterations the window's loads are looked at; if the placement's
//          balancedness under them (the judge's: placement/evaluation.h) is below the threshold (or
//          there is none), the strategy plans for them, and its moves are carried out so many
//          layers an iteration, each before that layer's stage begins: blocking, as engines without
//          spare buffers do.
// Source:  SGLang's expert-location updater (every N iterations, by layer chunks, threshold of
//          utilisation) and vLLM's EPLB state (window, step interval); docs/models/serving.md.
// Omits:   the host's planning time (engines plan beside serving), memory for weights under way.
// Layer:   serving.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "placement/placement.h"
#include "routing/expert_router.h"
#include "routing/token_bank.h"
#include "serving/deployment.h"
#include "serving/expert_migration.h"
#include "serving/run_result.h"
#include "serving/step_time.h"
#include "strategies/strategy.h"

namespace moesim::serving {

/// A layer whose experts move now.
struct LayerMoves {
  std::int64_t layer = 0;
  std::vector<strategies::Move> moves;
};

/// Of one instance.
class Rebalancer {
 public:
  Rebalancer(const Deployment& deployment, const topology::Topology& topology,
             std::vector<std::vector<GpuId>> groups, const routing::RoutingShape& routing,
             std::shared_ptr<const placement::Placement> placement, std::uint64_t seed);

  /// Layers that change before this iteration; their slots() are the new ones from now on.
  [[nodiscard]] std::vector<LayerMoves> begin_iteration();
  /// Whether that will move any.
  [[nodiscard]] bool moves_next() const { return !pending_.empty(); }
  /// Experts of the slots of a layer.
  [[nodiscard]] std::span<const std::int32_t> slots(std::int64_t layer) const;
  /// Time of these layers' moves on a stage; counts slots and bytes.
  [[nodiscard]] LimitedTime move(std::size_t stage, std::span<const LayerMoves* const> layers);
  /// Whether this iteration's loads are wanted.
  [[nodiscard]] bool watches() const { return iteration_ + settings_.window_iterations >= due_; }
  /// Tokens of each slot of a layer in this iteration.
  void watch(std::int64_t layer, std::span<const std::int32_t> slot_tokens);
  /// Tokens of a bank that this iteration took; kept for strategies that plan by co-activation.
  void watch(const routing::TokenBank& bank, std::span<const std::uint32_t> tokens);
  /// Tokens of a bank that is no longer drawn from say nothing about the next one.
  void forget_tokens() {
    tokens_.clear();
    next_token_ = 0;
    bank_ = nullptr;
  }
  /// The iteration is priced.
  void end_iteration();
  /// At the end of the run, or in between: what has been done so far.
  [[nodiscard]] RebalancingSummary summary() const;

 private:
  void plan();
  /// Of the present placement under the window's loads: mean over MoE layers of mean / max rank
  /// load, replicas sharing evenly. Nothing where no load was seen.
  [[nodiscard]] std::optional<double> balancedness() const;
  [[nodiscard]] routing::TokenTrace watched_tokens() const;

  RebalancingSettings settings_;
  routing::RoutingShape routing_;
  std::uint64_t seed_;
  std::unique_ptr<strategies::Strategy> strategy_;
  ExpertMigration migration_;
  std::shared_ptr<const placement::Placement> placement_;  ///< Shared until it changes.
  std::shared_ptr<const placement::Placement> target_;     ///< While layers are pending.
  std::deque<LayerMoves> pending_;
  std::int64_t iteration_ = 0;  ///< Priced so far.
  std::int64_t due_;            ///< The next look at the loads.
  std::vector<double> load_;    ///< [moe_layers * experts] of the window.
  const routing::TokenBank* bank_ = nullptr;
  std::vector<std::uint32_t> tokens_;  ///< Last of the window.
  std::size_t next_token_ = 0;
  bool moved_ = false;  ///< The next look is the first one after a rebalancing.
  RebalancingSummary summary_;
};

}  // namespace moesim::serving
