#include "strategies/node_layout.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/check.h"
#include "core/index.h"

namespace moesim::strategies {
namespace {}  // namespace

NodeLayout::NodeLayout(const CoActivation& pairs, std::span<const double> load, NodeRoom room,
                       std::vector<std::int32_t> expert, std::vector<std::int32_t> node)
    : pairs_(pairs),
      room_(std::move(room)),
      expert_(std::move(expert)),
      node_(std::move(node)),
      share_(load.begin(), load.end()),
      inverse_(load.size(), 0.0),
      pull_(load.size() * nodes_of_room(), 0.0),
      copies_(load.size() * nodes_of_room(), 0),
      used_(nodes_of_room(), 0),
      load_(nodes_of_room(), 0.0) {
  for (const std::int32_t e : expert_) inverse_[as_index(e)] += 1.0;
  for (std::size_t e = 0; e < share_.size(); ++e) {
    MOESIM_CHECK(inverse_[e] > 0.0, "every expert has a replica");
    inverse_[e] = 1.0 / inverse_[e];
    share_[e] *= inverse_[e];
  }
  double total = 0.0;
  for (std::size_t r = 0; r < expert_.size(); ++r) {
    const std::size_t n = as_index(node_[r]);
    ++copies(r, n);
    ++used_[n];
    load_[n] += share(r);
    total += share(r);
  }
  load_per_slot_ = total / static_cast<double>(expert_.size());
  const std::size_t nodes = nodes_of_room();
  for (std::size_t e = 0; e < share_.size(); ++e) {
    const std::span<const float> row = pairs_.row(e);
    for (std::size_t r = 0; r < expert_.size(); ++r) {
      const std::size_t f = as_index(expert_[r]);
      pull_[e * nodes + as_index(node_[r])] +=
          static_cast<double>(row[f]) * inverse_[e] * inverse_[f];
    }
  }
}

double NodeLayout::pull(std::size_t replica, std::size_t node) const {
  return pull_[as_index(expert_[replica]) * nodes_of_room() + node];
}
double NodeLayout::pair(std::size_t a, std::size_t b) const {
  const std::size_t e = as_index(expert_[a]);
  const std::size_t f = as_index(expert_[b]);
  return static_cast<double>(pairs_(e, f)) * inverse_[e] * inverse_[f];
}
double NodeLayout::share(std::size_t replica) const { return share_[as_index(expert_[replica])]; }
double NodeLayout::cap(std::size_t node, double tolerance) const {
  return (1.0 + tolerance) * load_per_slot_ * static_cast<double>(room_.slots[node]);
}
std::int64_t& NodeLayout::copies(std::size_t replica, std::size_t node) {
  return copies_[as_index(expert_[replica]) * nodes_of_room() + node];
}
std::int64_t NodeLayout::copies(std::size_t replica, std::size_t node) const {
  return copies_[as_index(expert_[replica]) * nodes_of_room() + node];
}

double NodeLayout::cut() const {
  double inside = 0.0;
  double all = 0.0;
  for (std::size_t r = 0; r < expert_.size(); ++r) {
    inside += pull(r, as_index(node_[r]));
    for (std::size_t n = 0; n < nodes_of_room(); ++n) all += pull(r, n);
  }
  return 0.5 * (all - inside);
}

double NodeLayout::gain(std::size_t a, std::size_t b) const {
  const std::size_t from = as_index(node_[a]);
  const std::size_t to = as_index(node_[b]);
  return pull(a, to) - pull(a, from) + pull(b, from) - pull(b, to) - 2.0 * pair(a, b);
}

bool NodeLayout::allowed(std::size_t a, std::size_t b) const {
  const std::size_t from = as_index(node_[a]);
  const std::size_t to = as_index(node_[b]);
  return from != to && expert_[a] != expert_[b] && copies(a, to) < room_.ranks[to] &&
         copies(b, from) < room_.ranks[from];
}

void NodeLayout::move(std::size_t replica, std::size_t node) {
  const std::size_t e = as_index(expert_[replica]);
  const std::size_t from = as_index(node_[replica]);
  const std::size_t nodes = nodes_of_room();
  --copies(replica, from);
  ++copies(replica, node);
  --used_[from];
  ++used_[node];
  load_[from] -= share(replica);
  load_[node] += share(replica);
  node_[replica] = static_cast<std::int32_t>(node);
  const std::span<const float> row = pairs_.row(e);
  for (std::size_t f = 0; f < row.size(); ++f) {
    if (row[f] == 0.0F) continue;
    const double weight = static_cast<double>(row[f]) * inverse_[e] * inverse_[f];
    pull_[f * nodes + from] -= weight;
    pull_[f * nodes + node] += weight;
  }
}

void NodeLayout::swap(std::size_t a, std::size_t b) {
  const std::size_t from = as_index(node_[a]);
  move(a, as_index(node_[b]));
  move(b, from);
}

void NodeLayout::fill_exactly() {
  for (std::size_t from = 0; from < nodes_of_room(); ++from) {
    while (used_[from] > room_.slots[from]) {
      std::size_t best = expert_.size();
      std::size_t best_node = 0;
      double best_gain = 0.0;
      for (std::size_t r = 0; r < expert_.size(); ++r) {
        if (as_index(node_[r]) != from) continue;
        for (std::size_t to = 0; to < nodes_of_room(); ++to) {
          if (used_[to] >= room_.slots[to]) continue;
          const double found = pull(r, to) - pull(r, from);
          if (best < expert_.size() && found <= best_gain) continue;
          best = r;
          best_node = to;
          best_gain = found;
        }
      }
      MOESIM_CHECK(best < expert_.size(), "replicas fill the slots exactly");
      move(best, best_node);
    }
  }
  separate();
}

/// Exchanges replicas of experts that a node has more often than ranks.
void NodeLayout::separate() {
  for (std::size_t a = 0; a < expert_.size(); ++a) {
    const std::size_t from = as_index(node_[a]);
    if (copies(a, from) <= room_.ranks[from]) continue;
    Exchange best;
    for (std::size_t b = 0; b < expert_.size(); ++b) {
      if (!allowed(a, b)) continue;
      const double found = gain(a, b);
      if (best.found && found <= best.price) continue;
      best = {.a = a, .b = b, .price = found, .found = true};
    }
    if (best.found) swap(best.a, best.b);
  }
}

double NodeLayout::excess(std::size_t node, double load, double tolerance) const {
  return std::max(0.0, load - cap(node, tolerance));
}

/// The exchange that relieves a node at the least loss of cut per load taken off the two nodes'
/// excess.
NodeLayout::Exchange NodeLayout::cheapest_relief(std::size_t node, double tolerance) const {
  Exchange best;
  for (std::size_t a = 0; a < expert_.size(); ++a) {
    if (as_index(node_[a]) != node) continue;
    for (std::size_t b = 0; b < expert_.size(); ++b) {
      const double shift = share(a) - share(b);
      if (shift <= 0.0 || !allowed(a, b)) continue;
      const std::size_t to = as_index(node_[b]);
      const double relief =
          excess(node, load_[node], tolerance) - excess(node, load_[node] - shift, tolerance) +
          excess(to, load_[to], tolerance) - excess(to, load_[to] + shift, tolerance);
      if (relief <= 1e-12 * cap(node, tolerance)) continue;
      const double price = -gain(a, b) / relief;
      if (best.found && price >= best.price) continue;
      best = {.a = a, .b = b, .price = price, .found = true};
    }
  }
  return best;
}

void NodeLayout::even_out(double tolerance) {
  const std::size_t most = 4 * expert_.size();
  for (std::size_t step = 0; step < most; ++step) {
    std::vector<std::size_t> order;
    for (std::size_t n = 0; n < nodes_of_room(); ++n) {
      if (excess(n, load_[n], tolerance) > 0.0) order.push_back(n);
    }
    std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
      return load_[x] / cap(x, tolerance) > load_[y] / cap(y, tolerance);
    });
    bool relieved = false;
    for (std::size_t i = 0; i < order.size() && !relieved; ++i) {
      const Exchange best = cheapest_relief(order[i], tolerance);
      relieved = best.found;
      if (relieved) swap(best.a, best.b);
    }
    if (!relieved) return;
  }
}

void NodeLayout::lower_cut(double tolerance, int passes) {
  const auto fits = [&](std::size_t node, double load) {
    return load <= std::max(cap(node, tolerance), load_[node]);
  };
  for (int pass = 0; pass < passes; ++pass) {
    bool lowered = false;
    for (std::size_t a = 0; a < expert_.size(); ++a) {
      Exchange best;
      for (std::size_t b = 0; b < expert_.size(); ++b) {
        if (!allowed(a, b)) continue;
        const double found = gain(a, b);
        if (found <= 1e-9 || (best.found && found <= best.price)) continue;
        const double shift = share(a) - share(b);
        const std::size_t from = as_index(node_[a]);
        const std::size_t to = as_index(node_[b]);
        if (!fits(from, load_[from] - shift) || !fits(to, load_[to] + shift)) continue;
        best = {.a = a, .b = b, .price = found, .found = true};
      }
      if (best.found) swap(best.a, best.b);
      lowered = lowered || best.found;
    }
    if (!lowered) return;
  }
}

}  // namespace moesim::strategies
