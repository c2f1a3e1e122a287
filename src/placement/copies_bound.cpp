#include "placement/copies_bound.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "core/index.h"
#include "core/random.h"

namespace moesim::placement {
namespace {

struct Node {
  std::int32_t name = 0;
  std::size_t slots = 0;
};

std::vector<Node> nodes_of(const PlacementShape& shape) {
  std::vector<std::int32_t> names(shape.domain_of_rank);
  std::sort(names.begin(), names.end());
  std::vector<Node> nodes;
  for (const std::int32_t name : names) {
    if (nodes.empty() || nodes.back().name != name) nodes.push_back({.name = name, .slots = 0});
    nodes.back().slots += as_index(shape.slots_per_rank);
  }
  return nodes;
}

double sum_of_largest(std::vector<double> values, std::size_t count) {
  count = std::min(count, values.size());
  const auto end = values.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(values.begin(), end, values.end(), std::greater<>());
  return std::accumulate(values.begin(), end, 0.0);
}

/// How often each pair of experts meets, per token: [experts * experts].
std::vector<double> meetings(const routing::TokenTrace& tokens, std::int64_t row) {
  const auto n = as_index(tokens.experts);
  const auto k = as_index(tokens.top_k);
  const std::span<const std::uint16_t> experts = tokens.experts_of(row);
  std::vector<double> pairs(n * n, 0.0);
  const double each = 1.0 / static_cast<double>(tokens.tokens());
  for (std::size_t first = 0; first < experts.size(); first += k) {
    for (std::size_t i = first; i < first + k; ++i) {
      for (std::size_t j = first; j < first + k; ++j) {
        if (i != j) pairs[experts[i] * n + experts[j]] += each;
      }
    }
  }
  return pairs;
}

/// U: most pairs per token that one node can serve together.
double most_pairs(const routing::TokenTrace& tokens, std::int64_t row, const PlacementShape& shape,
                  const std::vector<Node>& nodes) {
  const auto n = as_index(tokens.experts);
  std::size_t partners = 0;  // On one node, besides the expert itself.
  for (const Node& node : nodes) partners = std::max(partners, node.slots - 1);
  std::vector<double> pairs = meetings(tokens, row);
  double sum = 0.0;
  std::vector<double> further;  // What each further node is worth to an expert; falls with each.
  for (std::size_t e = 0; e < n; ++e) {
    const auto own = std::span(pairs).subspan(e * n, n);
    std::sort(own.begin(), own.end(), std::greater<>());
    for (std::size_t node = 0; node < nodes.size() && node * partners < n; ++node) {
      const std::size_t first = node * partners;
      const auto part = own.subspan(first, std::min(partners, n - first));
      const double worth = std::accumulate(part.begin(), part.end(), 0.0);
      if (node == 0) {
        sum += worth;
      } else if (worth > 0.0) {
        further.push_back(worth);
      }
    }
  }
  return 0.5 * (sum + sum_of_largest(std::move(further), as_index(shape.slots()) - n));
}

/// M: most experts per token that can lie on the token's own node.
double most_at_home(const routing::TokenTrace& tokens, std::int64_t row,
                    const PlacementShape& shape, const std::vector<Node>& nodes) {
  const auto k = as_index(tokens.top_k);
  const std::span<const std::uint16_t> experts = tokens.experts_of(row);
  std::vector<std::vector<double>> picks(nodes.size(),
                                         std::vector<double>(as_index(tokens.experts), 0.0));
  for (std::size_t t = 0; t < tokens.request.size(); ++t) {
    const std::size_t rank = mix64(tokens.request[t]) % static_cast<std::uint64_t>(shape.ranks);
    const auto node =
        std::lower_bound(nodes.begin(), nodes.end(), shape.domain_of_rank[rank],
                         [](const Node& one, std::int32_t name) { return one.name < name; });
    for (const std::uint16_t e : experts.subspan(t * k, k)) {
      picks[as_index(node - nodes.begin())][e] += 1.0;
    }
  }
  double sum = 0.0;
  for (std::size_t node = 0; node < nodes.size(); ++node) {
    sum += sum_of_largest(std::move(picks[node]), nodes[node].slots);
  }
  return sum / static_cast<double>(tokens.tokens());
}

double pairs_in(std::int64_t block) {
  return 0.5 * static_cast<double>(block) * static_cast<double>(block - 1);
}

/// a(b, g): least of copies + b * pairs + g * at home over all ways to serve one token.
double cheapest_token(std::int64_t top_k, std::int64_t remote_nodes, double b, double g) {
  double least = std::numeric_limits<double>::infinity();
  for (std::int64_t home = 0; home <= top_k; ++home) {
    const std::int64_t away = top_k - home;
    const double fixed = b * pairs_in(home) + g * static_cast<double>(home);
    for (std::int64_t copies = std::min<std::int64_t>(1, away);
         copies <= std::min(away, remote_nodes); ++copies) {
      double pairs = 0.0;
      if (copies > 0) {
        const std::int64_t size = away / copies;
        const std::int64_t larger = away % copies;
        pairs = static_cast<double>(copies - larger) * pairs_in(size) +
                static_cast<double>(larger) * pairs_in(size + 1);
      }
      least = std::min(least, fixed + static_cast<double>(copies) + b * pairs);
    }
  }
  return least;
}

/// Largest value of a concave function on [0, most]; every point tried is a sound bound.
template <class F>
double largest(double most, F f) {
  double low = 0.0;
  double high = most;
  double best = std::max(f(low), f(high));
  for (int step = 0; step < 40; ++step) {
    const double left = low + (high - low) / 3.0;
    const double right = high - (high - low) / 3.0;
    const double at_left = f(left);
    const double at_right = f(right);
    best = std::max({best, at_left, at_right});
    (at_left < at_right ? low : high) = at_left < at_right ? left : right;
  }
  return best;
}

}  // namespace

double copies_lower_bound(const routing::TokenTrace& tokens, std::int64_t row,
                          const PlacementShape& shape) {
  const std::vector<Node> nodes = nodes_of(shape);
  if (nodes.size() < 2) return 0.0;
  const double pairs = most_pairs(tokens, row, shape, nodes);
  const double at_home = most_at_home(tokens, row, shape, nodes);
  const auto most = static_cast<double>(tokens.top_k);  // No price above all of a token's copies.
  const double bound = largest(most, [&](double b) {
    return largest(most, [&](double g) {
      return cheapest_token(tokens.top_k, std::ssize(nodes) - 1, b, g) - b * pairs - g * at_home;
    });
  });
  return std::max(0.0, bound);
}

}  // namespace moesim::placement
