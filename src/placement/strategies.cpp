// Registry of placement strategies and the three that need no search.
#include <algorithm>
#include <cstddef>
#include <numeric>

#include "core/check.h"
#include "core/random.h"
#include "placement/eplb.h"
#include "placement/placement.h"

namespace moesim::placement {
namespace {

void check_shape(const PlacementShape& shape) {
  MOESIM_CHECK(shape.ranks >= 1 && shape.slots() >= shape.experts && shape.experts >= 1 &&
                   shape.slots_per_rank <= shape.experts &&
                   std::ssize(shape.domain_of_rank) == shape.ranks,
               "a placement needs a slot for each expert and no rank with more slots than experts");
}

/// Expert of each slot of one layer: 0, 1, ..., E-1, then again from 0 in the redundant slots.
std::vector<std::int32_t> in_order(const PlacementShape& shape) {
  std::vector<std::int32_t> layer(static_cast<std::size_t>(shape.slots()));
  for (std::size_t s = 0; s < layer.size(); ++s) {
    layer[s] = static_cast<std::int32_t>(static_cast<std::int64_t>(s) % shape.experts);
  }
  return layer;
}

std::span<const double> layer_load(std::span<const double> load, const PlacementShape& shape,
                                   std::int64_t layer) {
  return load.subspan(static_cast<std::size_t>(layer * shape.experts),
                      static_cast<std::size_t>(shape.experts));
}

class Contiguous : public PlacementStrategy {
 public:
  Placement place(const PlacementShape& shape, std::span<const double>,
                  std::uint64_t) const override {
    check_shape(shape);
    Placement placement{.shape = shape, .expert_of_slot = {}, .strategy = "contiguous"};
    const std::vector<std::int32_t> layer = in_order(shape);
    for (std::int64_t l = 0; l < shape.moe_layers; ++l) {
      placement.expert_of_slot.insert(placement.expert_of_slot.end(), layer.begin(), layer.end());
    }
    return placement;
  }
};

class Random : public PlacementStrategy {
 public:
  Placement place(const PlacementShape& shape, std::span<const double>,
                  std::uint64_t seed) const override {
    check_shape(shape);
    Placement placement{.shape = shape, .expert_of_slot = {}, .strategy = "random"};
    const std::vector<double> alike(static_cast<std::size_t>(shape.experts), 1.0);
    for (std::int64_t l = 0; l < shape.moe_layers; ++l) {
      RandomStream stream(seed, "random placement", static_cast<std::uint64_t>(l));
      std::vector<std::int32_t> name(static_cast<std::size_t>(shape.experts));
      std::iota(name.begin(), name.end(), 0);
      shuffle(name, stream);  // Which experts get the redundant slots.
      std::vector<std::int32_t> layer = in_order(shape);
      for (std::int32_t& expert : layer) expert = name[static_cast<std::size_t>(expert)];
      shuffle(layer, stream);
      separate_replicas(layer, alike, shape.slots_per_rank, shape.domain_of_rank);
      placement.expert_of_slot.insert(placement.expert_of_slot.end(), layer.begin(), layer.end());
    }
    return placement;
  }

 private:
  static void shuffle(std::vector<std::int32_t>& values, RandomStream& stream) {
    for (std::size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[stream.below(i)]);
    }
  }
};

/// DeepSeek's balancer: by whole routing groups per node where groups divide over equal nodes.
class Eplb : public PlacementStrategy {
 public:
  explicit Eplb(bool hierarchical) : hierarchical_(hierarchical) {}
  Placement place(const PlacementShape& shape, std::span<const double> load,
                  std::uint64_t) const override {
    check_shape(shape);
    MOESIM_CHECK(std::ssize(load) == shape.moe_layers * shape.experts,
                 "a load has one value per layer and expert");
    EplbShape problem{.slots = shape.slots(), .groups = 1, .nodes = 1, .ranks = shape.ranks};
    const std::int64_t nodes = equal_nodes(shape);
    if (hierarchical_ && nodes > 1 && shape.expert_groups % nodes == 0 &&
        shape.experts % shape.expert_groups == 0) {
      problem.groups = shape.expert_groups;
      problem.nodes = nodes;
    }
    Placement placement{.shape = shape,
                        .expert_of_slot = {},
                        .strategy = problem.nodes > 1 ? "eplb hierarchical" : "eplb global"};
    for (std::int64_t l = 0; l < shape.moe_layers; ++l) {
      const auto row = layer_load(load, shape, l);
      std::vector<std::int32_t> layer = eplb_layer(row, problem);
      separate_replicas(layer, row, shape.slots_per_rank, shape.domain_of_rank);
      placement.expert_of_slot.insert(placement.expert_of_slot.end(), layer.begin(), layer.end());
    }
    return placement;
  }

 private:
  /// Number of nodes if they hold equal numbers of adjacent ranks, else 1.
  static std::int64_t equal_nodes(const PlacementShape& shape) {
    std::int64_t nodes = 1;
    const auto& domain = shape.domain_of_rank;
    for (std::size_t r = 1; r < domain.size(); ++r) nodes += domain[r] != domain[r - 1] ? 1 : 0;
    if (shape.ranks % nodes != 0) return 1;
    const auto size = static_cast<std::size_t>(shape.ranks / nodes);
    std::vector<std::int32_t> seen;
    for (std::size_t r = 0; r < domain.size(); ++r) {
      if (domain[r] != domain[r / size * size]) return 1;
      if (r % size == 0) seen.push_back(domain[r]);
    }
    std::sort(seen.begin(), seen.end());
    return std::adjacent_find(seen.begin(), seen.end()) == seen.end() ? nodes : 1;
  }

  bool hierarchical_;
};

}  // namespace

std::unique_ptr<PlacementStrategy> make_strategy(const std::string& name) {
  if (name == "contiguous") return std::make_unique<Contiguous>();
  if (name == "random") return std::make_unique<Random>();
  if (name == "eplb") return std::make_unique<Eplb>(true);
  if (name == "eplb_global") return std::make_unique<Eplb>(false);
  return nullptr;
}

std::vector<std::string> strategy_names() {
  return {"contiguous", "random", "eplb", "eplb_global"};
}

}  // namespace moesim::placement
