#include "calibration/uniform_copies.h"

#include <algorithm>

namespace moesim::calibration {

double touched(std::int64_t experts, double part, std::int64_t top_k) {
  double missed = 1.0;
  for (std::int64_t i = 0; i < top_k; ++i) {
    const double left = static_cast<double>(experts - i);
    missed *= std::max(left - part, 0.0) / left;
  }
  return 1.0 - missed;
}

Copies deduplicated_copies(const ExchangeGroup& group) {
  const auto nodes = static_cast<double>(group.nodes);
  const auto ranks = static_cast<double>(group.ranks());
  const auto experts = static_cast<double>(group.experts);
  const double rank_hit = touched(group.experts, experts / ranks, group.top_k);
  const double node_hit = touched(group.experts, experts / nodes, group.top_k);
  // In each node one rank has the token already: the source or the one the network brought it to.
  return {.scale_up = rank_hit * (ranks - nodes), .network = node_hit * (nodes - 1.0)};
}

Copies copies_per_pick(const ExchangeGroup& group) {
  const auto ranks = static_cast<double>(group.ranks());
  const auto inside = static_cast<double>(group.ranks_per_node);
  const auto picks = static_cast<double>(group.top_k);
  return {.scale_up = picks * (inside - 1.0) / ranks, .network = picks * (ranks - inside) / ranks};
}

Copies dealt_copies(std::int64_t ranks, std::int64_t top_k) {
  const auto n = static_cast<double>(ranks);
  const double reached = static_cast<double>(std::min(ranks, top_k));
  return {.scale_up = reached * (n - 1.0) / n, .network = 0.0};
}

}  // namespace moesim::calibration
