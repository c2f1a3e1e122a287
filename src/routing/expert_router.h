// Which experts each token picks: a seeded draw of top-k distinct experts per token and MoE layer.
//
// Popularity is a distribution per layer (log-normal skew, or recorded loads). Group-limited
// routing keeps `top_groups` of `groups` expert groups per token, then draws inside them
// (DeepSeek-V3: 4 of 8). Law of the draw, parameters, sources and speed: docs/models/routing.md.
// Layer: routing.
#pragma once

#include <cstddef>
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

/// Most experts of a layer and experts of a token that the draw's buffers hold.
inline constexpr std::int64_t kMaxExperts = 1024;
inline constexpr std::int64_t kMaxTopK = 64;
/// Most ways to keep top_groups of groups (DeepSeek-V3: 70).
inline constexpr std::int64_t kMaxGroupChoices = 4096;

/// What is wrong with a shape, for a user's eyes; empty if nothing. `scenario` asks before it
/// builds a router.
[[nodiscard]] std::vector<std::string> shape_errors(const RoutingShape& shape);

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
  /// The same draw with the shape known when compiling (KnownShape in expert_router_draw.h).
  template <class Known, class Sink>
  void draw_known(std::int64_t layer, std::int64_t tokens, RandomStream& stream, Sink&& sink) const;
  /// Largest relative difference between the expected load of an expert and its prescribed share,
  /// over all layers; above 1e-3 the popularity cannot be had with this shape.
  [[nodiscard]] double deviation() const { return deviation_; }
  /// Weights the draw uses in `layer`, one per expert, after the fit.
  [[nodiscard]] std::span<const double> weights(std::int64_t layer) const;

 private:
  /// One layer's tables, in words from the start of the layer: choices of groups, then experts of
  /// each group, then groups inside each choice. About 2.6 KiB for DeepSeek-V3, so that all layers
  /// stay in a second-level cache.
  struct Layout {
    std::size_t choices = 0;
    std::size_t experts = 0;
    std::size_t groups_of_choice = 0;
    std::size_t words = 0;
    unsigned choice_bits = 0;
    unsigned expert_bits = 0;
    unsigned group_bits = 0;
  };
  template <class Known>
  class Tables;
  void build_layer(std::span<const double> weight, std::span<std::uint32_t> words) const;
  /// Rare end of a token whose draws keep hitting chosen experts: takes the rest one by one from
  /// the weights of those not chosen..
  void complete(std::int64_t layer, std::span<const std::uint8_t> kept, RandomStream& stream,
                std::span<std::uint16_t> chosen, std::size_t count) const;

  RoutingShape shape_;
  Layout layout_;
  std::vector<std::uint32_t> words_;         ///< [layer * layout_.words]
  std::vector<std::uint8_t> choice_groups_;  ///< [choice * top_groups] groups kept.
  std::vector<double> weights_;
  double deviation_ = 0.0;
};

}  // namespace moesim::routing
