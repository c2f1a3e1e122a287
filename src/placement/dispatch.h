// From drawn experts to work and traffic: tokens per rank and expert, copies per node and rank.
//
// The inner loop of an exact run: one call per token and layer. For every token on a source rank it
// picks one replica of each chosen expert (own domain first, else by a hash of the running token
// number: even shares), adds it to the slot's count, and counts copies de-duplicated per domain
// (scale-out) and per rank (scale-up), in the form operators::TokenTraffic reads.
// Layer: placement.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "placement/placement.h"
#include "routing/expert_router.h"

namespace moesim::placement {

/// Counts of one MoE layer for one iteration. Flat arrays, sized once, cleared per layer.
struct LayerTraffic {
  std::vector<std::int32_t> slot_tokens;   ///< [slots]
  std::vector<std::int32_t> to_node;       ///< [ranks * domains]
  std::vector<std::int32_t> scale_up_in;   ///< [ranks]
  std::vector<std::int32_t> scale_up_out;  ///< [ranks]
  std::int64_t token_copies_between_nodes = 0;
};

/// What the layer cost model needs of each rank.
struct RankLoad {
  std::int64_t tokens = 0;
  std::int64_t experts_touched = 0;
  std::int64_t max_tokens = 0;
};

class Dispatcher {
 public:
  Dispatcher(const routing::ExpertRouter& router, const Placement& placement);
  /// Draws layer `layer` for `tokens_of_rank[r]` tokens on each source rank and counts the traffic.
  /// The stream is the caller's: one per (run, instance). No allocation.
  void run(std::int64_t layer, std::span<const std::int32_t> tokens_of_rank, RandomStream& stream,
           LayerTraffic& traffic);
  /// Per-rank sums of the slot counts.
  void rank_loads(const LayerTraffic& traffic, std::span<RankLoad> loads) const;
  [[nodiscard]] LayerTraffic make_traffic() const;

 private:
  const routing::ExpertRouter* router_;
  PlacementShape shape_;
  // Replica tables are the placement engineer's to lay out.
};

}  // namespace moesim::placement
