#include "strategies/partition_cluster.h"

#include <algorithm>
#include <numeric>

namespace moesim::strategies {

Cluster::Cluster(const placement::PlacementShape& shape)
    : rank_at(static_cast<std::size_t>(shape.ranks)) {
  std::iota(rank_at.begin(), rank_at.end(), std::size_t{0});
  const auto node = [&](std::size_t r) {
    return shape.domain_of_rank.empty() ? 0 : shape.domain_of_rank[r];
  };
  std::stable_sort(rank_at.begin(), rank_at.end(),
                   [&](std::size_t a, std::size_t b) { return node(a) < node(b); });
  grid.slots_per_gpu = static_cast<std::size_t>(shape.slots_per_rank);
  std::vector<std::int32_t> rack;
  for (std::size_t i = 0; i < rank_at.size(); ++i) {
    if (i == 0 || node(rank_at[i]) != node(rank_at[i - 1])) {
      grid.gpus.push_back(0);
      grid.first.push_back(i * grid.slots_per_gpu);
      const auto domain = static_cast<std::size_t>(node(rank_at[i]));
      rack.push_back(domain < shape.rack_of_domain.size() ? shape.rack_of_domain[domain] : 0);
    }
    ++grid.gpus.back();
  }
  grid.first.push_back(rank_at.size() * grid.slots_per_gpu);
  std::vector<std::int32_t> names = rack;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  racks = names.size();
  for (const std::int32_t r : rack) {
    rack_of_node.push_back(
        static_cast<std::size_t>(std::lower_bound(names.begin(), names.end(), r) - names.begin()));
  }
}

std::vector<std::int32_t> Cluster::by_position(std::span<const std::int32_t> slots) const {
  std::vector<std::int32_t> moved(slots.size());
  const std::size_t room = grid.slots_per_gpu;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    moved[i] = slots[rank_at[i / room] * room + i % room];
  }
  return moved;
}

std::vector<std::int32_t> Cluster::by_rank(std::span<const std::int32_t> slots) const {
  std::vector<std::int32_t> moved(slots.size());
  const std::size_t room = grid.slots_per_gpu;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    moved[rank_at[i / room] * room + i % room] = slots[i];
  }
  return moved;
}

}  // namespace moesim::strategies
