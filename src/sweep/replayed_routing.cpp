#include "sweep/replayed_routing.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <numeric>
#include <utility>
#include <variant>

#include "core/check.h"
#include "core/random.h"
#include "routing/expert_router_draw.h"
#include "routing/popularity.h"
#include "routing/token_bank.h"

namespace moesim::sweep {
namespace {

using placement::Workload;
using routing::RoutingShape;

constexpr std::int64_t kTokens = 8192;  ///< Of all workloads together.

routing::Popularity popularity_of(const RoutingShape& shape, const std::vector<double>& load,
                                  const std::string& name) {
  std::vector<std::vector<double>> rows;
  for (std::int64_t layer = 0; layer < shape.moe_layers; ++layer) {
    const auto first = load.begin() + layer * shape.experts;
    rows.emplace_back(first, first + shape.experts);
  }
  auto popularity = routing::recorded(shape, rows, name);
  MOESIM_CHECK(std::holds_alternative<routing::Popularity>(popularity),
               "loads are checked before they are run");
  return std::get<routing::Popularity>(std::move(popularity));
}

/// Each layer of each workload scaled to its weight.
std::vector<double> mixed_load(const RoutingShape& shape, const std::vector<Workload>& workloads) {
  const auto experts = static_cast<std::ptrdiff_t>(shape.experts);
  std::vector<double> mixed(workloads.front().load.size(), 0.0);
  for (const Workload& workload : workloads) {
    for (std::size_t at = 0; at < mixed.size(); at += static_cast<std::size_t>(experts)) {
      const auto row = workload.load.begin() + static_cast<std::ptrdiff_t>(at);
      const double scale = workload.weight / std::accumulate(row, row + experts, 0.0);
      for (std::ptrdiff_t e = 0; e < experts; ++e) {
        mixed[at + static_cast<std::size_t>(e)] += scale * row[e];
      }
    }
  }
  return mixed;
}

/// Tokens of each workload: by weight, at least one.
std::vector<std::int64_t> token_counts(const std::vector<Workload>& workloads) {
  double weights = 0.0;
  for (const Workload& workload : workloads) weights += workload.weight;
  std::vector<std::int64_t> counts;
  for (const Workload& workload : workloads) {
    const double part = static_cast<double>(kTokens) * (workload.weight / weights);
    counts.push_back(std::max<std::int64_t>(1, std::llround(part)));
  }
  return counts;
}

/// Requests of all workloads, numbered so that none are shared.
std::vector<std::uint64_t> requests_of(const std::vector<Workload>& workloads,
                                       const std::vector<std::int64_t>& counts) {
  std::vector<std::uint64_t> requests;
  std::uint64_t number = 0;
  for (std::size_t w = 0; w < workloads.size(); ++w) {
    const std::vector<std::uint64_t>& recorded = workloads[w].tokens.request;
    for (std::size_t t = 0; t < static_cast<std::size_t>(counts[w]); ++t) {
      const std::size_t at = recorded.empty() ? t : t % recorded.size();
      const bool begins = recorded.empty() || at == 0 || recorded[at] != recorded[at - 1];
      number += begins ? 1 : 0;
      requests.push_back(number);
    }
  }
  return requests;
}

void append_tokens(const Workload& workload, std::int64_t layer, std::int64_t count,
                   const routing::ExpertRouter& router, RandomStream& stream,
                   routing::TokenTrace& to) {
  const auto top_k = static_cast<std::ptrdiff_t>(to.top_k);
  const auto keep = [&](const std::uint16_t* experts) {
    to.expert.insert(to.expert.end(), experts, experts + top_k);
  };
  const auto row = workload.tokens.empty() ? std::nullopt : workload.tokens.row_of(layer);
  if (!row) {
    router.draw(layer, count, stream, keep);
    return;
  }
  const auto traced = workload.tokens.experts_of(*row);
  for (std::int64_t t = 0; t < count; ++t) {
    keep(traced.data() + (t % workload.tokens.tokens()) * top_k);
  }
}

}  // namespace

void replay(const RoutingShape& shape, const std::vector<Workload>& workloads, std::uint64_t seed,
            serving::ExpertSettings& experts) {
  MOESIM_CHECK(!workloads.empty(), "no routing to be replayed");
  const std::vector<std::int64_t> counts = token_counts(workloads);
  std::vector<routing::ExpertRouter> routers;
  for (const Workload& workload : workloads) {
    routers.emplace_back(shape, popularity_of(shape, workload.load, workload.name));
  }
  RandomStream stream(seed, "replayed routing");
  routing::TokenTrace trace{.experts = shape.experts,
                            .top_k = shape.top_k,
                            .layer = {},
                            .request = requests_of(workloads, counts),
                            .expert = {}};
  for (std::int64_t layer = 0; layer < shape.moe_layers; ++layer) {
    trace.layer.push_back(static_cast<std::int32_t>(layer));
    for (std::size_t w = 0; w < workloads.size(); ++w) {
      append_tokens(workloads[w], layer, counts[w], routers[w], stream, trace);
    }
  }
  experts.popularity = popularity_of(shape, mixed_load(shape, workloads), "replayed");
  experts.recorded = std::make_shared<const routing::TokenBank>(std::move(trace));
  experts.affinity.reset();
  experts.drift.reset();
}

}  // namespace moesim::sweep
