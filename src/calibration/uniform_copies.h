// Copies a token makes on its way to its experts, in expectation or by rule, for measured rows.
//
// Picks are drawn without replacement and evenly (as DeepEP's tests do), or dealt out evenly: one
// pick per rank as far as the ranks go (as TensorRT-LLM's tests do). Experts lie evenly on ranks.
// Layer: calibration.
#pragma once

#include <cstdint>

namespace moesim::calibration {

struct ExchangeGroup {
  std::int64_t nodes = 1;
  std::int64_t ranks_per_node = 8;
  std::int64_t experts = 0;
  std::int64_t top_k = 0;
  [[nodiscard]] std::int64_t ranks() const { return nodes * ranks_per_node; }
};

/// Chance that at least one of `top_k` even picks among `experts` falls on `part` of them.
[[nodiscard]] double touched(std::int64_t experts, double part, std::int64_t top_k);

/// Copies of one token, source excluded; on average the same out of and into every GPU.
struct Copies {
  double scale_up = 0;
  double network = 0;
};
/// Node-de-duplicated: once to each other node, from there to each rank.
[[nodiscard]] Copies deduplicated_copies(const ExchangeGroup& group);
/// One for each pick.
[[nodiscard]] Copies copies_per_pick(const ExchangeGroup& group);
/// Picks dealt out evenly over the ranks of one node (or rack), one copy per rank.
[[nodiscard]] Copies dealt_copies(std::int64_t ranks, std::int64_t top_k);

}  // namespace moesim::calibration
