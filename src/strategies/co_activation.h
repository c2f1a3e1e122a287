// How often two experts of a layer serve the same token: the graph that cut-based placement reads.
//
// count(e, f) = tokens with both e and f, per token, in the mean over the workloads by weight.
// Layers of a workload that carry no tokens get kDrawnTokens of the router's law for its load
// (independent picks under group-limited routing), by seed.
// Omits: who shares a token beyond pairs (a hypergraph's nets); see docs/models/placement.md.
// Layer: strategies.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "placement/problem.h"

namespace moesim::strategies {

/// Tokens drawn for a layer that was not traced.
inline constexpr std::int64_t kDrawnTokens = 4096;

/// Symmetric, zero on the diagonal.
class CoActivation {
 public:
  explicit CoActivation(std::int64_t experts)
      : experts_(static_cast<std::size_t>(experts)), count_(experts_ * experts_, 0.0F) {}
  [[nodiscard]] std::size_t experts() const { return experts_; }
  [[nodiscard]] float operator()(std::size_t e, std::size_t f) const {
    return count_[e * experts_ + f];
  }
  /// Pairs of one expert: [experts].
  [[nodiscard]] std::span<const float> row(std::size_t e) const {
    return std::span(count_).subspan(e * experts_, experts_);
  }
  /// Adds tokens of `top_k` experts each, together worth `weight`.
  void add(std::span<const std::uint16_t> experts, std::int64_t top_k, double weight);

 private:
  std::size_t experts_;
  std::vector<float> count_;
};

/// Gives the co-activation of one layer after the other. The problem must outlive it.
class CoActivationSource {
 public:
  CoActivationSource(const placement::Problem& problem, std::uint64_t seed);
  [[nodiscard]] CoActivation layer(std::int64_t layer) const;

 private:
  const placement::Problem& problem_;
  std::uint64_t seed_;
  double total_weight_ = 0.0;
};

}  // namespace moesim::strategies
