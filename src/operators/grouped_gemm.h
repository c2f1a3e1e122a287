// Time of the expert blocks of one MoE layer on one rank, from the tokens each expert received.
//
// Model:   each expert touched reads its weights once; each token-expert pair does its flops.
//          One grouped kernel per matrix of the block: the roofs apply to the sums.
// Layer:   operators.
#pragma once

#include <cstdint>
#include <span>

#include "catalog/gpu.h"
#include "catalog/precision.h"
#include "operators/operator_time.h"

namespace moesim::operators {

/// The part of an expert one rank holds: `intermediate` is already divided by the expert TP.
struct ExpertShape {
  std::int64_t hidden = 0;
  std::int64_t intermediate = 0;
  std::int64_t matrices = 3;  ///< 3 gated, 2 plain.
};

/// Tokens on each local expert, reduced to what the model needs.
struct ExpertLoad {
  std::int64_t tokens = 0;           ///< Token-expert pairs on this rank.
  std::int64_t experts_touched = 0;  ///< Experts with at least one token.
  std::int64_t max_tokens = 0;       ///< On the busiest expert.
};

/// A function of the load with everything else folded in: cheap enough for every rank, layer and
/// iteration.
class ExpertTimer {
 public:
  ExpertTimer(const ExpertShape& shape, const catalog::WeightFormat& weights,
              Bytes activation_element, const catalog::Gpu& gpu, const Efficiency& efficiency);
  /// Zero load takes no time. Monotone in tokens and experts touched.
  [[nodiscard]] OperatorTime time(const ExpertLoad& load) const;

 private:
  Seconds launch_;
  double seconds_per_token_compute_ = 0;
  double seconds_per_expert_memory_ = 0;
  double seconds_per_token_memory_ = 0;
};

}  // namespace moesim::operators
