#include "strategies/partition_tokens.h"

#include <algorithm>
#include <numeric>

#include "routing/expert_router.h"
#include "routing/expert_router_draw.h"

namespace moesim::strategies {
namespace {

using placement::Problem;
using placement::Workload;

/// Tokens by the router's law for one row of loads.
std::vector<std::uint16_t> draw_tokens(const routing::RoutingShape& model,
                                       std::span<const double> load, std::int64_t tokens,
                                       std::uint64_t seed, std::int64_t layer) {
  routing::RoutingShape shape = model;
  shape.moe_layers = 1;
  if (!routing::shape_errors(shape).empty()) shape.groups = shape.top_groups = 1;
  if (!routing::shape_errors(shape).empty()) return {};  // Beyond what the router draws.
  const double total = std::accumulate(load.begin(), load.end(), 0.0);
  const double floor = total / static_cast<double>(load.size()) * 1e-4;
  routing::Popularity popularity{.source = "planned load", .share = {load.begin(), load.end()}};
  double sum = 0.0;
  for (double& share : popularity.share) sum += share = std::max(share, floor);
  for (double& share : popularity.share) share /= sum;
  const routing::ExpertRouter router(shape, popularity);
  RandomStream stream(seed, "partition tokens", static_cast<std::uint64_t>(layer));
  const auto top_k = static_cast<std::size_t>(shape.top_k);
  std::vector<std::uint16_t> picks;
  picks.reserve(static_cast<std::size_t>(tokens) * top_k);
  router.draw(0, tokens, stream, [&](const std::uint16_t* experts) {
    picks.insert(picks.end(), experts, experts + top_k);
  });
  return picks;
}

/// Sorted nets, equal ones together.
void merge_equal(LayerTokens& tokens) {
  const std::size_t k = tokens.top_k;
  const auto net = [&](std::size_t i) {
    return tokens.pin.begin() + static_cast<std::ptrdiff_t>(i * k);
  };
  const auto size = static_cast<std::ptrdiff_t>(k);
  std::vector<std::size_t> order(tokens.nets());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto [x, y] = std::mismatch(net(a), net(a) + size, net(b));
    return x == net(a) + size ? a < b : *x < *y;
  });
  LayerTokens merged;
  for (const std::size_t i : order) {
    const std::size_t last = merged.nets();
    if (last > 0 && std::equal(net(i), net(i) + size, merged.pin.end() - size)) {
      merged.weight.back() += tokens.weight[i];
      continue;
    }
    merged.pin.insert(merged.pin.end(), net(i), net(i) + size);
    merged.weight.push_back(tokens.weight[i]);
  }
  tokens.pin = std::move(merged.pin);
  tokens.weight = std::move(merged.weight);
}

}  // namespace

LayerTokens make_nets(std::size_t experts, std::size_t top_k, std::span<const std::uint16_t> picks,
                      std::span<const double> token_weight) {
  LayerTokens tokens{.experts = experts,
                     .top_k = top_k,
                     .pin = {picks.begin(), picks.end()},
                     .weight = {token_weight.begin(), token_weight.end()},
                     .first = {},
                     .net_of = {}};
  const double total = std::accumulate(tokens.weight.begin(), tokens.weight.end(), 0.0);
  for (double& w : tokens.weight) w /= total;
  for (auto net = tokens.pin.begin(); net != tokens.pin.end();
       net += static_cast<std::ptrdiff_t>(top_k)) {
    std::sort(net, net + static_cast<std::ptrdiff_t>(top_k));
  }
  merge_equal(tokens);
  tokens.first.assign(experts + 1, 0);
  for (const std::uint16_t e : tokens.pin) ++tokens.first[e + std::size_t{1}];
  std::partial_sum(tokens.first.begin(), tokens.first.end(), tokens.first.begin());
  tokens.net_of.resize(tokens.pin.size());
  std::vector<std::uint32_t> at(tokens.first.begin(), tokens.first.end() - 1);
  for (std::size_t i = 0; i < tokens.pin.size(); ++i) {
    tokens.net_of[at[tokens.pin[i]]++] = static_cast<std::uint32_t>(i / top_k);
  }
  return tokens;
}

std::size_t recorded_tokens(const Problem& problem, std::int64_t layer, std::size_t most) {
  std::size_t tokens = 0;
  for (const Workload& w : problem.workloads) {
    if (w.tokens.empty() || !w.tokens.row_of(layer).has_value()) continue;
    tokens += std::min(static_cast<std::size_t>(w.tokens.tokens()), most);
  }
  return tokens;
}

LayerTokens layer_tokens(const Problem& problem, std::int64_t layer, std::size_t most,
                         std::uint64_t seed) {
  const auto experts = static_cast<std::size_t>(problem.shape.experts);
  const auto top_k = static_cast<std::size_t>(problem.routing.top_k);
  const bool traced = recorded_tokens(problem, layer, 1) > 0;
  std::vector<std::uint16_t> picks;
  std::vector<double> weight;
  for (const Workload& workload : problem.workloads) {
    const auto row = workload.tokens.empty() ? std::nullopt : workload.tokens.row_of(layer);
    if (traced && !row.has_value()) continue;  // Recorded tokens say more than drawn ones.
    std::vector<std::uint16_t> own;
    if (row.has_value()) {
      const auto recorded = workload.tokens.experts_of(*row);
      const std::size_t stride = (recorded.size() / top_k + most - 1) / most;
      for (std::size_t t = 0; t < recorded.size() / top_k; t += stride) {
        const auto token = recorded.subspan(t * top_k, top_k);
        own.insert(own.end(), token.begin(), token.end());
      }
    } else {
      const auto load =
          std::span(workload.load).subspan(static_cast<std::size_t>(layer) * experts, experts);
      own = draw_tokens(problem.routing, load, static_cast<std::int64_t>(most), seed, layer);
    }
    if (own.empty()) continue;
    const std::size_t count = own.size() / top_k;
    weight.insert(weight.end(), count, workload.weight / static_cast<double>(count));
    picks.insert(picks.end(), own.begin(), own.end());
  }
  return make_nets(experts, top_k, picks, weight);
}

}  // namespace moesim::strategies
