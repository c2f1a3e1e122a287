// The independent judge of placements: balance, copies between nodes, moves. Shares no code with
// the strategies it judges.
//
// Balance: max / mean over ranks of sum load(e) / replicas(e). Copies: distinct remote nodes that a
//   token's experts lie on, in the mean over tokens, for three ways in which engines choose a
//   replica. Batch balance: max / mean of tokens per rank when all tokens form one batch.
// Formulas: docs/models/placement.md. Layer: placement.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "placement/placement.h"
#include "placement/problem.h"

namespace moesim::placement {

/// A rank's load over the ranks' mean, at its largest. `load`: [experts] of the layer.
[[nodiscard]] double balance(std::span<const std::int32_t> expert_of_slot,
                             std::span<const double> load, std::int64_t slots_per_rank);

/// Copies and batch balance of the tokens of one layer.
struct TokenScore {
  double copies_random = 0.0;    ///< Remote nodes per token, replica by hash.
  double copies_locality = 0.0;  ///< Own node first, then a node already sent to, then by hash.
  double copies_per_pick = 0.0;  ///< Copies to remote nodes without de-duplication, by hash.
  double batch_random = 0.0;
  double batch_locality = 0.0;
  double batch_optimal = 0.0;  ///< Least by whole tokens (maximum flow); 0 where not asked for.
  [[nodiscard]] double copies() const { return 0.5 * (copies_random + copies_locality); }
};

struct LayerScore {
  double balance = 0.0;
  std::optional<TokenScore> tokens{};  ///< Of layers with tokens.
};

struct Score {
  std::vector<LayerScore> layers;  ///< [moe_layers]
  double balance_mean = 0.0;
  double balance_worst = 0.0;
  double balancedness = 0.0;           ///< Mean over layers of mean / max.
  std::optional<TokenScore> tokens{};  ///< Mean over the layers that have tokens.
};

struct Judgement {
  bool batch_optimal = false;  ///< Also solve the maximum flows.
};

/// Source rank of a token: mix of its request, modulo ranks. Random replica: mix of token number,
/// layer and expert, modulo replicas (splitmix64). Precondition: the placement verifies and has the
/// workload's layers and experts.
[[nodiscard]] Score evaluate(const Placement& placement, const Workload& workload,
                             const Judgement& judgement = {});

/// Slots of each layer whose expert did not lie on their rank before. Order inside a rank is free.
[[nodiscard]] std::vector<std::int64_t> slots_moved(const Placement& from, const Placement& to);

/// No placement of these slots can have a smaller max / mean: the hottest replica alone, spare
/// slots going to the hottest experts, and 1. `load`: [experts].
[[nodiscard]] double even_split_bound(std::span<const double> load, std::int64_t ranks,
                                      std::int64_t slots_per_rank);

/// The same and at least as tight: also counts the slots that lie beside heavy replicas
/// (pigeonhole, by dual weights). 0.2 to 3 ms for 256 experts.
[[nodiscard]] double balance_lower_bound(std::span<const double> load, std::int64_t ranks,
                                         std::int64_t slots_per_rank);

}  // namespace moesim::placement
