// The strategy "partition": balanced like the published balancer, with few copies between nodes.
//
// Per layer: a balanced start and its cap (partition_start.h), the node of every slot by search and
// the GPUs inside the nodes (partition_layer.h), several slacks if a price tells what they are
// worth. Layers without recorded tokens only exchange whole GPUs, on drawn tokens
// (partition_gpus.h).
// docs/models/partition.md. Layer: strategies.
#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "strategies/factories.h"
#include "strategies/partition_layer.h"
#include "strategies/partition_tokens.h"

namespace moesim::strategies {
namespace {

using placement::Placement;
using placement::PlacementShape;
using placement::Problem;

/// Work of the search per second of budget, in nanoseconds of the reference machine: the rest is
/// for what the search does not count, and a margin.
constexpr double kWorkPerSecond = 0.75e9;
constexpr double kUntracedPart = 0.1;  ///< Of a traced layer's work.
/// Slacks tried where a price is given, as parts of the slack allowed, and their parts of the work:
/// each search starts from the plan of the one before.
struct TriedSlack {
  double part;
  double work;
};
constexpr std::array kTried = {TriedSlack{0.0, 0.5}, TriedSlack{0.25, 0.25}, TriedSlack{1.0, 0.25}};

double part_of(const Problem& problem, std::int64_t layer) {
  return recorded_tokens(problem, layer, 1) > 0 ? 1.0 : kUntracedPart;
}

/// Loads of a GPU that the options allow.
std::vector<double> cap_with(const StartPlan& start, const SearchOptions& options, double slack) {
  std::vector<double> cap = start.cap;
  for (double& c : cap) {
    c = options.max_imbalance.has_value() ? std::max(c, *options.max_imbalance) : c * (1.0 + slack);
  }
  return cap;
}

class Partition : public Strategy {
 public:
  Placement place(const Problem& problem, const SearchOptions& options) const override {
    const PlacementShape& shape = problem.shape;
    const Cluster cluster(shape);
    const std::vector<double> planned = planned_load(problem);
    double parts = 0.0;
    for (std::int64_t l = 0; l < shape.moe_layers; ++l) parts += part_of(problem, l);
    Placement placement{.shape = shape, .expert_of_slot = {}, .strategy = "partition"};
    for (std::int64_t l = 0; l < shape.moe_layers; ++l) {
      const double work = options.budget * kWorkPerSecond * part_of(problem, l) / parts;
      const StartPlan start =
          start_plan(problem, l,
                     std::span(planned).subspan(static_cast<std::size_t>(l * shape.experts),
                                                static_cast<std::size_t>(shape.experts)));
      const LayerTask task{
          .problem = problem, .cluster = cluster, .start = start, .layer = l, .seed = options.seed};
      const std::vector<std::int32_t> slots = place_layer(task, options, work);
      placement.expert_of_slot.insert(placement.expert_of_slot.end(), slots.begin(), slots.end());
      if (options.progress) options.progress(l + 1);
    }
    return placement;
  }

 private:
  static std::vector<std::int32_t> place_layer(const LayerTask& task, const SearchOptions& options,
                                               double work) {
    if (!options.price.has_value() || options.max_imbalance.has_value()) {
      const std::vector<double> cap = cap_with(task.start, options, options.slack);
      return plan_layer(task, cap, static_cast<std::int64_t>(work), nullptr).slots;
    }
    LayerPlan best;
    double least = 0.0;
    std::vector<std::int32_t> last = task.start.slots;
    for (const TriedSlack tried : kTried) {
      LayerPlan plan = plan_layer(task, cap_with(task.start, options, tried.part * options.slack),
                                  static_cast<std::int64_t>(work * tried.work), &last);
      last = plan.slots;
      const double seconds = options.price->seconds_per_balance * plan.fullest +
                             options.price->seconds_per_copy * plan.copies;
      if (!best.slots.empty() && seconds >= least) continue;
      least = seconds;
      best = std::move(plan);
    }
    return best.slots;
  }
};

}  // namespace

std::unique_ptr<Strategy> make_partition() { return std::make_unique<Partition>(); }

}  // namespace moesim::strategies
