// How often each expert is chosen: the registry of popularity models.
//
// Models:  uniform; lognormal: ln load ~ N(0, sigma^2) over the experts of a layer, a part of the
//          variance common to each routing group; recorded: the loads of a recording.
// Source:  sigma, its profile over the layers and the part between groups were measured on recorded
//          expert loads of DeepSeek-V3/R1 (seven workloads; see docs/models/routing.md).
// Omits:   change over time (call `drifted`), topics inside a request, affinity between layers.
// Layer:   routing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "routing/expert_router.h"

namespace moesim::routing {

/// Sigma at a relative depth: 0 is the first MoE layer, 1 the last. Linear in between.
struct DepthPoint {
  double depth;
  double sigma;
};

struct LognormalParameters {
  double sigma = 0.67;  ///< Standard deviation of ln load in a layer; ignored with a profile.
  double between_groups = 0.265;  ///< Part of the variance; none if the shape has no groups.
  std::span<const DepthPoint> profile = {};  ///< Depths ascending from 0 to 1; empty: `sigma`.
};

/// Every expert alike.
[[nodiscard]] Popularity uniform(const RoutingShape& shape);

/// Deviations are scaled so that each layer has exactly the stated sigma and split.
/// Precondition: sigmas >= 0, between_groups in [0, 1].
[[nodiscard]] Popularity lognormal(const RoutingShape& shape, const LognormalParameters& parameters,
                                   std::uint64_t seed);

/// From a load matrix, one row per layer. Leading rows of zeros beyond `moe_layers` (dense layers,
/// as in a dump of all layers) are dropped. Experts never chosen count as half a choice, or as 1e-4
/// of the mean if that is less. `source` names the recording. Else: what is wrong with the matrix.
[[nodiscard]] std::variant<Popularity, std::vector<std::string>> recorded(
    const RoutingShape& shape, std::span<const std::vector<double>> rows, std::string source);

/// The popularity after some time: each share times exp(N(0, s^2)). s = 0.05: stationary traffic;
/// 0.33: the difference measured between prefill and decode.
[[nodiscard]] Popularity drifted(const RoutingShape& shape, const Popularity& popularity, double s,
                                 std::uint64_t seed);

/// A named set of log-normal parameters with its source.
struct PopularityPreset {
  std::string_view name;
  LognormalParameters parameters;
  std::string_view source;
};

/// deepseek_v3_decode, deepseek_v3_prefill.
[[nodiscard]] std::span<const PopularityPreset> popularity_presets();
[[nodiscard]] std::optional<PopularityPreset> find_popularity_preset(std::string_view name);

}  // namespace moesim::routing
