// What a placement costs: time of a MoE layer (dispatch, slowest rank's experts, combine) under it.
//
// Model:   batches of given tokens are counted by the runs' own dispatcher and priced by
// ExpertCost:
//          the same kernels, curves and links. Layers whose tokens are not given draw theirs from
//          the router of the workload's loads. Mean over batches.
// Slopes:  layer_price takes them from the same price by finite differences: the pairs of the
//          busiest rank and the copies between nodes, each a quarter more.
// Omits:   what other layers' exchanges on shared links add; see docs/models/iteration.md.
// Layer:   serving.
#pragma once

#include <cstdint>
#include <vector>

#include "core/units.h"
#include "placement/placement.h"
#include "placement/problem.h"
#include "serving/deployment.h"
#include "serving/expert_cost.h"
#include "strategies/strategy.h"
#include "topology/topology.h"

namespace moesim::serving {

/// Batches that a placement is priced on.
struct PriceBatch {
  std::int64_t tokens_per_rank = 64;  ///< Of each rank of the expert group, at least 1.
  bool prefill = false;               ///< Prompts: runs of adjacent tokens, kernels of prompts.
  std::int64_t batches = 4;           ///< Per layer, at least 1.
  std::uint64_t seed = 1;
};

struct LayerTimes {
  Seconds dispatch{};
  Seconds slowest{};  ///< Experts on the slowest rank.
  Seconds mean{};     ///< Over the ranks: what perfect balance would leave of it, or less.
  Seconds combine{};
  [[nodiscard]] Seconds total() const { return dispatch + slowest + combine; }
};

struct PlacementPrice {
  std::vector<LayerTimes> layers;  ///< [moe_layers]
  LayerTimes all;                  ///< Their sum: what an iteration spends in its MoE layers.
  bool per_pick = false;           ///< The kernels send a copy per pick, not per node.
};

/// Precondition (checked): the placement verifies and has the deployment's MoE layers, experts and
/// ep; the workload has its loads. Tokens, if any, are used in the layers that they were traced in.
/// O(batches * tokens * layers).
[[nodiscard]] PlacementPrice price_placement(const Deployment& deployment,
                                             const topology::Topology& topology,
                                             const placement::Placement& placement,
                                             const placement::Workload& workload,
                                             const PriceBatch& batch = {});

/// Decoding tokens of each rank of the expert group when its sequences are as many as the scheduler
/// allows, at most 256.
[[nodiscard]] std::int64_t usual_batch(const Deployment& deployment);

/// Seconds of one MoE layer, in the mean, per unit of max / mean rank load and per copy to a remote
/// node per token, under the balanced placement and the deployment's popularity.
[[nodiscard]] strategies::LayerPrice layer_price(const Deployment& deployment,
                                                 const topology::Topology& topology,
                                                 std::int64_t tokens_per_rank, bool prefill);

}  // namespace moesim::serving
