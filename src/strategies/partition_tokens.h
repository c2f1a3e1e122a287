// The token hypergraph of one layer: which experts meet in a token, as flat arrays.
//
// A token is a net over the experts it picked; the nodes its net touches are the copies it costs.
// Equal tokens are one net with their weight together. Weights sum to 1, so that sums over nets are
// means over tokens.
// Layer: strategies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "placement/problem.h"

namespace moesim::strategies {

struct LayerTokens {
  std::size_t experts = 0;
  std::size_t top_k = 0;
  std::vector<std::uint16_t> pin;     ///< [nets * top_k] experts of a net, ascending.
  std::vector<double> weight;         ///< [nets]
  std::vector<std::uint32_t> first;   ///< [experts + 1] where an expert's nets begin in net_of.
  std::vector<std::uint32_t> net_of;  ///< Nets of each expert, ascending.
  [[nodiscard]] std::size_t nets() const { return weight.size(); }
  [[nodiscard]] std::span<const std::uint32_t> nets_of(std::size_t expert) const {
    return std::span(net_of).subspan(first[expert], first[expert + 1] - first[expert]);
  }
};

/// Builds the nets from picks [tokens * top_k] of experts, each token with its weight.
[[nodiscard]] LayerTokens make_nets(std::size_t experts, std::size_t top_k,
                                    std::span<const std::uint16_t> picks,
                                    std::span<const double> token_weight);

/// Recorded tokens of the layer, of all workloads that have some: every so manyth, at most `most`
/// of each workload. Where no workload has any, `most` tokens each by the router's law for its
/// load. Empty if the router does not draw this shape.
[[nodiscard]] LayerTokens layer_tokens(const placement::Problem& problem, std::int64_t layer,
                                       std::size_t most, std::uint64_t seed);

/// Recorded tokens of the layer in all workloads together, at most about `most` of each; 0 if none.
[[nodiscard]] std::size_t recorded_tokens(const placement::Problem& problem, std::int64_t layer,
                                          std::size_t most);

}  // namespace moesim::strategies
