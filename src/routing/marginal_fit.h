// Weights of the routing draw such that each expert's expected load is the prescribed one.
//
// Drawing without replacement flattens loads: an expert of twice the weight is not chosen twice as
// often. This finds the weights whose inclusion probabilities are top_k * share, by fixed-point
// iteration on the exact inclusion probabilities of the law in docs/models/routing.md.
//
// Formula: clocks. Successive draws by weight w choose the first experts to ring among exponential
//   clocks of rate w, so P(e chosen) = int w_e exp(-w_e t) P(fewer than r others rang by t) dt; the
//   count of others is a sum of independent indicators, its distribution a product of polynomials
//   of degree below r, and the integral a trapezoid sum over log t (step at most ln 2, error below
//   1e-5).
// Source: order sampling, B. Rosen, J. Statist. Plann. Inference 62, 1997; derivation in
//   docs/models/routing.md.
// Layer: routing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "routing/expert_router.h"

namespace moesim::routing {

/// Probability that a token is routed to each expert. `weight`: positive, one per expert.
[[nodiscard]] std::vector<double> inclusion_probabilities(const RoutingShape& shape,
                                                          std::span<const double> weight);

/// Odds by which each group is kept: (sum of its weights / mean over groups)^(5/3).
[[nodiscard]] std::vector<double> group_odds(const RoutingShape& shape,
                                             std::span<const double> weight);

struct FittedWeights {
  std::vector<double> weight;
  /// Largest relative difference between expected and prescribed load over the experts. Above 1e-3
  /// the prescription is out of reach (an expert wanted by more than all tokens).
  double deviation = 0.0;
};

/// `share`: positive, sums to 1.
[[nodiscard]] FittedWeights fit_weights(const RoutingShape& shape, std::span<const double> share);

}  // namespace moesim::routing
