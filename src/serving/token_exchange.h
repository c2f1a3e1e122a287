// Dispatch and combine of one expert group, by the kernels an engine would choose for the batch.
//
// Iterations with prompts, or with more tokens than the low-latency buffers hold, use the normal
// kernels; pure decode uses the low-latency ones; inside one NVLink domain engines may use
// TensorRT-LLM's kernels (FlashInfer's). Or DeepEP's normal or low-latency kernels for all of them,
// or by all-gather and reduce-scatter (gathered_tokens.h). Without curves: latency and the busiest
// link, node-de-duplicated. Where leaf links are narrower than the ports below the max-min
// estimates of `net` take the place of the busiest link. Source:  DeepEP's two modes and SGLang's
// automatic choice; docs/models/collectives.md. Layer:   serving.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "net/exchange_estimate.h"
#include "operators/all_to_all.h"
#include "placement/dispatch.h"
#include "serving/deployment.h"
#include "serving/gathered_tokens.h"
#include "serving/kernels.h"
#include "serving/step_time.h"
#include "serving/timeline.h"
#include "topology/topology.h"

namespace moesim::serving {

/// Tokens of a GPU that the low-latency buffers hold: the engines' default sizes are 128 (SGLang)
/// and 256 (vLLM).
inline constexpr std::int64_t kMostLowLatencyTokens = 256;

/// How the tokens of an expert group on these GPUs come to their experts. Precondition: dp > 1.
[[nodiscard]] TokensCome way_of_tokens(const Deployment& deployment,
                                       const topology::Topology& topology,
                                       std::span<const GpuId> group);

class TokenExchange {
 public:
  /// `group`: GPU of each rank of the expert group. `top_k`, `experts`: of its MoE layers.
  TokenExchange(const Deployment& deployment, Kernels& kernels, const topology::Topology& topology,
                std::span<const GpuId> group, std::int64_t top_k, std::int64_t experts);

  /// How the tokens of an iteration travel: what the dispatcher is to count.
  [[nodiscard]] placement::Copies copies(bool prefill, std::int64_t most_tokens) const;

  /// Exchanges of one layer, one after the other with their experts: above 1 where low-latency
  /// kernels serve batches beyond their buffers.
  [[nodiscard]] std::int64_t passes(std::int64_t most_tokens) const {
    return low_latency_alone_ && most_tokens > kMostLowLatencyTokens
               ? (most_tokens + kMostLowLatencyTokens - 1) / kMostLowLatencyTokens
               : 1;
  }

  /// Whether traffic of copies per pick must have `between_ranks` counted.
  [[nodiscard]] bool counts_pairs() const { return straight_.has_value(); }

  /// What the layer asks of the links; where leaf links are narrow, with the wait behind them.
  [[nodiscard]] operators::LinkLoad load(const placement::LayerTraffic& traffic,
                                         placement::Copies copies, std::int64_t most_tokens);
  /// Adds the times of one layer. `copies` as chosen for the iteration; `most_tokens`: of the
  /// source rank that has most.
  void add(const placement::LayerTraffic& traffic, placement::Copies copies,
           std::int64_t most_tokens, LimitedTime& dispatch, LimitedTime& combine);

  /// Every token goes to every rank, however many tokens there are: traffic is to be counted by
  /// GatheredTokens::count(), time to be added by add_gathered().
  [[nodiscard]] bool gathers() const { return gathered_.has_value(); }
  /// Adds the times of one layer of so many tokens of all ranks. Precondition: gathers().
  void add_gathered(const placement::LayerTraffic& traffic, std::int64_t tokens,
                    LimitedTime& dispatch, LimitedTime& combine);

  /// Of one copy of a token on its way to the experts, and of what comes back.
  [[nodiscard]] Bytes dispatch_copy(placement::Copies copies) const {
    return ways_[copies == placement::Copies::PerPick ? 1 : 0].dispatch_copy;
  }
  [[nodiscard]] Bytes combine_copy(placement::Copies copies) const {
    return ways_[copies == placement::Copies::PerPick ? 1 : 0].combine_copy;
  }
  /// Messages of an exchange on one network port, each to a GPU of its own; 0: it stays inside one
  /// scale-up domain. All-gathers are rings, of one.
  [[nodiscard]] double flows_on_port(placement::Copies copies) const;
  /// What the layer that was added last puts on each link.
  [[nodiscard]] LinkTraffic last_traffic(const placement::LayerTraffic& traffic,
                                         placement::Copies copies) const;

  /// Mean number of exchanges of other groups that use the same narrow leaf links at a time: where
  /// such a link binds, it is shared with them in equal parts.
  void set_neighbours(double others) { neighbours_ = others; }
  /// Whether there is such a link at all.
  [[nodiscard]] bool feels_neighbours() const {
    return estimate_.has_value() || straight_.has_value();
  }

 private:
  struct Way {
    operators::AllToAll exchange;
    bool measured;
    Bytes dispatch_copy;
    Bytes combine_copy;
  };
  [[nodiscard]] Way make_way(const Deployment& deployment, Kernels& kernels,
                             const topology::Topology& topology, std::span<const GpuId> group,
                             operators::AllToAllKind kind,
                             const operators::ExchangeShape& shape) const;
  /// Sharing behind narrow leaf links makes the network slower than its busiest link alone.
  void correct_for_sharing(const placement::LayerTraffic& traffic, placement::Copies copies,
                           std::int64_t most_tokens, operators::LinkLoad& load);
  void set_straight(const topology::Topology& topology, std::span<const GpuId> group);
  void add_phase(const Way& way, const operators::LinkLoad& load, Bytes copy,
                 operators::ExchangePhase phase, LimitedTime& time) const;

  /// Whether the link that decided the last answer of `estimate` joins a leaf to a spine.
  [[nodiscard]] bool leaf_binds(const net::ExchangeEstimate& estimate) const;

  const topology::Topology* topology_;
  std::int64_t ranks_;
  double ranks_on_nic_ = 1;
  std::optional<GatheredTokens> gathered_;
  bool low_latency_alone_ = false;  ///< For prompts and large batches too.
  double neighbours_ = 0;
  /// [0]: de-duplicated copies; [1]: a copy per pick, where there are such kernels.
  std::vector<Way> ways_;
  /// Of the copies between domains; only where leaf links they may cross are narrower than the
  /// ports below: oversubscribed, degraded, or one of several spines.
  std::optional<net::ExchangeEstimate> estimate_;
  /// Of copies per pick, rank to rank; likewise.
  std::optional<net::ExchangeEstimate> straight_;
};

}  // namespace moesim::serving
