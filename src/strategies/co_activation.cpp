#include "strategies/co_activation.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "core/random.h"
#include "routing/expert_router.h"
#include "routing/expert_router_draw.h"

namespace moesim::strategies {
namespace {

/// Experts of tokens that the router draws for one layer's load. Experts without load count as a
/// ten-thousandth of the mean, because the router needs positive shares.
std::vector<std::uint16_t> draw_layer(const placement::Problem& problem,
                                      std::span<const double> load, RandomStream& stream) {
  routing::RoutingShape shape = problem.routing;
  shape.moe_layers = 1;
  const double sum = std::accumulate(load.begin(), load.end(), 0.0);
  const double least = 1e-4 * sum / static_cast<double>(load.size());
  routing::Popularity popularity{.source = "planned load", .share = {}};
  for (const double x : load) popularity.share.push_back(std::max(x, least) / sum);
  const double total = std::accumulate(popularity.share.begin(), popularity.share.end(), 0.0);
  for (double& share : popularity.share) share /= total;
  const routing::ExpertRouter router(shape, popularity);
  std::vector<std::uint16_t> experts;
  const auto top_k = static_cast<std::size_t>(shape.top_k);
  experts.reserve(static_cast<std::size_t>(kDrawnTokens) * top_k);
  router.draw(0, kDrawnTokens, stream, [&](const std::uint16_t* token) {
    experts.insert(experts.end(), token, token + top_k);
  });
  return experts;
}

}  // namespace

void CoActivation::add(std::span<const std::uint16_t> experts, std::int64_t top_k, double weight) {
  const auto k = static_cast<std::size_t>(top_k);
  std::vector<std::int32_t> tokens(count_.size(), 0);
  for (std::size_t first = 0; first + k <= experts.size(); first += k) {
    for (std::size_t i = 0; i < k; ++i) {
      std::int32_t* const row = &tokens[experts[first + i] * experts_];
      for (std::size_t j = 0; j < k; ++j) ++row[experts[first + j]];
    }
  }
  const double each = weight * static_cast<double>(k) / static_cast<double>(experts.size());
  for (std::size_t e = 0; e < experts_; ++e) {
    for (std::size_t f = 0; f < experts_; ++f) {
      if (e == f) continue;
      const std::size_t at = e * experts_ + f;
      count_[at] += static_cast<float>(each * static_cast<double>(tokens[at]));
    }
  }
}

CoActivationSource::CoActivationSource(const placement::Problem& problem, std::uint64_t seed)
    : problem_(problem), seed_(seed) {
  for (const placement::Workload& workload : problem.workloads) total_weight_ += workload.weight;
}

CoActivation CoActivationSource::layer(std::int64_t layer) const {
  const auto experts = static_cast<std::size_t>(problem_.shape.experts);
  CoActivation co_activation(problem_.shape.experts);
  for (std::size_t w = 0; w < problem_.workloads.size(); ++w) {
    const placement::Workload& workload = problem_.workloads[w];
    const double weight = workload.weight / total_weight_;
    const auto row = workload.tokens.empty() ? std::nullopt : workload.tokens.row_of(layer);
    if (row) {
      co_activation.add(workload.tokens.experts_of(*row), workload.tokens.top_k, weight);
      continue;
    }
    RandomStream stream(seed_, "co-activation",
                        static_cast<std::uint64_t>(layer) << 16 | static_cast<std::uint64_t>(w));
    const auto load =
        std::span(workload.load).subspan(static_cast<std::size_t>(layer) * experts, experts);
    co_activation.add(draw_layer(problem_, load, stream), problem_.routing.top_k, weight);
  }
  return co_activation;
}

}  // namespace moesim::strategies
