#include "strategies/rebalance.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "core/diagnostics.h"
#include "core/index.h"
#include "placement/evaluation.h"
#include "strategies/eplb.h"
#include "strategies/factories.h"
#include "strategies/rebalance_budget.h"
#include "strategies/rebalance_copies.h"
#include "strategies/relabel.h"

namespace moesim::strategies {
namespace {

using placement::Placement;
using placement::PlacementShape;
using placement::Problem;

constexpr double kProposalsPerSecond = 25e6;
constexpr double kMostProposalsPerSlot = 5000.0;  ///< More is of little use.

void require_current(const Problem& problem) {
  if (!problem.current.has_value()) {
    throw InputError(
        {.field = "current",
         .message = "\"rebalance\" starts from the placement that lies there, and none is given",
         .hint = "name the current placement, or choose a strategy that plans afresh"});
  }
  const PlacementShape& now = problem.current->shape;
  if (now.moe_layers != problem.shape.moe_layers || now.experts != problem.shape.experts ||
      now.ranks != problem.shape.ranks || now.slots_per_rank != problem.shape.slots_per_rank) {
    throw InputError({.field = "current",
                      .message = "the current placement has another shape than the problem",
                      .hint = "same layers, experts, ranks and slots per rank are needed"});
  }
}

/// Rows that the search balances together: one per workload where the worst counts, else their sum.
std::vector<std::vector<double>> rows_to_balance(const Problem& problem) {
  if (problem.over == placement::Over::Mean) return {planned_load(problem)};
  std::vector<std::vector<double>> rows;
  for (const placement::Workload& workload : problem.workloads) rows.push_back(workload.load);
  return rows;
}

std::span<const double> row_of(const std::vector<double>& rows, std::int64_t layer,
                               std::int64_t experts) {
  return std::span(rows).subspan(as_index(layer * experts), as_index(experts));
}

/// One layer's search: its loads in units of the mean rank, its bound, the fresh plan.
class LayerTask {
 public:
  LayerTask(const PlacementShape& shape, std::span<const std::vector<double>> rows,
            std::int64_t layer)
      : shape_(shape), experts_(as_index(shape.experts)) {
    loads_ = {.experts = experts_,
              .ranks = as_index(shape.ranks),
              .slots_per_rank = as_index(shape.slots_per_rank),
              .workloads = rows.size(),
              .load = std::vector<double>(experts_ * rows.size())};
    for (std::size_t k = 0; k < rows.size(); ++k) {
      const auto row = row_of(rows[k], layer, shape.experts);
      rows_.push_back(row);
      const double total = std::accumulate(row.begin(), row.end(), 0.0);
      for (std::size_t e = 0; e < experts_; ++e) {
        loads_.load[e * rows.size() + k] = row[e] * static_cast<double>(shape.ranks) / total;
      }
      bound_ =
          std::max(bound_, placement::balance_lower_bound(row, shape.ranks, shape.slots_per_rank));
    }
  }

  void price_copies(const Problem& problem, std::int64_t layer,
                    std::span<const std::int32_t> start) {
    loads_.copies = copy_prices(problem, layer, start);
  }

  [[nodiscard]] LayerFront front(std::span<const std::int32_t> start, double proposals,
                                 RandomStream& stream) const {
    const SearchPlan plan{.proposals = static_cast<std::int64_t>(proposals), .bound = bound_};
    LayerFront points = search_layer(loads_, start, plan, stream);
    points.push_back({.slots = fresh(start)});
    for (LayerPoint& point : points) judge(point, start);
    keep_front(points);
    return points;
  }

 private:
  /// The published balancer's plan for the worst of each expert's loads.
  [[nodiscard]] std::vector<std::int32_t> fresh(std::span<const std::int32_t> start) const {
    std::vector<double> load(experts_, 0.0);
    for (std::size_t e = 0; e < experts_; ++e) {
      for (std::size_t k = 0; k < loads_.workloads; ++k) {
        load[e] = std::max(load[e], loads_.load[e * loads_.workloads + k]);
      }
    }
    if (rows_.size() == 1) load.assign(rows_[0].begin(), rows_[0].end());
    std::vector<std::int32_t> slots =
        eplb_layer(load, {.slots = shape_.slots(), .ranks = shape_.ranks});
    separate_replicas(slots, load, shape_.slots_per_rank, shape_.domain_of_rank);
    return relabel_layer(shape_, start, slots, Exchangeable::RanksAndNodes);
  }

