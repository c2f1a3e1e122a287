#include "strategies/eplb.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "core/check.h"
#include "core/index.h"

namespace moesim::strategies {
namespace {

/// Where each item goes: equal numbers of items per bin, heaviest first into the lightest open bin.
struct Packing {
  std::vector<std::size_t> bin;
  std::vector<std::size_t> place;  ///< Position inside the bin.
};

Packing pack(std::span<const float> weight, std::size_t bins) {
  const std::size_t n = weight.size();
  const std::size_t room = n / bins;
  Packing packing{.bin = std::vector<std::size_t>(n), .place = std::vector<std::size_t>(n, 0)};
  if (room == 1) {
    std::iota(packing.bin.begin(), packing.bin.end(), std::size_t{0});
    return packing;
  }
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return weight[a] > weight[b]; });
  std::vector<float> sum(bins, 0.0F);
  std::vector<std::size_t> used(bins, 0);
  for (const std::size_t item : order) {
    std::size_t lightest = bins;
    for (std::size_t b = 0; b < bins; ++b) {
      if (used[b] < room && (lightest == bins || sum[b] < sum[lightest])) lightest = b;
    }
    packing.bin[item] = lightest;
    packing.place[item] = used[lightest]++;
    sum[lightest] += weight[item];
  }
  return packing;
}

/// Expert of each replica, and replicas of each expert.
struct Replicas {
  std::vector<std::size_t> expert;
  std::vector<float> count;
};

Replicas replicate(std::span<const float> load, std::size_t slots) {
  Replicas replicas{.expert = std::vector<std::size_t>(load.size()),
                    .count = std::vector<float>(load.size(), 1.0F)};
  std::iota(replicas.expert.begin(), replicas.expert.end(), std::size_t{0});
  std::vector<float> per_replica(load.begin(), load.end());
  while (replicas.expert.size() < slots) {
    const auto hottest = static_cast<std::size_t>(
        std::max_element(per_replica.begin(), per_replica.end()) - per_replica.begin());
    replicas.expert.push_back(hottest);
    replicas.count[hottest] += 1.0F;
    per_replica[hottest] = load[hottest] / replicas.count[hottest];
  }
  return replicas;
}

/// Experts in the order in which whole groups are laid over the nodes.
std::vector<std::size_t> experts_by_node(std::span<const float> load, std::size_t groups,
                                         std::size_t nodes) {
  const std::size_t size = load.size() / groups;
  std::vector<float> group_load(groups, 0.0F);
  for (std::size_t e = 0; e < load.size(); ++e) group_load[e / size] += load[e];
  const Packing packing = pack(group_load, nodes);
  std::vector<std::size_t> order(load.size());
  for (std::size_t g = 0; g < groups; ++g) {
    const std::size_t at = (packing.bin[g] * (groups / nodes) + packing.place[g]) * size;
    for (std::size_t i = 0; i < size; ++i) order[at + i] = g * size + i;
  }
  return order;
}

}  // namespace

std::vector<std::int32_t> eplb_layer(std::span<const double> load, const EplbShape& shape) {
  const std::size_t nodes = as_index(shape.nodes);
  const std::size_t groups = as_index(shape.groups);
  const std::size_t ranks = as_index(shape.ranks) / nodes;
  const std::size_t slots = as_index(shape.slots) / nodes;
  const std::size_t experts = load.size() / nodes;
  MOESIM_CHECK(groups % nodes == 0 && load.size() % groups == 0 && ranks * nodes > 0 &&
                   slots % ranks == 0 && slots >= experts,
               "the balancer needs equal parts");
  std::vector<float> exact(load.begin(), load.end());
  const std::vector<std::size_t> order = experts_by_node(exact, groups, nodes);

  std::vector<std::int32_t> expert_of_slot(as_index(shape.slots));
  for (std::size_t node = 0; node < nodes; ++node) {
    std::vector<float> own(experts);
    for (std::size_t i = 0; i < experts; ++i) own[i] = exact[order[node * experts + i]];
    const Replicas replicas = replicate(own, slots);
    std::vector<float> replica_load(slots);
    for (std::size_t i = 0; i < slots; ++i) {
      replica_load[i] = own[replicas.expert[i]] / replicas.count[replicas.expert[i]];
    }
    const Packing packing = pack(replica_load, ranks);
    for (std::size_t i = 0; i < slots; ++i) {
      const std::size_t slot = node * slots + packing.bin[i] * (slots / ranks) + packing.place[i];
      expert_of_slot[slot] = static_cast<std::int32_t>(order[node * experts + replicas.expert[i]]);
    }
  }
  return expert_of_slot;
}

