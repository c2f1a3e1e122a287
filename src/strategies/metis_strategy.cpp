// EPLB's replica counts, METIS on their co-activation graph onto nodes, repair, packing onto ranks.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "core/check.h"
#include "core/index.h"
#include "strategies/co_activation.h"
#include "strategies/eplb.h"
#include "strategies/factories.h"
#include "strategies/metis_partition.h"
#include "strategies/node_layout.h"
#include "strategies/partition_packing.h"

namespace moesim::strategies {
namespace {

using placement::Placement;
using placement::PlacementShape;
using placement::Problem;

constexpr double kMetisTolerance = 0.03;  // Of a part's slots and load, before repair.
constexpr double kNodeTolerance = 0.02;   // Of a node's load, after repair.
constexpr int kPasses = 4;                // Of exchanges that lower the cut.
constexpr double kEdgeTotal = 0x1.0p29;   // The library adds edge weights in 32 bits.
constexpr double kLoadTotal = 0x1.0p24;
constexpr std::size_t kMostEdges = std::size_t{1} << 24;  // Beyond: strongest partners only.

/// Ranks of each node, nodes in the order of their first rank.
std::vector<std::vector<std::size_t>> ranks_of_nodes(const PlacementShape& shape) {
  std::vector<std::int32_t> names;
  std::vector<std::vector<std::size_t>> ranks;
  for (std::size_t r = 0; r < shape.domain_of_rank.size(); ++r) {
    const std::int32_t name = shape.domain_of_rank[r];
    const auto at = as_index(std::find(names.begin(), names.end(), name) - names.begin());
    if (at == names.size()) {
      names.push_back(name);
      ranks.emplace_back();
    }
    ranks[at].push_back(r);
  }
  return ranks;
}

/// Replicas joined by how often their experts meet, evenly split over replicas.
class ReplicaGraph {
 public:
  ReplicaGraph(const CoActivation& pairs, std::span<const std::int32_t> expert,
               std::span<const double> load)
      : pairs_(pairs), expert_(expert), inverse_(pairs.experts(), 0.0) {
    for (const std::int32_t e : expert) inverse_[as_index(e)] += 1.0;
    for (double& x : inverse_) x = 1.0 / x;
    const double total = std::accumulate(load.begin(), load.end(), 0.0);
    for (const std::int32_t e : expert) {
      graph_.load.push_back(static_cast<std::int32_t>(
          std::lround(load[as_index(e)] * inverse_[as_index(e)] / total * kLoadTotal)));
    }
    join();
  }
  [[nodiscard]] const WeightedGraph& graph() const { return graph_; }

 private:
  [[nodiscard]] double weight(std::size_t a, std::size_t b) const {
    const std::size_t e = as_index(expert_[a]);
    const std::size_t f = as_index(expert_[b]);
    return static_cast<double>(pairs_(e, f)) * inverse_[e] * inverse_[f];
  }

  /// Weight that an edge of this vertex must have to be kept: the graph stays within kMostEdges.
  [[nodiscard]] double least_kept(std::size_t a, std::vector<double>& weights) const {
    const std::size_t most = kMostEdges / 2 / expert_.size();
    if (expert_.size() <= most) return 0.0;
    weights.clear();
    for (std::size_t b = 0; b < expert_.size(); ++b) weights.push_back(weight(a, b));
    const auto at = weights.end() - static_cast<std::ptrdiff_t>(std::max<std::size_t>(most, 1));
    std::nth_element(weights.begin(), at, weights.end());
    return *at;
  }

  void join() {
    double sum = 0.0;
    for (std::size_t a = 0; a < expert_.size(); ++a) {
      for (std::size_t b = 0; b < expert_.size(); ++b) sum += weight(a, b);
    }
    const double scale = sum > 0.0 ? kEdgeTotal / sum : 0.0;
    std::vector<double> scratch;
    std::vector<double> least;
    for (std::size_t a = 0; a < expert_.size(); ++a) least.push_back(least_kept(a, scratch));
    graph_.first.push_back(0);
    for (std::size_t a = 0; a < expert_.size(); ++a) {
      for (std::size_t b = 0; b < expert_.size(); ++b) {
        const double w = weight(a, b);
        if (w < std::min(least[a], least[b])) continue;
        const auto units = static_cast<std::int32_t>(std::lround(w * scale));
        if (units < 1) continue;
        graph_.end.push_back(static_cast<std::int32_t>(b));
        graph_.weight.push_back(units);
      }
      graph_.first.push_back(static_cast<std::int32_t>(graph_.end.size()));
    }
  }

