// How recorded or drawn routing looks: load skew, experts used together, affinity between layers,
// likeness of adjacent tokens.
//
// Definitions, for tokens of k experts each out of E, p_e the share of expert e in the load:
//   load       max/mean, coefficient of variation, Gini, deviation of ln load over the experts;
//              between groups: part of the variance of ln load that lies between group means.
//   pairs      M(i,j), the share of an unordered pair among all pairs of experts of one token. Top
//              share: mass of the most frequent 5 % of the E(E-1)/2 pairs. Independent: the same of
//              masses ~ p_i p_j; total variation: half the sum of |M - independent|.
//   next       the k experts j of layer l+1 with the largest sum of ln P(j | i) over a token's
//   experts
//              i in l, P(j | i) = (n_ij + 1/2) / (n_i + 1) counted over all tokens; hit rate: how
//              many of them the token chose. Chance: the k most loaded experts. Mutual information
//              of an expert in l and one in l+1 of the same token. Frequencies are of the very
//              tokens that are predicted: small samples flatter all three.
//   adjacent   part of a token's experts that the token before it in its request also chose;
//              independent: k sum p_e^2.
// Source:  the measures of recorded routing that docs/models/affinity.md compares.
// Layer:   routing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "routing/expert_router.h"
#include "routing/token_trace.h"

namespace moesim::routing {

struct LoadSkew {
  double max_over_mean = 0.0;
  double cv = 0.0;
  double gini = 0.0;
  double sigma_ln = 0.0;        ///< Over the experts that were used.
  double between_groups = 0.0;  ///< 0 without groups.
  double unused = 0.0;          ///< Experts without load.
};

struct PairStatistics {
  double top_share = 0.0;
  double top_share_independent = 0.0;
  double total_variation = 0.0;
};

struct NextLayerStatistics {
  double hit_rate = 0.0;
  double hit_rate_chance = 0.0;
  double mutual_information_bits = 0.0;
};

struct AdjacentOverlap {
  double overlap = 0.0;
  double independent = 0.0;
};

struct LayerStatistics {
  std::int32_t layer = 0;  ///< 0-based MoE layer.
  LoadSkew load;
  std::optional<PairStatistics> pairs;      ///< Tokens with at least two experts.
  std::optional<NextLayerStatistics> next;  ///< If the following layer is there too.
  std::optional<AdjacentOverlap> adjacent;  ///< If a request has two tokens.
};

/// Precondition: a load above 0, all finite and >= 0; groups divides their number.
[[nodiscard]] LoadSkew load_skew(std::span<const double> load, std::int64_t groups);
/// Precondition: top_k >= 2, a token.
[[nodiscard]] PairStatistics pair_statistics(const TokenTrace& tokens, std::int64_t row);
/// Of `row` and the row after it. O(tokens * top_k * experts).
[[nodiscard]] NextLayerStatistics next_layer_statistics(const TokenTrace& tokens, std::int64_t row);
/// Nothing if no request has two tokens.
[[nodiscard]] std::optional<AdjacentOverlap> adjacent_overlap(const TokenTrace& tokens,
                                                              std::int64_t row);

/// Layer by layer, of loads [rows * experts] alone.
[[nodiscard]] std::vector<LayerStatistics> load_statistics(std::span<const double> load,
                                                           std::int64_t experts,
                                                           std::int64_t groups);
/// Layer by layer, of tokens.
[[nodiscard]] std::vector<LayerStatistics> token_statistics(const TokenTrace& tokens,
                                                            std::int64_t groups);
/// Mean of each figure over the layers that have it; `layer` is their number.
[[nodiscard]] LayerStatistics mean_statistics(std::span<const LayerStatistics> layers);

}  // namespace moesim::routing
