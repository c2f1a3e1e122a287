// Tokens that choose experts as real ones do: which experts are used together, in one layer and
// from layer to layer.
//
// Model:  U(t,l,e) = a(l,e) + beta <u_t, v(l,e)> / sqrt(D) + Gumbel(0,1), the top_groups groups
//         with the largest sum of their two best U are kept, then the top_k largest U inside them.
//         u_t = sqrt(rho) topic(request) + sqrt(1 - rho) class(token), the same in all layers;
//         classes Zipf(1), topics uniform and constant inside a request, all vectors N(0, I_D).
//         a(l,e) is fitted until the loads of the drawn tokens are the prescribed ones.
// Source: selection rule: DeepSeek-V3 technical report, 2024, section 2.1.2; parameters: fitted to
//         token traces of DeepSeek-V2-Lite (docs/models/affinity.md).
// Omits:  change of topic inside a request, text order beyond the topic, recency, and the first
//         layer's routing by token identity alone.
// Layer:  routing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "routing/expert_router.h"
#include "routing/token_trace.h"

namespace moesim::routing {

/// Largest values of the parameters below.
inline constexpr std::int64_t kMostDimensions = 64;
inline constexpr double kMostStrength = 8.0;
inline constexpr std::int64_t kMostClasses = 16384;
inline constexpr std::int64_t kMostTopics = 4096;
inline constexpr std::int64_t kMostRequestTokens = std::int64_t{1} << 20;

struct AffinityParameters {
  std::int64_t dimensions = 8;       ///< D, 1 to 64.
  double strength = 4.5;             ///< beta, 0 to 8; 0: tokens are all alike.
  double topic_share = 0.45;         ///< rho, 0 to 1: part of a token's vector that is its topic's.
  std::int64_t classes = 1024;       ///< 1 to 16384
  std::int64_t topics = 24;          ///< 1 to 4096
  std::int64_t request_tokens = 64;  ///< Adjacent tokens that share a request and topic, 1 to 2^20.
};

/// What is wrong with parameters, for a user's eyes; empty if nothing.
[[nodiscard]] std::vector<std::string> affinity_errors(const AffinityParameters& parameters);

/// A named set of parameters with its source.
struct AffinityPreset {
  std::string_view name;
  AffinityParameters parameters;
  std::string_view source;
};

/// deepseek_v2_lite_traces, deepseek_v2_lite_traces_strong, none.
[[nodiscard]] std::span<const AffinityPreset> affinity_presets();
[[nodiscard]] std::optional<AffinityPreset> find_affinity_preset(std::string_view name);

/// Most tokens that one call draws.
inline constexpr std::int64_t kMaxDrawnTokens = std::int64_t{1} << 22;

/// Draws `tokens` tokens in all MoE layers. The loads of the drawn tokens (of at least kFitTokens
/// of them, if fewer are asked for: the first are returned) are fitted to `popularity`: how well
/// says load_deviation. `seed` chooses the vectors of classes, topics and experts as well as the
/// tokens; `sample` other tokens of the same vectors (traffic of another hour). Another popularity
/// with the same seed and sample: the same tokens, classes and noise under other loads.
/// Deterministic on every machine; the tokens of a request are adjacent.
/// Preconditions: shape_errors and affinity_errors are empty, 1 <= tokens <= kMaxDrawnTokens.
[[nodiscard]] TokenTrace draw_tokens(const RoutingShape& shape, const Popularity& popularity,
                                     const AffinityParameters& parameters, std::int64_t tokens,
                                     std::uint64_t seed, std::uint64_t sample = 0);

/// Fewest tokens that the loads are fitted on.
inline constexpr std::int64_t kFitTokens = 8192;

/// How far the loads of tokens are from the prescribed ones: mean over all layers of
/// |load / (tokens * top_k * share) - 1| weighted by share, i.e. twice the total variation.
[[nodiscard]] double load_deviation(const TokenTrace& tokens, const Popularity& popularity);

}  // namespace moesim::routing