  const CoActivation& pairs_;
  std::span<const std::int32_t> expert_;
  std::vector<double> inverse_;
  WeightedGraph graph_;
};

/// Places one layer after the other.
class LayerPlanner {
 public:
  LayerPlanner(const Problem& problem, std::uint64_t seed)
      : shape_(problem.shape),
        nodes_(ranks_of_nodes(problem.shape)),
        source_(problem, seed),
        packer_(as_index(problem.shape.slots_per_rank), 1),
        seed_(seed) {
    for (const std::vector<std::size_t>& ranks : nodes_) {
      room_.ranks.push_back(std::ssize(ranks));
      room_.slots.push_back(std::ssize(ranks) * shape_.slots_per_rank);
      size_.push_back(static_cast<double>(ranks.size()) / static_cast<double>(shape_.ranks));
    }
  }

  std::vector<std::int32_t> plan(std::int64_t layer, std::span<const double> load) {
    // The published balancer's replicas, as many of each expert.
    std::vector<std::int32_t> expert =
        eplb_layer(load, {.slots = shape_.slots(), .groups = 1, .nodes = 1, .ranks = shape_.ranks});
    separate_replicas(expert, load, shape_.slots_per_rank, shape_.domain_of_rank);
    if (nodes_.size() == 1) return expert;
    const CoActivation pairs = source_.layer(layer);
    const ReplicaGraph replicas(pairs, expert, load);
    if (replicas.graph().end.empty()) return expert;  // One expert per token: nothing to keep near.
    NodeLayout layout(pairs, load, room_, expert,
                      metis_partition(replicas.graph(), size_, kMetisTolerance, seed_));
    layout.fill_exactly();
    layout.even_out(kNodeTolerance);
    layout.lower_cut(kNodeTolerance, kPasses);
    return pack(load, expert, layout.nodes());
  }

 private:
  std::vector<std::int32_t> pack(std::span<const double> load, std::span<const std::int32_t> expert,
                                 std::span<const std::int32_t> node) {
    std::vector<double> share(load.size(), 0.0);  // In means of a rank's load.
    for (const std::int32_t e : expert) share[as_index(e)] += 1.0;
    const double mean =
        std::accumulate(load.begin(), load.end(), 0.0) / static_cast<double>(shape_.ranks);
    for (std::size_t e = 0; e < load.size(); ++e) share[e] = load[e] / share[e] / mean;
    const std::size_t room = as_index(shape_.slots_per_rank);
    std::vector<std::int32_t> slots(expert.size());
    for (std::size_t n = 0; n < nodes_.size(); ++n) {
      std::vector<std::int32_t> own;
      for (std::size_t r = 0; r < expert.size(); ++r) {
        if (as_index(node[r]) == n) own.push_back(expert[r]);
      }
      packer_.pack(own, share);
      std::vector<std::size_t> used(nodes_[n].size(), 0);
      for (std::size_t i = 0; i < own.size(); ++i) {
        const std::size_t at = packer_.gpu_of()[i];
        slots[nodes_[n][at] * room + used[at]++] = own[i];
      }
    }
    separate_replicas(slots, load, shape_.slots_per_rank, shape_.domain_of_rank);
    return slots;
  }

  const PlacementShape& shape_;
  std::vector<std::vector<std::size_t>> nodes_;
  NodeRoom room_;
  std::vector<double> size_;
  CoActivationSource source_;
  Packer packer_;
  std::uint64_t seed_;
};

class Metis : public Strategy {
 public:
  Placement place(const Problem& problem, const SearchOptions& options) const override {
    const PlacementShape& shape = problem.shape;
    const std::vector<double> load = planned_load(problem);
    LayerPlanner planner(problem, options.seed);
    Placement placement{.shape = shape, .expert_of_slot = {}, .strategy = "metis"};
    for (std::int64_t l = 0; l < shape.moe_layers; ++l) {
      const auto row =
          std::span(load).subspan(as_index(l * shape.experts), as_index(shape.experts));
      const std::vector<std::int32_t> layer = planner.plan(l, row);
      placement.expert_of_slot.insert(placement.expert_of_slot.end(), layer.begin(), layer.end());
      if (options.progress) options.progress(l + 1);
    }
    return placement;
  }
};

}  // namespace

std::unique_ptr<Strategy> make_metis() { return std::make_unique<Metis>(); }

}  // namespace moesim::strategies
