// Which weights travel when one placement replaces another, and in which order.
//
// A slot moves if its expert did not lie on its rank before. It is copied from a rank that held the
// expert: of the same node if there is one, else of the same rack, and among those from the rank
// that sends least so far. Rounds: no rank sends or receives more than one slot at a time; as many
// rounds as the busiest rank has slots to send or to receive, which is the least possible
// (Koenig 1916: the edges of a bipartite multigraph of largest degree D take D colours).
// Omits: how long a round lasts on the fabric (the event simulation turns moves into flows), and
// room for two versions of a slot at once. docs/models/rebalancing.md. Layer: strategies.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/units.h"
#include "placement/placement.h"

namespace moesim::strategies {

/// One slot's weights from a rank that holds them to one that will.
struct Move {
  std::int32_t layer = 0;
  std::int32_t expert = 0;
  std::int32_t from_rank = 0;
  std::int32_t to_rank = 0;
  friend bool operator==(const Move&, const Move&) = default;
};

/// Ordered by layer, receiving rank, expert. As many as slots_moved() counts. Preconditions: both
/// verify and have the same shape.
[[nodiscard]] std::vector<Move> moves_between(const placement::Placement& from,
                                              const placement::Placement& to);

/// Moves that can run at once, round after round; every move in one of them. Fewest rounds.
[[nodiscard]] std::vector<std::vector<Move>> transfer_rounds(std::span<const Move> moves);

/// What a migration sends, given the bytes of one slot.
struct MigrationBytes {
  Bytes total;
  Bytes between_nodes;     ///< Part of `total` that leaves its node.
  Bytes busiest_sender;    ///< Largest sum over the moves of one sending rank.
  Bytes busiest_receiver;  ///< The same of one receiving rank.
};
[[nodiscard]] MigrationBytes migration_bytes(std::span<const Move> moves,
                                             const placement::PlacementShape& shape, Bytes slot);

}  // namespace moesim::strategies
