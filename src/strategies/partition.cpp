// The strategy "partition": balanced like the published balancer, with few copies between nodes.
//
// Per layer: replicas as the balancer chooses them, its largest load as the cap; then the search
// for the node of every slot (partition_search.h); then each node's slots onto its GPUs
// (partition_packing.h). docs/models/partition.md. Layer: strategies.
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>

#include "core/random.h"
#include "strategies/eplb.h"
#include "strategies/factories.h"
#include "strategies/partition_search.h"
#include "strategies/partition_tokens.h"

namespace moesim::strategies {
namespace {

using placement::Placement;
using placement::PlacementShape;
using placement::Problem;

constexpr double kWorkPerSecond = 0.4e9;
constexpr double kUntracedPart = 0.1;        ///< Of a traced layer's work.
constexpr double kMostWorkPerPin = 20000.0;  ///< More is of no use.
constexpr std::int64_t kDrawnTokens = 2048;

std::size_t unsigned_of(std::int64_t value) { return static_cast<std::size_t>(value); }

double largest_load(std::span<const std::int32_t> slots, std::span<const double> load,
                    std::size_t slots_per_gpu) {
  std::vector<double> replicas(load.size(), 0.0);
  for (const std::int32_t e : slots) replicas[static_cast<std::size_t>(e)] += 1.0;
  double most = 0.0;
  for (std::size_t g = 0; g < slots.size(); g += slots_per_gpu) {
    double sum = 0.0;
    for (std::size_t s = g; s < g + slots_per_gpu; ++s) {
      const auto e = static_cast<std::size_t>(slots[s]);
      sum += load[e] / replicas[e];
    }
    most = std::max(most, sum);
  }
  return most;
}

/// Ranks in the order of their nodes.
struct Ranks {
  explicit Ranks(const PlacementShape& shape) : order(unsigned_of(shape.ranks)) {
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto node = [&](std::size_t r) {
      return shape.domain_of_rank.empty() ? 0 : shape.domain_of_rank[r];
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return node(a) < node(b); });
    const auto room = unsigned_of(shape.slots_per_rank);
    grid.slots_per_gpu = room;
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i == 0 || node(order[i]) != node(order[i - 1])) {
        grid.gpus.push_back(0);
        grid.first.push_back(i * room);
      }
      ++grid.gpus.back();
    }
    grid.first.push_back(order.size() * room);
  }
  std::vector<std::size_t> order;  ///< [position / slots per rank] rank there.
  NodeGrid grid;
};

class Partition : public Strategy {
 public:
  Placement place(const Problem& problem, const SearchOptions& options) const override {
    const PlacementShape& shape = problem.shape;
    const Ranks ranks(shape);
    const std::vector<double> load = planned_load(problem);
    double parts = 0.0;
    for (std::int64_t l = 0; l < shape.moe_layers; ++l) parts += part_of(problem, l);
    Placement placement{.shape = shape, .expert_of_slot = {}, .strategy = "partition"};
    for (std::int64_t l = 0; l < shape.moe_layers; ++l) {
      const double seconds = options.budget * part_of(problem, l) / parts;
      const auto row =
          std::span(load).subspan(unsigned_of(l * shape.experts), unsigned_of(shape.experts));
      const std::vector<std::int32_t> layer = place_layer(problem, options, ranks, row, l, seconds);
      placement.expert_of_slot.insert(placement.expert_of_slot.end(), layer.begin(), layer.end());
      if (options.progress) options.progress(l + 1);
    }
    return placement;
  }

 private:
  static double part_of(const Problem& problem, std::int64_t layer) {
    return has_tokens(problem, layer) ? 1.0 : kUntracedPart;
  }

  static std::vector<std::int32_t> place_layer(const Problem& problem, const SearchOptions& options,
                                               const Ranks& ranks, std::span<const double> load,
                                               std::int64_t layer, double seconds) {
    const PlacementShape& shape = problem.shape;
    const auto room = unsigned_of(shape.slots_per_rank);
    const auto gpus = unsigned_of(shape.ranks);
    const EplbShape global{.slots = shape.slots(), .groups = 1, .nodes = 1, .ranks = shape.ranks};
    std::vector<std::int32_t> balanced = eplb_layer(load, global);
    const double published = largest_load(balanced, load, room);
    separate_replicas(balanced, load, shape.slots_per_rank, shape.domain_of_rank);
    if (ranks.grid.nodes() == 1) return balanced;
    const double mean = std::accumulate(load.begin(), load.end(), 0.0) / static_cast<double>(gpus);
    double cap = published * (1.0 + options.slack);
    if (options.max_imbalance.has_value()) cap = mean * *options.max_imbalance;

    std::vector<double> scaled(load.begin(), load.end());
    for (double& w : scaled) w /= cap;
    std::vector<std::int32_t> start(balanced.size());
    for (std::size_t i = 0; i < gpus; ++i) {
      for (std::size_t s = 0; s < room; ++s)
        start[i * room + s] = balanced[ranks.order[i] * room + s];
    }
    const LayerTokens tokens = layer_tokens(problem, layer, kDrawnTokens, options.seed);
    if (tokens.nets() == 0) return balanced;
    std::vector<double> remote;
    for (const std::size_t n : ranks.grid.gpus) {
      remote.push_back(1.0 - static_cast<double>(n) / static_cast<double>(gpus));
    }
    CopyModel copies(tokens, remote);
    RandomStream stream(options.seed, "partition", static_cast<std::uint64_t>(layer));
    NodeSearch search(tokens, copies, ranks.grid, scaled, 1, start, stream);
    const auto size = static_cast<double>(tokens.pin.size() + start.size());
    const double work = std::min(seconds * kWorkPerSecond, kMostWorkPerPin * size);
    search.anneal({.work = static_cast<std::int64_t>(work)});
    return on_gpus(search, ranks, balanced);
  }

  /// The slots of each node on its GPUs; `otherwise` if some node does not pack.
  static std::vector<std::int32_t> on_gpus(NodeSearch& search, const Ranks& ranks,
                                           const std::vector<std::int32_t>& otherwise) {
    const NodeGrid& grid = ranks.grid;
    std::vector<std::int32_t> layer(otherwise.size());
    for (std::size_t n = 0; n < grid.nodes(); ++n) {
      if (!search.pack(n)) return otherwise;
      const std::size_t first_gpu = grid.first[n] / grid.slots_per_gpu;
      std::vector<std::size_t> used(grid.gpus[n], 0);
      for (std::size_t p = grid.first[n]; p < grid.first[n + 1]; ++p) {
        const std::size_t gpu = search.packer().gpu_of()[p - grid.first[n]];
        const std::size_t rank = ranks.order[first_gpu + gpu];
        layer[rank * grid.slots_per_gpu + used[gpu]++] = search.slots()[p];
      }
    }
    return layer;
  }
};

}  // namespace

std::unique_ptr<Strategy> make_partition() { return std::make_unique<Partition>(); }

}  // namespace moesim::strategies
