// Small placements and workloads drawn at random, for properties that hold of any.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "core/random.h"
#include "placement/problem.h"

namespace moesim::test {

/// Every expert once, then more replicas, never two on a rank. Precondition: slots >= experts >=
/// slots per rank.
inline placement::Placement random_placement(const placement::PlacementShape& shape,
                                             std::uint64_t seed) {
  placement::Placement placement{.shape = shape, .expert_of_slot = {}, .strategy = "by chance"};
  const auto experts = static_cast<std::size_t>(shape.experts);
  const auto room = static_cast<std::size_t>(shape.slots_per_rank);
  for (std::int64_t l = 0; l < shape.moe_layers; ++l) {
    RandomStream stream(seed, "random placement", static_cast<std::uint64_t>(l));
    // Experts in random order, again and again: any `room` in a row are distinct within a round.
    // At the seam of two rounds the next ones that the rank lacks come first.
    std::vector<std::int32_t> slots;
    std::vector<std::int32_t> pile;
    while (slots.size() < static_cast<std::size_t>(shape.slots())) {
      if (pile.empty()) {
        pile.resize(experts);
        std::iota(pile.begin(), pile.end(), 0);
        for (std::size_t i = experts; i > 1; --i) std::swap(pile[i - 1], pile[stream.below(i)]);
      }
      const auto rank_begin =
          slots.begin() + static_cast<std::ptrdiff_t>(slots.size() / room * room);
      auto next = pile.begin();
      while (next != pile.end() && std::find(rank_begin, slots.end(), *next) != slots.end()) ++next;
      if (next == pile.end()) {
        pile.clear();  // Every expert left is on this rank already: a new round.
        continue;
      }
      const std::int32_t expert = *next;
      pile.erase(next);
      slots.push_back(expert);
    }
    placement.expert_of_slot.insert(placement.expert_of_slot.end(), slots.begin(), slots.end());
  }
  return placement;
}

struct RandomWorld {
  placement::Placement placement;
  placement::Workload workload;
  routing::RoutingShape routing;
};

struct RandomWorldLimits {
  std::int64_t redundant = 6;  ///< Most replicas beyond one per expert, at least; 0: none.
};

/// One to three layers, 4 to 12 experts, up to three nodes of one or two ranks, 30 tokens in every
/// layer.
inline RandomWorld random_world(std::uint64_t seed, const RandomWorldLimits& limits = {}) {
  RandomStream stream(seed, "random world");
  const auto between = [&](std::uint64_t least, std::uint64_t most) {
    return static_cast<std::int64_t>(least + stream.below(most - least + 1));
  };
  const std::int64_t nodes = between(1, 3);
  const std::int64_t ranks_per_node = between(1, 2);
  placement::PlacementShape shape{.moe_layers = between(1, 3), .domain_of_rank = {}};
  shape.ranks = nodes * ranks_per_node;
  const std::int64_t room = between(2, 4);
  shape.slots_per_rank = room;
  // Without replicas as many experts as slots, else some fewer; no rank may need an expert twice.
  shape.experts = shape.slots();
  if (limits.redundant > 0) {
    shape.experts = std::max(
        room, shape.slots() - static_cast<std::int64_t>(
                                  stream.below(static_cast<std::uint64_t>(limits.redundant) + 1)));
  }
  for (std::int64_t r = 0; r < shape.ranks; ++r) {
    shape.domain_of_rank.push_back(static_cast<std::int32_t>(r / ranks_per_node));
  }
  RandomWorld world{.placement = random_placement(shape, seed),
                    .workload = {.name = "random", .load = {}},
                    .routing = {.moe_layers = shape.moe_layers,
                                .experts = shape.experts,
                                .top_k = std::min<std::int64_t>(2, shape.experts)}};
  for (std::int64_t i = 0; i < shape.moe_layers * shape.experts; ++i) {
    world.workload.load.push_back(stream.exponential() * stream.exponential() + 0.01);
  }
  routing::TokenTrace& tokens = world.workload.tokens;
  tokens.experts = shape.experts;
  tokens.top_k = world.routing.top_k;
  for (std::uint64_t t = 0; t < 30; ++t) tokens.request.push_back(seed + t / 3);
  for (std::int32_t l = 0; l < shape.moe_layers; ++l) {
    tokens.layer.push_back(l);
    for (int t = 0; t < 30; ++t) {
      const auto first = stream.below(static_cast<std::uint64_t>(shape.experts));
      const auto step = 1 + stream.below(static_cast<std::uint64_t>(shape.experts) - 1);
      tokens.expert.push_back(static_cast<std::uint16_t>(first));
      tokens.expert.push_back(
          static_cast<std::uint16_t>((first + step) % static_cast<std::uint64_t>(shape.experts)));
    }
  }
  return world;
}

}  // namespace moesim::test
