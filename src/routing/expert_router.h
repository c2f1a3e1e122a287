// Which experts each token picks: a seeded draw of top-k distinct experts per token and MoE layer.
//
// Popularity is a distribution per layer (log-normal skew, or recorded loads). Group-limited
// routing keeps `top_groups` of `groups` expert groups per token, then draws inside them
// (DeepSeek-V3: 4 of 8). Law of the draw, parameters, sources and speed: docs/models/routing.md.
// Layer: routing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/random.h"

namespace moesim::routing {

struct RoutingShape {
  std::int64_t moe_layers = 0;
  std::int64_t experts = 0;
  std::int64_t top_k = 0;
  std::int64_t groups = 1;
  std::int64_t top_groups = 1;
};

/// Relative load of each expert in each MoE layer, row-major [moe_layers * experts]; rows are
/// positive and sum to 1. A strategy: see popularity.h for the registry (uniform, lognormal,
/// recorded).
struct Popularity {
  std::string source;  ///< "lognormal sigma 0.67", "recorded decode.csv"
  std::vector<double> share;
};

/// Ready-made tables of all layers. Immutable after construction; draws take the caller's stream.
class ExpertRouter {
 public:
  ExpertRouter(const RoutingShape& shape, const Popularity& popularity);
  [[nodiscard]] const RoutingShape& shape() const { return shape_; }

  /// Draws the experts of `tokens` tokens in `layer` (0-based MoE layer) and hands each token's
  /// top_k distinct experts to `sink(const std::uint16_t* experts)`. Defined in
  /// expert_router_draw.h so that the sink is inlined.
  template <class Sink>
  void draw(std::int64_t layer, std::int64_t tokens, RandomStream& stream, Sink&& sink) const;

 private:
  RoutingShape shape_;
  // The tables are the routing engineer's to lay out (two-level, cache-conscious).
};

}  // namespace moesim::routing
