// Strategies that need no search: the engines' defaults, and chance.
#include "core/check.h"
#include "core/random.h"
#include "strategies/eplb.h"
#include "strategies/factories.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace moesim::strategies {
namespace {

using placement::Placement;
using placement::PlacementShape;
using placement::Problem;

/// Expert of each slot of one layer: 0, 1, ..., E-1, then again from 0 in the redundant slots.
std::vector<std::int32_t> in_order(const PlacementShape& shape) {
  std::vector<std::int32_t> layer(static_cast<std::size_t>(shape.slots()));
  for (std::size_t s = 0; s < layer.size(); ++s) {
    layer[s] = static_cast<std::int32_t>(static_cast<std::int64_t>(s) % shape.experts);
  }
  return layer;
}

/// The same slots in every layer.
Placement in_all_layers(const PlacementShape& shape, const std::vector<std::int32_t>& layer,
                        const char* strategy) {
  Placement placement{.shape = shape, .expert_of_slot = {}, .strategy = strategy};
  for (std::int64_t l = 0; l < shape.moe_layers; ++l) {
    placement.expert_of_slot.insert(placement.expert_of_slot.end(), layer.begin(), layer.end());
  }
  return placement;
}

class Contiguous : public Strategy {
 public:
  Placement place(const Problem& problem, const SearchOptions&) const override {
    return in_all_layers(problem.shape, in_order(problem.shape), "contiguous");
  }
};

/// Copy i of the list 0, 1, ..., E-1, 0, 1, ... goes to rank i mod ranks.
class RoundRobin : public Strategy {
 public:
  Placement place(const Problem& problem, const SearchOptions&) const override {
    const PlacementShape& shape = problem.shape;
    const std::vector<std::int32_t> list = in_order(shape);
    std::vector<std::int32_t> layer(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto ranks = static_cast<std::size_t>(shape.ranks);
      layer[i % ranks * static_cast<std::size_t>(shape.slots_per_rank) + i / ranks] = list[i];
    }
    const std::vector<double> alike(static_cast<std::size_t>(shape.experts), 1.0);
    separate_replicas(layer, alike, shape.slots_per_rank, shape.domain_of_rank);
    return in_all_layers(shape, layer, "round_robin");
  }
};

class Random : public Strategy {
 public:
  Placement place(const Problem& problem, const SearchOptions& options) const override {
    const PlacementShape& shape = problem.shape;
    Placement placement{.shape = shape, .expert_of_slot = {}, .strategy = "random"};
    const std::vector<double> alike(static_cast<std::size_t>(shape.experts), 1.0);
    for (std::int64_t l = 0; l < shape.moe_layers; ++l) {
      RandomStream stream(options.seed, "random placement", static_cast<std::uint64_t>(l));
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

}  // namespace

std::unique_ptr<Strategy> make_contiguous() { return std::make_unique<Contiguous>(); }
std::unique_ptr<Strategy> make_round_robin() { return std::make_unique<RoundRobin>(); }
std::unique_ptr<Strategy> make_random() { return std::make_unique<Random>(); }

}  // namespace moesim::strategies
