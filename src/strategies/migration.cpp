#include "strategies/migration.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>

#include "core/check.h"

namespace moesim::strategies {
namespace {

using placement::Placement;
using placement::PlacementShape;

std::int32_t node_of(const PlacementShape& shape, std::int32_t rank) {
  return shape.domain_of_rank.empty() ? 0 : shape.domain_of_rank[static_cast<std::size_t>(rank)];
}

std::int32_t rack_of(const PlacementShape& shape, std::int32_t rank) {
  if (shape.rack_of_domain.empty()) return 0;
  return shape.rack_of_domain[static_cast<std::size_t>(node_of(shape, rank))];
}

/// Ranks that hold each expert of one layer, ascending.
class Holders {
 public:
  Holders(const Placement& placement, std::int64_t layer)
      : ranks_(static_cast<std::size_t>(placement.shape.experts)) {
    const std::int64_t slots = placement.shape.slots();
    for (std::int64_t s = 0; s < slots; ++s) {
      const auto slot = static_cast<std::size_t>(layer * slots + s);
      ranks_[static_cast<std::size_t>(placement.expert_of_slot[slot])].push_back(
          static_cast<std::int32_t>(s / placement.shape.slots_per_rank));
    }
  }
  [[nodiscard]] const std::vector<std::int32_t>& of(std::int32_t expert) const {
    return ranks_[static_cast<std::size_t>(expert)];
  }
  [[nodiscard]] bool has(std::int32_t expert, std::int32_t rank) const {
    return std::binary_search(of(expert).begin(), of(expert).end(), rank);
  }

 private:
  std::vector<std::vector<std::int32_t>> ranks_;
};

/// 0: same node, 1: same rack, 2: elsewhere.
int distance(const PlacementShape& shape, std::int32_t a, std::int32_t b) {
  if (node_of(shape, a) == node_of(shape, b)) return 0;
  return rack_of(shape, a) == rack_of(shape, b) ? 1 : 2;
}

/// Colours of the edges at one rank: which edge has which.
using Colours = std::map<std::int32_t, std::size_t>;

std::int32_t first_free(const Colours& colours, std::int32_t& at_least) {
  while (colours.contains(at_least)) ++at_least;
  return at_least;
}

/// Koenig's colouring: edge by edge; where the two ends lack different colours, those two change
/// places along the path that leaves the receiver.
class RoundColouring {
 public:
  explicit RoundColouring(std::span<const Move> moves) : moves_(moves), colour_(moves.size(), -1) {
    std::int32_t ranks = 0;
    for (const Move& m : moves) ranks = std::max({ranks, m.from_rank + 1, m.to_rank + 1});
    for (auto& side : side_) side.resize(static_cast<std::size_t>(ranks));
    for (auto& side : free_) side.assign(static_cast<std::size_t>(ranks), 0);
    for (std::size_t i = 0; i < moves.size(); ++i) add(i);
  }
  [[nodiscard]] std::int32_t colour(std::size_t move) const { return colour_[move]; }

 private:
  [[nodiscard]] std::size_t end(std::size_t move, std::size_t side) const {
    return static_cast<std::size_t>(side == 0 ? moves_[move].from_rank : moves_[move].to_rank);
  }
  Colours& at(std::size_t move, std::size_t side) { return side_[side][end(move, side)]; }
  std::int32_t free_colour(std::size_t move, std::size_t side) {
    return first_free(at(move, side), free_[side][end(move, side)]);
  }
  void set(std::size_t move, std::int32_t colour) {
    colour_[move] = colour;
    for (std::size_t side = 0; side < 2; ++side) at(move, side)[colour] = move;
  }
  void clear(std::size_t move) {
    for (std::size_t side = 0; side < 2; ++side) {
      at(move, side).erase(colour_[move]);
      free_[side][end(move, side)] = std::min(free_[side][end(move, side)], colour_[move]);
    }
  }
  void add(std::size_t move) {
    const std::int32_t a = free_colour(move, 0);
    const std::int32_t b = free_colour(move, 1);
    if (a != b) exchange(end(move, 1), a, b);
    set(move, a);
  }
  /// Frees colour `a` at the receiver, which lacks `b`. The path never comes to the sender of the
  /// new edge: it reaches senders by `a`, which that sender lacks.
  void exchange(std::size_t receiver, std::int32_t a, std::int32_t b) {
    path_.clear();
    std::size_t rank = receiver;
    for (std::size_t side = 1;; side = 1 - side) {
      const Colours& here = side_[side][rank];
      const auto edge = here.find(side == 1 ? a : b);
      if (edge == here.end()) break;
      path_.push_back(edge->second);
      rank = end(edge->second, 1 - side);
    }
    for (const std::size_t edge : path_) clear(edge);
    for (const std::size_t edge : path_) set(edge, colour_[edge] == a ? b : a);
  }

