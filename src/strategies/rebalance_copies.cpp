#include "strategies/rebalance_copies.h"

#include <algorithm>
#include <cstddef>

namespace moesim::strategies {
namespace {

constexpr std::size_t kMostTokens = 2048;  ///< Of each workload, evenly taken.

/// Nodes numbered from 0 in the order of their ranks.
struct NodeNumbers {
  explicit NodeNumbers(const placement::PlacementShape& shape) {
    std::vector<std::int32_t> seen;
    for (const std::int32_t domain : shape.domain_of_rank) {
      const auto at = std::find(seen.begin(), seen.end(), domain);
      of_rank.push_back(static_cast<std::size_t>(at - seen.begin()));
      if (at == seen.end()) seen.push_back(domain);
    }
    nodes = seen.size();
  }
  std::vector<std::size_t> of_rank;
  std::size_t nodes = 0;
};

}  // namespace

std::vector<float> copy_prices(const placement::Problem& problem, std::int64_t layer,
                               std::span<const std::int32_t> slots) {
  const auto experts = static_cast<std::size_t>(problem.shape.experts);
  const auto room = static_cast<std::size_t>(problem.shape.slots_per_rank);
  const NodeNumbers numbers(problem.shape);
  if (numbers.nodes < 2) return {};
  std::vector<double> replicas(experts, 0.0);
  for (const std::int32_t e : slots) replicas[static_cast<std::size_t>(e)] += 1.0;
  std::vector<double> absent(numbers.nodes * experts, 1.0);  // 1 - p, [node][expert]
  for (std::size_t s = 0; s < slots.size(); ++s) {
    const auto e = static_cast<std::size_t>(slots[s]);
    absent[numbers.of_rank[s / room] * experts + e] -= 1.0 / replicas[e];
  }
  std::vector<double> price(numbers.nodes * experts, 0.0);
  double weight = 0.0;
  for (const placement::Workload& workload : problem.workloads) {
    const auto row = workload.tokens.empty() ? std::nullopt : workload.tokens.row_of(layer);
    if (!row.has_value()) continue;
    const auto picks = workload.tokens.experts_of(*row);
    const auto top_k = static_cast<std::size_t>(workload.tokens.top_k);
    const std::size_t tokens = picks.size() / top_k;
    const std::size_t stride = (tokens + kMostTokens - 1) / kMostTokens;
    const double each = workload.weight * static_cast<double>(stride) / static_cast<double>(tokens);
    weight += workload.weight;
    for (std::size_t t = 0; t < tokens; t += stride) {
      const auto token = picks.subspan(t * top_k, top_k);
      for (std::size_t n = 0; n < numbers.nodes; ++n) {
        for (std::size_t i = 0; i < top_k; ++i) {
          double alone = each;
          for (std::size_t j = 0; j < top_k; ++j) {
            if (j != i) alone *= absent[n * experts + token[j]];
          }
          price[n * experts + token[i]] += alone;
        }
      }
    }
  }
  if (weight <= 0.0) return {};
  std::vector<std::size_t> ranks_of(numbers.nodes, 0);
  for (const std::size_t n : numbers.of_rank) ++ranks_of[n];
  std::vector<float> of_rank(numbers.of_rank.size() * experts);
  const auto ranks = static_cast<double>(numbers.of_rank.size());
  for (std::size_t r = 0; r < numbers.of_rank.size(); ++r) {
    const std::size_t n = numbers.of_rank[r];
    const double remote = 1.0 - static_cast<double>(ranks_of[n]) / ranks;
    for (std::size_t e = 0; e < experts; ++e) {
      of_rank[r * experts + e] =
          static_cast<float>(remote * price[n * experts + e] / (weight * replicas[e]));
    }
  }
  return of_rank;
}

}  // namespace moesim::strategies
