#include "strategies/partition_copies.h"

#include <algorithm>

namespace moesim::strategies {

CopyModel::CopyModel(const LayerTokens& tokens, std::vector<double> remote)
    : tokens_(tokens),
      experts_(tokens.experts),
      nodes_(remote.size()),
      remote_(std::move(remote)),
      count_(nodes_ * experts_),
      replicas_(experts_),
      part_(experts_),
      parts_(nodes_ * experts_),
      part_count_(experts_),
      home_(experts_),
      covered_(experts_),
      absent_(nodes_ * experts_),
      marginal_(nodes_ * experts_),
      net_cost_(tokens.nets()),
      net_stamp_(tokens.nets(), 0),
      seen_(nodes_, 0),
      spread_seen_(nodes_, 0),
      none_(nodes_),
      spread_(tokens.top_k),
      touched_(nodes_) {}

void CopyModel::assign(std::span<const std::int32_t> expert, std::span<const std::int32_t> node) {
  std::fill(count_.begin(), count_.end(), 0);
  std::fill(replicas_.begin(), replicas_.end(), 0);
  for (std::size_t s = 0; s < expert.size(); ++s) {
    const auto e = static_cast<std::size_t>(expert[s]);
    ++count_[static_cast<std::size_t>(node[s]) * experts_ + e];
    ++replicas_[e];
  }
  for (std::size_t e = 0; e < experts_; ++e) {
    set_parts(e);
    for (std::size_t n = 0; n < nodes_; ++n) absent_[n * experts_ + e] = 1.0;
    for (const Part& part : parts(e)) {
      absent_[static_cast<std::size_t>(part.node) * experts_ + e] = 1.0 - part.p;
    }
  }
  std::fill(marginal_.begin(), marginal_.end(), 0.0);
  const std::size_t k = tokens_.top_k;
  std::vector<double> after(k + 1);
  for (std::size_t n = 0; n < nodes_; ++n) {
    const double* absent = &absent_[n * experts_];
    double* marginal = &marginal_[n * experts_];
    for (std::size_t t = 0; t < tokens_.nets(); ++t) {
      const std::uint16_t* pin = &tokens_.pin[t * k];
      after[k] = tokens_.weight[t] * remote_[n];
      for (std::size_t i = k; i-- > 0;) after[i] = after[i + 1] * absent[pin[i]];
      double before = 1.0;
      for (std::size_t i = 0; i < k; ++i) {
        marginal[pin[i]] += before * after[i + 1];
        before *= absent[pin[i]];
      }
    }
  }
  cost_ = recomputed_cost();
  work_ += static_cast<std::int64_t>(tokens_.nets() * (nodes_ + 1));
}

double CopyModel::recomputed_cost() {
  double sum = 0.0;
  for (std::size_t t = 0; t < tokens_.nets(); ++t) {
    net_cost_[t] = net_cost(t);
    sum += tokens_.weight[t] * net_cost_[t];
  }
  return sum;
}

void CopyModel::set_parts(std::size_t expert) {
  part_[expert] = 1.0 / static_cast<double>(std::max(replicas_[expert], 1));
  std::size_t used = 0;
  double here = 0.0;
  for (std::size_t n = 0; n < nodes_; ++n) {
    const std::int32_t count = count_[n * experts_ + expert];
    if (count == 0) continue;
    parts_[expert * nodes_ + used++] = {
        .node = static_cast<std::int32_t>(n),
        .p = static_cast<double>(count) / static_cast<double>(replicas_[expert])};
    here += 1.0 - remote_[n];
  }
  part_count_[expert] = used;
  home_[expert] = used == 1 ? parts_[expert * nodes_].node : -1;
  covered_[expert] = here;
}

double CopyModel::net_cost(std::size_t net) {
  const std::size_t k = tokens_.top_k;
  const std::uint16_t* pin = &tokens_.pin[net * k];
  ++net_mark_;
  double base = 0.0;
  std::size_t spread = 0;
  for (std::size_t i = 0; i < k; ++i) {
    const std::size_t e = pin[i];
    if (home_[e] < 0) {
      spread_[spread++] = e;
      continue;
    }
    const auto n = static_cast<std::size_t>(home_[e]);
    if (seen_[n] != net_mark_) {
      seen_[n] = net_mark_;
      base += remote_[n];
    }
  }
  return spread == 0 ? base : spread_cost(spread, base);
}

double CopyModel::spread_cost(std::size_t spread, double base) {
  std::size_t touched = 0;
  std::size_t open = 0;  // Spread experts that no node of S holds, first in spread_.
  double local = 0.0;
  for (std::size_t i = 0; i < spread; ++i) {
    const std::size_t e = spread_[i];
    bool covered = false;
    double not_yet = 1.0 - covered_[e];
    for (const Part& part : parts(e)) {
      const auto n = static_cast<std::size_t>(part.node);
      if (seen_[n] == net_mark_) {
        covered = true;
        continue;
      }
      if (spread_seen_[n] != net_mark_) {
        spread_seen_[n] = net_mark_;
        none_[n] = 1.0;
        touched_[touched++] = n;
      }
      none_[n] *= 1.0 - part.p;
    }
    if (covered) continue;
    for (std::size_t j = 0; j < open; ++j) {
      double overlap = 0.0;
      for (const Part& other : parts(spread_[j])) {
        overlap += count_[static_cast<std::size_t>(other.node) * experts_ + e] > 0 ? other.p : 0.0;
      }
      not_yet *= 1.0 - overlap;
    }
    local += not_yet;
    spread_[open++] = e;
  }
  double random = 0.0;
  for (std::size_t i = 0; i < touched; ++i) {
    random += remote_[touched_[i]] * (1.0 - none_[touched_[i]]);
  }
  return base + 0.5 * (random + local);
}

double CopyModel::spread_estimate(std::size_t expert, std::size_t from, std::size_t to,
                                  double tokens) const {
  if (tokens <= 0.0) return 0.0;
  const double replicas = static_cast<double>(replicas_[expert]) - (from != kNowhere ? 1.0 : 0.0) +
                          (to != kNowhere ? 1.0 : 0.0);
  double random = 0.0;
  double uncovered = tokens;
  double elsewhere = 1.0;
  const auto add = [&](std::size_t n, double count) {
    if (count <= 0.0) return;
    random += count / replicas * marginal(expert, n);
    uncovered *= marginal(expert, n) / (tokens * remote_[n]);
    elsewhere -= 1.0 - remote_[n];
  };
  bool met = to == kNowhere;
  for (const Part& part : parts(expert)) {
    const auto n = static_cast<std::size_t>(part.node);
    met = met || n == to;
    add(n, static_cast<double>(count_[n * experts_ + expert]) - (n == from ? 1.0 : 0.0) +
               (n == to ? 1.0 : 0.0));
  }
  if (!met) add(to, 1.0);
  return 0.5 * (random + elsewhere * uncovered);
}

double CopyModel::propose(std::span<const Change> changes) {
  changes_.assign(changes.begin(), changes.end());
  changed_experts_.clear();
  for (const Change& c : changes) {
    count_[c.node * experts_ + c.expert] += c.by;
    replicas_[c.expert] += c.by;
    if (std::find(changed_experts_.begin(), changed_experts_.end(), c.expert) ==
        changed_experts_.end()) {
      changed_experts_.push_back(c.expert);
    }
  }
  for (const std::size_t e : changed_experts_) set_parts(e);
  ++stamp_;
  new_cost_.clear();
  proposed_ = 0.0;
  for (const std::size_t e : changed_experts_) {
    for (const std::uint32_t t : tokens_.nets_of(e)) {
      if (net_stamp_[t] == stamp_) continue;
      net_stamp_[t] = stamp_;
      const double cost = net_cost(t);
      proposed_ += tokens_.weight[t] * (cost - net_cost_[t]);
      new_cost_.emplace_back(t, cost);
    }
  }
  work_ += static_cast<std::int64_t>(new_cost_.size());
  return proposed_;
}

void CopyModel::drop() {
  for (const Change& c : changes_) {
    count_[c.node * experts_ + c.expert] -= c.by;
    replicas_[c.expert] -= c.by;
  }
  for (const std::size_t e : changed_experts_) set_parts(e);
}

void CopyModel::keep() {
  for (const auto& [net, cost] : new_cost_) net_cost_[net] = cost;
  cost_ += proposed_;
  for (const std::size_t e : changed_experts_) {
    for (std::size_t n = 0; n < nodes_; ++n) {
      const double absent =
          1.0 - static_cast<double>(count_[n * experts_ + e]) / static_cast<double>(replicas_[e]);
      if (absent != absent_[n * experts_ + e]) change_marginals(e, n, absent);
    }
  }
}

void CopyModel::change_marginals(std::size_t expert, std::size_t node, double new_absent) {
  const std::size_t k = tokens_.top_k;
  double* absent = &absent_[node * experts_];
  double* marginal = &marginal_[node * experts_];
  const double change = (new_absent - absent[expert]) * remote_[node];
  absent[expert] = new_absent;
  const auto nets = tokens_.nets_of(expert);
  for (const std::uint32_t t : nets) {
    const std::uint16_t* pin = &tokens_.pin[t * k];
    double product = change * tokens_.weight[t];
    std::size_t zeros = 0;
    std::size_t zero_at = 0;
    for (std::size_t i = 0; i < k; ++i) {
      if (pin[i] == expert) continue;
      const double a = absent[pin[i]];
      if (a == 0.0) {
        ++zeros;
        zero_at = pin[i];
      } else {
        product *= a;
      }
    }
    if (zeros > 1) continue;
    if (zeros == 1) {
      marginal[zero_at] += product;
      continue;
    }
    for (std::size_t i = 0; i < k; ++i) {
      if (pin[i] != expert) marginal[pin[i]] += product / absent[pin[i]];
    }
  }
  work_ += static_cast<std::int64_t>(nets.size());
}

}  // namespace moesim::strategies