namespace {

constexpr double kFar = 1e100;  // More than any load: exchange with another node only if need be.

/// The slots of one layer under exchange.
class Exchange {
 public:
  Exchange(std::span<std::int32_t> expert_of_slot, std::span<const double> load,
           std::size_t slots_per_rank, std::span<const std::int32_t> domain_of_rank)
      : expert_of_slot_(expert_of_slot),
        share_(load.begin(), load.end()),
        room_(slots_per_rank),
        domain_(domain_of_rank) {
    count_.assign(load.size(), 0.0);
    for (const std::int32_t e : expert_of_slot) count_[static_cast<std::size_t>(e)] += 1.0;
    for (std::size_t e = 0; e < share_.size(); ++e) share_[e] /= std::max(count_[e], 1.0);
  }

  /// True if another slot of the rank holds the expert of `slot`.
  [[nodiscard]] bool is_duplicate(std::size_t slot) const {
    return holds(slot / room_, expert_of_slot_[slot], slot);
  }

  /// Gives the slot of a duplicate to the expert with the largest load per replica that the rank
  /// lacks: the way out when there are more replicas than ranks.
  void replace(std::size_t slot) {
    std::size_t hottest = share_.size();
    for (std::size_t e = 0; e < share_.size(); ++e) {
      if (holds(slot / room_, static_cast<std::int32_t>(e), slot)) continue;
      if (hottest == share_.size() || share_[e] > share_[hottest]) hottest = e;
    }
    MOESIM_CHECK(hottest < share_.size(), "a rank has more slots than there are experts");
    const auto old = static_cast<std::size_t>(expert_of_slot_[slot]);
    share_[old] *= count_[old] / (count_[old] - 1.0);
    share_[hottest] *= count_[hottest] / (count_[hottest] + 1.0);
    count_[old] -= 1.0;
    count_[hottest] += 1.0;
    expert_of_slot_[slot] = static_cast<std::int32_t>(hottest);
  }

  /// Exchanges the expert of `slot` with the best partner; false if there is none.
  bool resolve(std::size_t slot) {
    std::size_t best = expert_of_slot_.size();
    double best_cost = 0.0;
    for (std::size_t other = 0; other < expert_of_slot_.size(); ++other) {
      const std::size_t rank = slot / room_;
      const std::size_t other_rank = other / room_;
      if (rank == other_rank || holds(other_rank, expert_of_slot_[slot], other) ||
          holds(rank, expert_of_slot_[other], slot)) {
        continue;
      }
      double cost = std::abs(share_of(slot) - share_of(other));
      if (domain_[rank] != domain_[other_rank]) cost += kFar;
      if (best == expert_of_slot_.size() || cost < best_cost) {
        best = other;
        best_cost = cost;
      }
    }
    if (best == expert_of_slot_.size()) return false;
    std::swap(expert_of_slot_[slot], expert_of_slot_[best]);
    return true;
  }

 private:
  [[nodiscard]] bool holds(std::size_t rank, std::int32_t expert, std::size_t but) const {
    for (std::size_t s = rank * room_; s < (rank + 1) * room_; ++s) {
      if (s != but && expert_of_slot_[s] == expert) return true;
    }
    return false;
  }
  [[nodiscard]] double share_of(std::size_t slot) const {
    return share_[static_cast<std::size_t>(expert_of_slot_[slot])];
  }

  std::span<std::int32_t> expert_of_slot_;
  std::vector<double> share_;  ///< Load of each replica of an expert.
  std::vector<double> count_;
  std::size_t room_;
  std::span<const std::int32_t> domain_;
};

}  // namespace

std::int64_t separate_replicas(std::span<std::int32_t> expert_of_slot, std::span<const double> load,
                               std::int64_t slots_per_rank,
                               std::span<const std::int32_t> domain_of_rank) {
  Exchange exchange(expert_of_slot, load, as_index(slots_per_rank), domain_of_rank);
  std::int64_t exchanges = 0;
  for (std::size_t slot = 0; slot < expert_of_slot.size(); ++slot) {
    if (!exchange.is_duplicate(slot)) continue;
    if (!exchange.resolve(slot)) exchange.replace(slot);
    ++exchanges;
  }
  return exchanges;
}

}  // namespace moesim::strategies
