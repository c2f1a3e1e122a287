#include "strategies/partition_search.h"

#include <algorithm>
#include <array>

#include "core/math.h"

namespace moesim::strategies {
namespace {

constexpr std::size_t kDraws = 4096;
constexpr double kFull = 1.0 + 1e-12;  ///< Room for rounding.

std::vector<double> exponential_quantiles() {
  std::vector<double> values(kDraws);
  for (std::size_t i = 0; i < kDraws; ++i) {
    values[i] = -math::log((static_cast<double>(i) + 0.5) / static_cast<double>(kDraws));
  }
  return values;
}

}  // namespace

NodeSearch::NodeSearch(const LayerTokens& tokens, CopyModel& copies, const NodeGrid& grid,
                       std::span<const double> load, std::size_t workloads,
                       std::vector<std::int32_t> slots, RandomStream& stream)
    : tokens_(tokens),
      copies_(copies),
      grid_(grid),
      load_(load.begin(), load.end()),
      workloads_(workloads),
      slots_(std::move(slots)),
      node_of_(slots_.size()),
      together_(tokens.experts * tokens.experts, 0.0),
      exponential_(exponential_quantiles()),
      packer_(grid.slots_per_gpu, workloads),
      stream_(stream) {
  std::vector<std::int32_t> node(slots_.size());
  for (std::size_t n = 0; n < grid.nodes(); ++n) {
    for (std::size_t p = grid.first[n]; p < grid.first[n + 1]; ++p) {
      node_of_[p] = n;
      node[p] = static_cast<std::int32_t>(n);
    }
  }
  copies_.assign(slots_, node);
  for (std::size_t t = 0; t < tokens.nets(); ++t) {
    const std::uint16_t* pin = &tokens.pin[t * tokens.top_k];
    for (std::size_t i = 0; i < tokens.top_k; ++i) {
      for (std::size_t j = 0; j < tokens.top_k; ++j) {
        together_[pin[i] * tokens.experts + pin[j]] += tokens.weight[t];
      }
    }
  }
  share_load();
}

void NodeSearch::share_load() {
  const std::size_t experts = tokens_.experts;
  share_.resize(experts * workloads_);
  for (std::size_t e = 0; e < experts; ++e) {
    for (std::size_t k = 0; k < workloads_; ++k) {
      share_[e * workloads_ + k] = load_[e * workloads_ + k] / copies_.replicas(e);
    }
  }
  node_load_.assign(grid_.nodes() * workloads_, 0.0);
  for (std::size_t p = 0; p < slots_.size(); ++p) {
    for (std::size_t k = 0; k < workloads_; ++k) {
      node_load_[node_of_[p] * workloads_ + k] +=
          share_[static_cast<std::size_t>(slots_[p]) * workloads_ + k];
    }
  }
}

bool NodeSearch::pack(std::size_t node) {
  const std::size_t size = grid_.first[node + 1] - grid_.first[node];
  work_ += static_cast<std::int64_t>(grid_.slots_per_gpu <= 2 ? 10 * size : 60 * size);
  return packer_.pack(std::span(slots_).subspan(grid_.first[node], size), share_);
}

bool NodeSearch::loads_fit(std::size_t a, std::size_t b, std::size_t e, std::size_t f) const {
  for (std::size_t k = 0; k < workloads_; ++k) {
    const double d = share_[e * workloads_ + k] - share_[f * workloads_ + k];
    if (node_load_[a * workloads_ + k] - d > static_cast<double>(grid_.gpus[a]) * kFull && d < 0)
      return false;
    if (node_load_[b * workloads_ + k] + d > static_cast<double>(grid_.gpus[b]) * kFull && d > 0)
      return false;
  }
  return true;
}

bool NodeSearch::exchange(std::size_t i, std::size_t j, double threshold, const Annealing& plan) {
  const std::size_t a = node_of_[i];
  const std::size_t b = node_of_[j];
  const auto e = static_cast<std::size_t>(slots_[i]);
  const auto f = static_cast<std::size_t>(slots_[j]);
  if (a == b || e == f) return false;
  const double estimate = copies_.move_estimate(e, a, b) + copies_.move_estimate(f, b, a) +
                          plan.pair * together_[e * tokens_.experts + f];
  if (estimate > threshold + plan.margin) return false;
  if (copies_.count(e, b) >= static_cast<std::int32_t>(grid_.gpus[b]) ||
      copies_.count(f, a) >= static_cast<std::int32_t>(grid_.gpus[a]) || !loads_fit(a, b, e, f)) {
    return false;
  }
  ++passed;
  std::swap(slots_[i], slots_[j]);
  if (!pack(a) || !pack(b)) {
    std::swap(slots_[i], slots_[j]);
    return false;
  }
  ++evaluated;
  const std::array<CopyModel::Change, 4> changes = {{{e, a, -1}, {e, b, 1}, {f, b, -1}, {f, a, 1}}};
  if (copies_.propose(changes) > threshold) {
    copies_.drop();
    std::swap(slots_[i], slots_[j]);
    return false;
  }
  copies_.keep();
  ++taken;
  for (std::size_t k = 0; k < workloads_; ++k) {
    const double d = share_[e * workloads_ + k] - share_[f * workloads_ + k];
    node_load_[a * workloads_ + k] -= d;
    node_load_[b * workloads_ + k] += d;
  }
  return true;
}

void NodeSearch::anneal(const Annealing& plan) {
  const double unit = static_cast<double>(tokens_.top_k) / static_cast<double>(tokens_.experts);
  const std::int64_t start = work();
  const double decay = math::log(plan.cold / plan.hot);
  const auto positions = static_cast<std::uint64_t>(slots_.size());
  constexpr int kBatch = 256;
  for (std::int64_t done = 0; done < plan.work; done = work() - start) {
    const double temperature =
        plan.hot * unit *
        math::exp(decay * static_cast<double>(done) / static_cast<double>(plan.work));
    for (int n = 0; n < kBatch; ++n) {
      const std::uint64_t bits = stream_.next();
      const auto i = static_cast<std::size_t>(((bits & 0xffffff) * positions) >> 24);
      const auto j = static_cast<std::size_t>((((bits >> 24) & 0xffffff) * positions) >> 24);
      exchange(i, j, temperature * exponential_[bits >> 52], plan);
    }
    tried += kBatch;
    work_ += 8 * kBatch;
  }
}

}  // namespace moesim::strategies
