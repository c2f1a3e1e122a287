// Slots handed from an expert with several replicas to another expert, within NodeSearch: which
// experts have the spare slots is chosen together with where they lie.
//
// Looked at like an exchange, cheapest first: what both experts would cost by the table of copies,
// the loads of all nodes that hold one of them, whether these pack and what drift may do to them,
// the true change of copies.
#include <array>

#include "strategies/partition_search.h"

namespace moesim::strategies {
namespace {

constexpr double kFull = 1.0 + 1e-12;  ///< Room for rounding.

}  // namespace

double NodeSearch::hand_over_estimate(std::size_t e, std::size_t f, std::size_t node) const {
  const std::size_t experts = tokens_.experts;
  constexpr std::size_t kNowhere = CopyModel::kNowhere;
  double sum = 0.0;
  for (const CopyLevel& level : levels_) {
    const CopyModel& copies = *level.copies;
    const std::size_t part = level.part_of_node[node];
    const double of_e = together_[e * experts + e];
    const double of_f = together_[f * experts + f];
    sum += level.weight * (copies.spread_estimate(e, part, kNowhere, of_e) -
                           copies.spread_estimate(e, kNowhere, kNowhere, of_e) +
                           copies.spread_estimate(f, kNowhere, part, of_f) -
                           copies.spread_estimate(f, kNowhere, kNowhere, of_f));
  }
  return sum;
}

void NodeSearch::set_shares(std::size_t e, double replicas) {
  for (std::size_t k = 0; k < workloads_; ++k) {
    share_[e * workloads_ + k] = load_[e * workloads_ + k] / replicas;
  }
  if (drift_ != nullptr) drift_->set_share(e, share_[e]);
}

bool NodeSearch::shares_fit(std::size_t e, std::size_t f, std::size_t node) {
  const CopyModel& nodes = *levels_.front().copies;
  const double fewer = nodes.replicas(e) - 1;
  const double more = nodes.replicas(f) + 1;
  touched_.clear();
  touched_load_.clear();
  for (std::size_t n = 0; n < grid_.nodes(); ++n) {
    const double e_here = nodes.count(e, n);
    const double f_here = nodes.count(f, n);
    if (e_here == 0.0 && f_here == 0.0) continue;
    touched_.push_back(n);
    for (std::size_t k = 0; k < workloads_; ++k) {
      const double before = node_load_[n * workloads_ + k];
      const double e_load = load_[e * workloads_ + k];
      const double f_load = load_[f * workloads_ + k];
      const double change =
          e_load * ((e_here - (n == node ? 1.0 : 0.0)) / fewer - e_here / (fewer + 1.0)) +
          f_load * ((f_here + (n == node ? 1.0 : 0.0)) / more - f_here / (more - 1.0));
      const double room = static_cast<double>(grid_.gpus[n]) * kFull;
      if (e_load / fewer > kFull || (change > 0.0 && before + change > room)) return false;
      touched_load_.push_back(before + change);
    }
  }
  return true;
}

bool NodeSearch::repacks() {
  DriftRisk::Sums change{};
  touched_risk_.clear();
  for (const std::size_t n : touched_) {
    if (!pack(n)) return false;
    touched_risk_.push_back(packed_risk(n));
    for (std::size_t i = 0; i < change.size(); ++i) {
      change[i] += touched_risk_.back()[i] - node_risk_[n][i];
    }
  }
  if (drift_ == nullptr) return true;
  for (std::size_t i = 0; i < change.size(); ++i) {
    if (change[i] > 0.0 && risk_[i] + change[i] > drift_->limit()[i]) return false;
  }
  return true;
}

bool NodeSearch::hand_over_lowers(std::size_t e, std::size_t f, std::size_t node,
                                  double threshold) {
  double change = 0.0;
  for (const CopyLevel& level : levels_) {
    const std::size_t part = level.part_of_node[node];
    const std::array<CopyModel::Change, 2> changes = {{{e, part, -1}, {f, part, 1}}};
    change += level.weight * level.copies->propose(changes);
  }
  for (const CopyLevel& level : levels_) {
    if (change <= threshold) {
      level.copies->keep();
    } else {
      level.copies->drop();
    }
  }
  return change <= threshold;
}

bool NodeSearch::hand_over(std::size_t i, std::size_t f, double threshold) {
  const std::size_t node = node_of_[i];
  const auto e = static_cast<std::size_t>(slots_[i]);
  const CopyModel& nodes = *levels_.front().copies;
  if (e == f || nodes.replicas(e) < 2 ||
      nodes.count(f, node) >= static_cast<std::int32_t>(grid_.gpus[node])) {
    return false;
  }
  if (hand_over_estimate(e, f, node) > threshold || !shares_fit(e, f, node)) return false;
  const double replicas_e = nodes.replicas(e);
  const double replicas_f = nodes.replicas(f);
  slots_[i] = static_cast<std::int32_t>(f);
  set_shares(e, replicas_e - 1.0);
  set_shares(f, replicas_f + 1.0);
  if (!repacks() || !hand_over_lowers(e, f, node, threshold)) {
    slots_[i] = static_cast<std::int32_t>(e);
    set_shares(e, replicas_e);
    set_shares(f, replicas_f);
    return false;
  }
  for (std::size_t t = 0; t < touched_.size(); ++t) {
    const std::size_t n = touched_[t];
    for (std::size_t r = 0; r < risk_.size(); ++r) {
      risk_[r] += touched_risk_[t][r] - node_risk_[n][r];
    }
    node_risk_[n] = touched_risk_[t];
    for (std::size_t k = 0; k < workloads_; ++k) {
      node_load_[n * workloads_ + k] = touched_load_[t * workloads_ + k];
    }
  }
  return true;
}

}  // namespace moesim::strategies
