// DeepSeek's balancer as a strategy: hierarchical or global, for the planned load.
#include <algorithm>
#include <cstddef>
#include <span>

#include "strategies/eplb.h"
#include "strategies/factories.h"

namespace moesim::strategies {
namespace {

using placement::Placement;
using placement::PlacementShape;
using placement::Problem;

/// DeepSeek's balancer: by whole routing groups per node where groups divide over equal nodes.
class Eplb : public Strategy {
 public:
  explicit Eplb(bool hierarchical) : hierarchical_(hierarchical) {}
  Placement place(const Problem& given, const SearchOptions&) const override {
    const PlacementShape& shape = given.shape;
    const std::vector<double> load = planned_load(given);
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
      const auto row = std::span(load).subspan(static_cast<std::size_t>(l * shape.experts),
                                               static_cast<std::size_t>(shape.experts));
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

std::unique_ptr<Strategy> make_eplb() { return std::make_unique<Eplb>(true); }
std::unique_ptr<Strategy> make_eplb_global() { return std::make_unique<Eplb>(false); }

}  // namespace moesim::strategies