  /// Figures by the judge.
  void judge(LayerPoint& point, std::span<const std::int32_t> start) const {
    keep_slots(start, point.slots, shape_.slots_per_rank);
    point.balance = 0.0;
    for (const auto row : rows_) {
      point.balance =
          std::max(point.balance, placement::balance(point.slots, row, shape_.slots_per_rank));
    }
    PlacementShape one = shape_;
    one.moe_layers = 1;
    const Placement before{
        .shape = one, .expert_of_slot = {start.begin(), start.end()}, .strategy = {}};
    const Placement after{.shape = one, .expert_of_slot = point.slots, .strategy = {}};
    point.moved = placement::slots_moved(before, after).front();
  }

  const PlacementShape& shape_;
  std::size_t experts_;
  LayerLoads loads_;
  std::vector<std::span<const double>> rows_;
  double bound_ = 1.0;
};

class Rebalance : public Strategy {
 public:
  Placement place(const Problem& problem, const SearchOptions& options) const override {
    return Rebalancing(problem, options).placement(options.most_moved);
  }
};

}  // namespace

Rebalancing::Rebalancing(const Problem& problem, const SearchOptions& options)
    : shape_(problem.shape), move_price_(options.move_price) {
  require_current(problem);
  current_ = problem.current->expert_of_slot;
  const std::vector<std::vector<double>> rows = rows_to_balance(problem);
  const double slots = static_cast<double>(shape_.slots());
  const double proposals = std::min(options.budget * kProposalsPerSecond /
                                        static_cast<double>(shape_.moe_layers * std::ssize(rows)),
                                    kMostProposalsPerSlot * slots);
  for (std::int64_t l = 0; l < shape_.moe_layers; ++l) {
    const auto start = std::span<const std::int32_t>(current_).subspan(as_index(l * shape_.slots()),
                                                                       as_index(shape_.slots()));
    RandomStream stream(options.seed, "rebalance", static_cast<std::uint64_t>(l));
    LayerTask task(shape_, rows, l);
    task.price_copies(problem, l, start);
    layers_.push_back(task.front(start, proposals, stream));
    if (options.progress) options.progress(l + 1);
  }
}

std::vector<std::vector<std::size_t>> Rebalancing::choices(std::span<const double> budgets) const {
  const std::int64_t slots = shape_.slots() * shape_.moe_layers;
  std::vector<std::int64_t> most;
  for (const double part : budgets) {
    most.push_back(
        static_cast<std::int64_t>(std::clamp(part, 0.0, 1.0) * static_cast<double>(slots) + 1e-6));
  }
  return choose_points(layers_, slots, move_price_, most);
}

Placement Rebalancing::placement(double most_moved) const {
  const std::vector<std::size_t> points = choices(std::span(&most_moved, 1)).front();
  Placement placement{.shape = shape_, .expert_of_slot = {}, .strategy = "rebalance"};
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const std::vector<std::int32_t>& slots = layers_[l][points[l]].slots;
    placement.expert_of_slot.insert(placement.expert_of_slot.end(), slots.begin(), slots.end());
  }
  return placement;
}

std::vector<FrontPoint> Rebalancing::front(std::span<const double> budgets) const {
  std::vector<FrontPoint> front;
  const auto slots = static_cast<double>(shape_.slots() * shape_.moe_layers);
  for (const std::vector<std::size_t>& points : choices(budgets)) {
    FrontPoint sum;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const LayerPoint& point = layers_[l][points[l]];
      sum.moved_share += static_cast<double>(point.moved) / slots;
      sum.balance_mean += point.balance / static_cast<double>(layers_.size());
      sum.balance_worst = std::max(sum.balance_worst, point.balance);
    }
    if (!front.empty() && front.back().balance_mean == sum.balance_mean) continue;
    front.push_back(sum);
  }
  return front;
}

std::vector<double> usual_budgets() {
  std::vector<double> budgets;
  for (int i = 0; i < 30; ++i) budgets.push_back(0.01 * i);
  for (int i = 6; i <= 20; ++i) budgets.push_back(0.05 * i);
  return budgets;
}

std::unique_ptr<Strategy> make_rebalance() { return std::make_unique<Rebalance>(); }

}  // namespace moesim::strategies