  std::span<const Move> moves_;
  std::vector<std::int32_t> colour_;
  std::array<std::vector<Colours>, 2> side_;       ///< Senders, receivers.
  std::array<std::vector<std::int32_t>, 2> free_;  ///< No colour below is free.
  std::vector<std::size_t> path_;
};

}  // namespace

std::vector<Move> moves_between(const Placement& from, const Placement& to) {
  const PlacementShape& shape = to.shape;
  MOESIM_CHECK(from.expert_of_slot.size() == to.expert_of_slot.size() &&
                   from.shape.experts == shape.experts && from.shape.ranks == shape.ranks,
               "migration between placements of two shapes");
  std::vector<Move> moves;
  std::vector<std::int64_t> sent(static_cast<std::size_t>(shape.ranks), 0);
  const auto room = static_cast<std::size_t>(shape.slots_per_rank);
  std::vector<std::int32_t> arriving;
  for (std::int64_t l = 0; l < shape.moe_layers; ++l) {
    const Holders before(from, l);
    for (std::int64_t r = 0; r < shape.ranks; ++r) {
      const auto rank = static_cast<std::int32_t>(r);
      const auto first = to.expert_of_slot.begin() +
                         static_cast<std::ptrdiff_t>(l * shape.slots() + r * shape.slots_per_rank);
      arriving.assign(first, first + static_cast<std::ptrdiff_t>(room));
      std::erase_if(arriving, [&](std::int32_t expert) { return before.has(expert, rank); });
      std::sort(arriving.begin(), arriving.end());
      for (const std::int32_t expert : arriving) {
        const auto& holders = before.of(expert);
        const auto source =
            *std::min_element(holders.begin(), holders.end(), [&](std::int32_t a, std::int32_t b) {
              const int far_a = distance(shape, a, rank);
              const int far_b = distance(shape, b, rank);
              if (far_a != far_b) return far_a < far_b;
              return sent[static_cast<std::size_t>(a)] < sent[static_cast<std::size_t>(b)];
            });
        ++sent[static_cast<std::size_t>(source)];
        moves.push_back({.layer = static_cast<std::int32_t>(l),
                         .expert = expert,
                         .from_rank = source,
                         .to_rank = rank});
      }
    }
  }
  return moves;
}

std::vector<std::vector<Move>> transfer_rounds(std::span<const Move> moves) {
  const RoundColouring colouring(moves);
  std::vector<std::vector<Move>> rounds;
  for (std::size_t i = 0; i < moves.size(); ++i) {
    const auto round = static_cast<std::size_t>(colouring.colour(i));
    if (rounds.size() <= round) rounds.resize(round + 1);
    rounds[round].push_back(moves[i]);
  }
  return rounds;
}

MigrationBytes migration_bytes(std::span<const Move> moves, const PlacementShape& shape,
                               Bytes slot) {
  std::vector<double> sent(static_cast<std::size_t>(shape.ranks), 0.0);
  std::vector<double> received(static_cast<std::size_t>(shape.ranks), 0.0);
  double between = 0.0;
  for (const Move& m : moves) {
    sent[static_cast<std::size_t>(m.from_rank)] += 1.0;
    received[static_cast<std::size_t>(m.to_rank)] += 1.0;
    if (node_of(shape, m.from_rank) != node_of(shape, m.to_rank)) between += 1.0;
  }
  const auto most = [](const std::vector<double>& counts) {
    return counts.empty() ? 0.0 : *std::max_element(counts.begin(), counts.end());
  };
  return {.total = static_cast<double>(moves.size()) * slot,
          .between_nodes = between * slot,
          .busiest_sender = most(sent) * slot,
          .busiest_receiver = most(received) * slot};
}

}  // namespace moesim::strategies
