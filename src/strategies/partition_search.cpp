#include "strategies/partition_search.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/math.h"

namespace moesim::strategies {
namespace {

constexpr std::size_t kDraws = 4096;
constexpr double kFull = 1.0 + 1e-12;  ///< Room for rounding.
/// Of the correction for tokens that two exchanged experts share: both cannot gain by them.
constexpr double kShared = 0.8;

// Nanoseconds of the reference machine.
constexpr std::int64_t kNetWork = 45;
constexpr std::int64_t kTryWork = 14;
constexpr int kHandOver = 16;  ///< Of so many proposals one hands a slot over.

const std::vector<double>& exponential_quantiles() {
  static const std::vector<double> quantiles = [] {
    std::vector<double> values(kDraws);
    for (std::size_t i = 0; i < kDraws; ++i) {
      values[i] = -math::log((static_cast<double>(i) + 0.5) / static_cast<double>(kDraws));
    }
    return values;
  }();
  return quantiles;
}

}  // namespace

NodeSearch::NodeSearch(const LayerTokens& tokens, std::vector<CopyLevel> levels,
                       const NodeGrid& grid, std::span<const double> load, std::size_t workloads,
                       std::vector<std::int32_t> slots, DriftRisk* drift, RandomStream& stream)
    : tokens_(tokens),
      levels_(std::move(levels)),
      grid_(grid),
      load_(load.begin(), load.end()),
      workloads_(workloads),
      slots_(std::move(slots)),
      node_of_(slots_.size()),
      together_(tokens.experts * tokens.experts, 0.0),
      drift_(drift),
      spare_(slots_.size() > tokens.experts),
      node_risk_(grid.nodes()),
      packer_(grid.slots_per_gpu, workloads),
      stream_(stream) {
  for (std::size_t n = 0; n < grid.nodes(); ++n) {
    for (std::size_t p = grid.first[n]; p < grid.first[n + 1]; ++p) node_of_[p] = n;
  }
  std::vector<std::int32_t> part(slots_.size());
  for (const CopyLevel& level : levels_) {
    for (std::size_t p = 0; p < part.size(); ++p) {
      part[p] = static_cast<std::int32_t>(level.part_of_node[node_of_[p]]);
    }
    level.copies->assign(slots_, part);
  }
  for (std::size_t t = 0; t < tokens.nets(); ++t) {
    const std::uint16_t* pin = &tokens.pin[t * tokens.top_k];
    for (std::size_t i = 0; i < tokens.top_k; ++i) {
      for (std::size_t j = 0; j < tokens.top_k; ++j) {
        together_[pin[i] * tokens.experts + pin[j]] += tokens.weight[t];
      }
    }
  }
  work_ += static_cast<std::int64_t>(tokens.pin.size() * tokens.top_k);
  share_load();
  if (drift_ == nullptr) return;
  for (std::size_t e = 0; e < tokens.experts; ++e) drift_->set_share(e, share_[e]);
  for (std::size_t n = 0; n < grid.nodes(); ++n) {
    pack(n);
    node_risk_[n] = packed_risk(n);
    for (std::size_t i = 0; i < risk_.size(); ++i) risk_[i] += node_risk_[n][i];
  }
}

double NodeSearch::cost() const {
  double sum = 0.0;
  for (const CopyLevel& level : levels_) sum += level.weight * level.copies->cost();
  return sum;
}

std::int64_t NodeSearch::work() const {
  std::int64_t sum = work_;
  for (const CopyLevel& level : levels_) sum += kNetWork * level.copies->work();
  return sum;
}

void NodeSearch::share_load() {
  const std::size_t experts = tokens_.experts;
  share_.resize(experts * workloads_);
  for (std::size_t e = 0; e < experts; ++e) {
    for (std::size_t k = 0; k < workloads_; ++k) {
      share_[e * workloads_ + k] = load_[e * workloads_ + k] / levels_.front().copies->replicas(e);
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
  work_ += static_cast<std::int64_t>((grid_.slots_per_gpu <= 2 ? 20 : 60) * size * workloads_);
  return packer_.pack(std::span(slots_).subspan(grid_.first[node], size), share_);
}

DriftRisk::Sums NodeSearch::packed_risk(std::size_t node) const {
  DriftRisk::Sums sums{};
  if (drift_ == nullptr) return sums;
  for (std::size_t g = 0; g < grid_.gpus[node]; ++g) {
    DriftRisk::Sums load{};
    for (const std::size_t slot : packer_.slots_of(g)) {
      const auto e = static_cast<std::size_t>(slots_[grid_.first[node] + slot]);
      for (std::size_t i = 0; i < load.size(); ++i) load[i] += drift_->effective(e)[i];
    }
    const DriftRisk::Sums of_gpu = drift_->of_gpu(load);
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += of_gpu[i];
  }
  return sums;
}

bool NodeSearch::risk_fits(std::size_t a, std::size_t b) const {
  if (drift_ == nullptr) return true;
  for (std::size_t i = 0; i < risk_.size(); ++i) {
    const double change = risk_a_[i] + risk_b_[i] - node_risk_[a][i] - node_risk_[b][i];
    if (change > 0.0 && risk_[i] + change > drift_->limit()[i]) return false;
  }
  return true;
}

bool NodeSearch::packs(std::size_t a, std::size_t b) {
  if (!pack(a)) return false;
  risk_a_ = packed_risk(a);
  if (!pack(b)) return false;
  risk_b_ = packed_risk(b);
  return risk_fits(a, b);
}

bool NodeSearch::loads_fit(std::size_t a, std::size_t b, std::size_t e, std::size_t f) const {
  const double room_a = static_cast<double>(grid_.gpus[a]) * kFull;
  const double room_b = static_cast<double>(grid_.gpus[b]) * kFull;
  for (std::size_t k = 0; k < workloads_; ++k) {
    const double d = share_[e * workloads_ + k] - share_[f * workloads_ + k];
    if (d < 0.0 && node_load_[a * workloads_ + k] - d > room_a) return false;
    if (d > 0.0 && node_load_[b * workloads_ + k] + d > room_b) return false;
  }
  return true;
}

double NodeSearch::estimate(std::size_t e, std::size_t a, std::size_t f, std::size_t b) const {
  double sum = 0.0;
  for (const CopyLevel& level : levels_) {
    const std::size_t from = level.part_of_node[a];
    const std::size_t to = level.part_of_node[b];
    if (from == to) continue;
    sum += level.weight *
           (level.copies->move_estimate(e, from, to) + level.copies->move_estimate(f, to, from) +
            kShared * together_[e * tokens_.experts + f]);
  }
  return sum;
}

bool NodeSearch::exchange_lowers(std::size_t e, std::size_t a, std::size_t f, std::size_t b,
                                 double threshold) {
  double change = 0.0;
  for (const CopyLevel& level : levels_) {
    const std::size_t from = level.part_of_node[a];
    const std::size_t to = level.part_of_node[b];
    if (from == to) continue;
    const std::array<CopyModel::Change, 4> changes = {
        {{e, from, -1}, {e, to, 1}, {f, to, -1}, {f, from, 1}}};
    change += level.weight * level.copies->propose(changes);
  }
  for (const CopyLevel& level : levels_) {
    if (level.part_of_node[a] == level.part_of_node[b]) continue;
    if (change <= threshold) {
      level.copies->keep();
    } else {
      level.copies->drop();
    }
  }
  return change <= threshold;
}

bool NodeSearch::exchange(std::size_t i, std::size_t j, double threshold) {
  const std::size_t a = node_of_[i];
  const std::size_t b = node_of_[j];
  const auto e = static_cast<std::size_t>(slots_[i]);
  const auto f = static_cast<std::size_t>(slots_[j]);
  if (a == b || e == f || estimate(e, a, f, b) > threshold) return false;
  const CopyModel& nodes = *levels_.front().copies;
  if (nodes.count(e, b) >= static_cast<std::int32_t>(grid_.gpus[b]) ||
      nodes.count(f, a) >= static_cast<std::int32_t>(grid_.gpus[a]) || !loads_fit(a, b, e, f)) {
    return false;
  }
  std::swap(slots_[i], slots_[j]);
  if (!packs(a, b) || !exchange_lowers(e, a, f, b, threshold)) {
    std::swap(slots_[i], slots_[j]);
    return false;
  }
  for (std::size_t r = 0; r < risk_.size(); ++r) {
    risk_[r] += risk_a_[r] + risk_b_[r] - node_risk_[a][r] - node_risk_[b][r];
  }
  node_risk_[a] = risk_a_;
  node_risk_[b] = risk_b_;
  for (std::size_t k = 0; k < workloads_; ++k) {
    const double d = share_[e * workloads_ + k] - share_[f * workloads_ + k];
    node_load_[a * workloads_ + k] -= d;
    node_load_[b * workloads_ + k] += d;
  }
  return true;
}

void NodeSearch::anneal(const Annealing& plan) {
  const double unit =
      static_cast<double>(tokens_.top_k) / static_cast<double>(tokens_.experts) * plan.hot;
  const std::vector<double>& exponential = exponential_quantiles();
  const std::int64_t start = work();
  const double decay = math::log(plan.cold / plan.hot);
  const auto positions = static_cast<std::uint64_t>(slots_.size());
  constexpr int kBatch = 256;
  for (std::int64_t done = 0; done < plan.work; done = work() - start) {
    const double passed = static_cast<double>(done) / static_cast<double>(plan.work);
    const double temperature = unit * math::exp(decay * passed);
    for (int n = 0; n < kBatch; ++n) {
      const std::uint64_t bits = stream_.next();
      const auto i = static_cast<std::size_t>(((bits & 0xffffff) * positions) >> 24);
      const auto j = static_cast<std::size_t>((((bits >> 24) & 0xffffff) * positions) >> 24);
      const double threshold = temperature * exponential[bits >> 52];
      if (n % kHandOver == 0 && spare_) {
        hand_over(i, static_cast<std::size_t>(stream_.below(tokens_.experts)), threshold);
      } else {
        exchange(i, j, threshold);
      }
    }
    work_ += kTryWork * kBatch;
  }
}

}  // namespace moesim::strategies
