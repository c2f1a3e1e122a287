#include "strategies/relabel.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "core/check.h"
#include "core/index.h"
#include "strategies/relabel_assignment.h"

namespace moesim::strategies {
namespace {

using placement::Placement;
using placement::PlacementShape;

/// Beyond this many alike, pairs are taken greedily by what they keep: the exact assignment's time
/// grows with the cube, its table with the square.
constexpr std::size_t kMostExact = 1024;

/// Ranks of each node; nodes that may be exchanged have the same `kind`.
struct Nodes {
  Nodes(const PlacementShape& shape, Exchangeable what) {
    std::vector<std::int32_t> number;
    std::vector<std::int32_t> rack;
    for (std::int64_t r = 0; r < shape.ranks; ++r) {
      const bool one = what == Exchangeable::AllRanks || shape.domain_of_rank.empty();
      const std::int32_t domain = one ? 0 : shape.domain_of_rank[as_index(r)];
      auto at = std::find(number.begin(), number.end(), domain);
      if (at == number.end()) {
        number.push_back(domain);
        rack.push_back(one || shape.rack_of_domain.empty()
                           ? 0
                           : shape.rack_of_domain[static_cast<std::size_t>(domain)]);
        ranks.emplace_back();
        at = number.end() - 1;
      }
      ranks[static_cast<std::size_t>(at - number.begin())].push_back(as_index(r));
    }
    std::vector<bool> grouped(ranks.size(), false);
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      if (grouped[i]) continue;
      groups.emplace_back();
      for (std::size_t j = i; j < ranks.size(); ++j) {
        if (grouped[j] || rack[i] != rack[j] || ranks[i].size() != ranks[j].size()) continue;
        grouped[j] = true;
        groups.back().push_back(j);
      }
    }
  }
  std::vector<std::vector<std::size_t>> ranks;   ///< [node]
  std::vector<std::vector<std::size_t>> groups;  ///< Nodes that are alike.
};

/// Experts that an old and a new rank have in common.
class Common {
 public:
  Common(const PlacementShape& shape, std::span<const std::int32_t> from,
         std::span<const std::int32_t> to)
      : experts_(as_index(shape.experts)), room_(as_index(shape.slots_per_rank)), to_(to) {
    held_.assign(as_index(shape.ranks) * experts_, 0);
    for (std::size_t s = 0; s < from.size(); ++s) {
      held_[s / room_ * experts_ + static_cast<std::size_t>(from[s])] = 1;
    }
  }
  [[nodiscard]] std::int32_t operator()(std::size_t old_rank, std::size_t new_rank) const {
    std::int32_t common = 0;
    for (std::size_t s = new_rank * room_; s < (new_rank + 1) * room_; ++s) {
      common += held_[old_rank * experts_ + static_cast<std::size_t>(to_[s])];
    }
    return common;
  }

 private:
  std::size_t experts_;
  std::size_t room_;
  std::span<const std::int32_t> to_;
  std::vector<std::uint8_t> held_;
};

/// Column of each row; `common(row, column)` as large as possible in the sum.
template <typename CommonOf>
std::vector<std::size_t> match(std::size_t n, const CommonOf& common) {
  if (n <= kMostExact) {
    std::vector<std::int32_t> cost(n * n);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) cost[i * n + j] = -common(i, j);
    }
    return least_cost_assignment(cost, n);
  }
  std::vector<std::size_t> column(n);
  std::vector<std::size_t> open(n);
  std::iota(open.begin(), open.end(), std::size_t{0});
  for (std::size_t i = 0; i < n; ++i) {
    const auto best = std::max_element(open.begin(), open.end(), [&](std::size_t a, std::size_t b) {
      return common(i, a) < common(i, b);
    });
    column[i] = *best;
    open.erase(best);
  }
  return column;
}

}  // namespace

std::vector<std::int32_t> relabel_layer(const PlacementShape& shape,
                                        std::span<const std::int32_t> from,
                                        std::span<const std::int32_t> to, Exchangeable what) {
  const Nodes nodes(shape, what);
  const Common common(shape, from, to);
  const auto ranks_matched = [&](std::size_t old_node, std::size_t new_node) {
    return match(nodes.ranks[old_node].size(), [&](std::size_t i, std::size_t j) {
      return common(nodes.ranks[old_node][i], nodes.ranks[new_node][j]);
    });
  };
  std::vector<std::int32_t> slots(to.size());
  const auto room = static_cast<std::ptrdiff_t>(shape.slots_per_rank);
  for (const std::vector<std::size_t>& group : nodes.groups) {
    const std::size_t n = group.size();
    std::vector<std::int32_t> kept(n * n, 0);
    for (std::size_t a = 0; n > 1 && a < n; ++a) {
      for (std::size_t b = 0; b < n; ++b) {
        const std::vector<std::size_t> column = ranks_matched(group[a], group[b]);
        for (std::size_t i = 0; i < column.size(); ++i) {
          kept[a * n + b] += common(nodes.ranks[group[a]][i], nodes.ranks[group[b]][column[i]]);
        }
      }
    }
    const std::vector<std::size_t> node =
        match(n, [&](std::size_t a, std::size_t b) { return kept[a * n + b]; });
    for (std::size_t a = 0; a < n; ++a) {
      const std::vector<std::size_t> column = ranks_matched(group[a], group[node[a]]);
      for (std::size_t i = 0; i < column.size(); ++i) {
        const std::size_t old_rank = nodes.ranks[group[a]][i];
        const std::size_t new_rank = nodes.ranks[group[node[a]]][column[i]];
        std::copy_n(to.begin() + static_cast<std::ptrdiff_t>(new_rank) * room, room,
                    slots.begin() + static_cast<std::ptrdiff_t>(old_rank) * room);
      }
    }
  }
  keep_slots(from, slots, shape.slots_per_rank);
  return slots;
}

Placement relabel(const Placement& from, const Placement& to, Exchangeable what) {
  MOESIM_CHECK(from.expert_of_slot.size() == to.expert_of_slot.size() &&
                   from.shape.ranks == to.shape.ranks && from.shape.experts == to.shape.experts,
               "relabelling between placements of two shapes");
  Placement named = to;
  named.expert_of_slot.clear();
  const std::size_t slots = as_index(to.shape.slots());
  for (std::size_t first = 0; first < to.expert_of_slot.size(); first += slots) {
    const std::vector<std::int32_t> layer =
        relabel_layer(to.shape, std::span(from.expert_of_slot).subspan(first, slots),
                      std::span(to.expert_of_slot).subspan(first, slots), what);
    named.expert_of_slot.insert(named.expert_of_slot.end(), layer.begin(), layer.end());
  }
  return named;
}

void keep_slots(std::span<const std::int32_t> from, std::span<std::int32_t> to,
                std::int64_t slots_per_rank) {
  const std::size_t room = as_index(slots_per_rank);
  std::vector<std::int32_t> arrange(room);
  for (std::size_t first = 0; first < to.size(); first += room) {
    const auto before = from.subspan(first, room);
    const auto now = to.subspan(first, room);
    std::fill(arrange.begin(), arrange.end(), -1);
    for (std::int32_t& expert : now) {
      const auto at = std::find(before.begin(), before.end(), expert);
      if (at == before.end()) continue;
      arrange[static_cast<std::size_t>(at - before.begin())] = expert;
      expert = -1;
    }
    auto open = arrange.begin();
    for (const std::int32_t expert : now) {
      if (expert < 0) continue;
      open = std::find(open, arrange.end(), -1);
      *open = expert;
    }
    std::copy(arrange.begin(), arrange.end(), now.begin());
  }
}

}  // namespace moesim::strategies
