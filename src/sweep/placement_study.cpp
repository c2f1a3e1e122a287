#include "sweep/placement_study.h"

#include <algorithm>
#include <ctime>
#include <numeric>
#include <utility>

#include "core/check.h"
#include "placement/copies_bound.h"
#include "serving/expert_migration.h"
#include "serving/instance_cost.h"
#include "topology/topology.h"

namespace moesim::sweep {
namespace {

using placement::Placement;
using placement::Problem;
using placement::Workload;
using scenario::PlacementTask;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// The fabric of the task's deployment, made once for all prices.
class Pricer {
 public:
  explicit Pricer(const PlacementTask& task) : task_(task) {
    if (task.scenario) topology_.emplace(task.scenario->deployment.cluster);
  }

  /// Fills the times, if there is a deployment.
  void price(const Placement& placement, const Workload& workload, WorkloadScore& score) const {
    if (!topology_) return;
    const serving::Deployment& deployment = task_.scenario->deployment;
    const serving::PriceBatch batch{.tokens_per_rank = task_.tokens_per_rank > 0
                                                           ? task_.tokens_per_rank
                                                           : serving::usual_batch(deployment),
                                    .prefill = task_.prefill,
                                    .seed = task_.search.seed};
    const serving::PlacementPrice priced =
        serving::price_placement(deployment, *topology_, placement, workload, batch);
    score.times = priced.all;
    score.per_pick = priced.per_pick;
  }

  /// Bytes and time of moves, where the deployment is known.
  [[nodiscard]] std::optional<MigrationPrice> moves_price(
      const std::vector<strategies::Move>& moves) const {
    if (!topology_ || moves.empty()) return std::nullopt;
    serving::ExpertMigration transfer = migration();
    return MigrationPrice{
        .bytes = strategies::migration_bytes(moves, task_.problem.shape, transfer.expert_bytes(0)),
        .time = transfer.time(0, moves).sum()};
  }

  [[nodiscard]] std::optional<double> slot_bytes() const {
    if (!topology_) return std::nullopt;
    return migration().expert_bytes(0).base();
  }

 private:
  [[nodiscard]] serving::ExpertMigration migration() const {
    const serving::Deployment& deployment = task_.scenario->deployment;
    return {deployment, *topology_, serving::stage_groups(deployment, 0)};
  }

  const PlacementTask& task_;
  std::optional<topology::Topology> topology_;
};

WorkloadScore judge(const Placement& placement, const Workload& workload, const Pricer& pricer) {
  WorkloadScore out{.workload = workload.name,
                    .weight = workload.weight,
                    .score = placement::evaluate(placement, workload, {.batch_optimal = true})};
  const placement::PlacementShape& shape = placement.shape;
  const auto experts = static_cast<std::size_t>(shape.experts);
  double sum = 0.0;
  for (std::size_t l = 0; l < static_cast<std::size_t>(shape.moe_layers); ++l) {
    sum += placement::balance_lower_bound(std::span(workload.load).subspan(l * experts, experts),
                                          shape.ranks, shape.slots_per_rank);
  }
  out.balance_bound = sum / static_cast<double>(shape.moe_layers);
  if (!workload.tokens.empty()) {
    double copies = 0.0;
    for (std::int64_t row = 0; row < workload.tokens.rows(); ++row) {
      copies += placement::copies_lower_bound(workload.tokens, row, shape);
    }
    out.copies_bound = copies / static_cast<double>(workload.tokens.rows());
  }
  pricer.price(placement, workload, out);
  return out;
}

JudgedPlacement judged(const PlacementTask& task, std::string strategy, double seconds,
                       Placement placement, const Pricer& pricer) {
  MOESIM_CHECK(placement::verify(placement).empty(), "a placement to be judged must verify");
  JudgedPlacement out{
      .strategy = std::move(strategy), .seconds = seconds, .placement = std::move(placement)};
  for (const Workload& workload : task.problem.workloads) {
    out.planned.push_back(judge(out.placement, workload, pricer));
  }
  for (const Workload& workload : task.later) {
    out.later.push_back(judge(out.placement, workload, pricer));
  }
  out.before = task.problem.current;
  out.moved =
      task.problem.current
          ? placement::slots_moved(*task.problem.current, out.placement)
          : std::vector<std::int64_t>(static_cast<std::size_t>(task.problem.shape.moe_layers), 0);
  return out;
}

JudgedPlacement run_strategy(const PlacementTask& task, const std::string& name,
                             const strategies::SearchOptions& options, const Pricer& pricer) {
  const auto strategy = strategies::make_strategy(name);
  MOESIM_CHECK(strategy != nullptr, "an unknown strategy passed the checks");
  const double before = cpu_seconds();
  Placement placement = strategy->place(task.problem, options);
  return judged(task, name, cpu_seconds() - before, std::move(placement), pricer);
}

/// A plan for the workloads, then moves to what comes later: judged each on its own.
JudgedPlacement follow_drift(const PlacementTask& task, const strategies::SearchOptions& options,
                             const Pricer& pricer) {
  Problem later = following(task);
  const double before = cpu_seconds();
  JudgedPlacement out{.strategy = "rebalance",
                      .seconds = 0.0,
                      .placement = strategies::make_strategy("rebalance")->place(later, options)};
  out.seconds = cpu_seconds() - before;
  for (const Workload& workload : task.problem.workloads) {
    out.planned.push_back(judge(*later.current, workload, pricer));
  }
  for (const Workload& workload : task.later) {
    out.later.push_back(judge(out.placement, workload, pricer));
  }
  out.moved = placement::slots_moved(*later.current, out.placement);
  out.before = std::move(later.current);
  out.moved_for_later = true;
  return out;
}

template <class Get>
void add_mean(const std::vector<WorkloadScore>& scores, Get get, double& into) {
  double sum = 0.0;
  double weights = 0.0;
  for (const WorkloadScore& s : scores) {
    sum += s.weight * get(s);
    weights += s.weight;
  }
  into = sum / weights;
}

}  // namespace

WorkloadScore mean_score(const std::vector<WorkloadScore>& scores) {
  if (scores.size() == 1) return scores.front();
  WorkloadScore mean{.workload = "all", .weight = 1.0, .score = {}};
  add_mean(
      scores, [](const auto& s) { return s.score.balance_mean; }, mean.score.balance_mean);
  add_mean(
      scores, [](const auto& s) { return s.score.balancedness; }, mean.score.balancedness);
  add_mean(
      scores, [](const auto& s) { return s.balance_bound; }, mean.balance_bound);
  for (const WorkloadScore& s : scores) {
    mean.score.balance_worst = std::max(mean.score.balance_worst, s.score.balance_worst);
  }
  std::vector<WorkloadScore> traced;
  for (const WorkloadScore& s : scores) {
    if (s.score.tokens) traced.push_back(s);
  }
  if (scores.front().times) {
    serving::LayerTimes& times = mean.times.emplace();
    for (Seconds serving::LayerTimes::*part :
         {&serving::LayerTimes::dispatch, &serving::LayerTimes::slowest, &serving::LayerTimes::mean,
          &serving::LayerTimes::combine}) {
      double seconds = 0.0;
      add_mean(
          scores, [&](const auto& s) { return (*s.times).*part / kSecond; }, seconds);
      times.*part = seconds * kSecond;
    }
    mean.per_pick = scores.front().per_pick;
  }
  if (traced.empty()) return mean;
  using placement::TokenScore;
  TokenScore& tokens = mean.score.tokens.emplace();
  for (double TokenScore::*figure :
       {&TokenScore::copies_random, &TokenScore::copies_locality, &TokenScore::copies_per_pick,
        &TokenScore::batch_random, &TokenScore::batch_locality, &TokenScore::batch_optimal}) {
    add_mean(
        traced, [&](const auto& s) { return (*s.score.tokens).*figure; }, tokens.*figure);
  }
  add_mean(
      traced, [](const auto& s) { return *s.copies_bound; }, mean.copies_bound.emplace());
  return mean;
}

std::optional<MigrationPrice> migration_price(const PlacementTask& task, const Placement& from,
                                              const Placement& to) {
  return Pricer(task).moves_price(strategies::moves_between(from, to));
}

Problem following(const PlacementTask& task) {
  Problem later = task.problem;
  later.current =
      strategies::make_strategy("eplb_global")->place(task.problem, {.seed = task.search.seed});
  later.workloads = task.later;
  return later;
}

JudgedPlacement judge_strategy(const PlacementTask& task, const std::string& strategy,
                               const strategies::SearchOptions& options) {
  return run_strategy(task, strategy, options, Pricer(task));
}

PlacementStudy study_placement(const PlacementTask& task,
                               const std::function<void(double)>& progress) {
  const Pricer pricer(task);
  const auto tell = [&](double share) {
    if (progress) progress(share);
  };
  PlacementStudy study;
  strategies::SearchOptions options = task.search;
  options.progress = [&](std::int64_t layers) {
    tell(0.8 * static_cast<double>(layers) / static_cast<double>(task.problem.shape.moe_layers));
  };
  if (task.given) {
    study.result = judged(task, "file", 0.0, *task.given, pricer);
  } else if (task.follows_drift) {
    study.result = follow_drift(task, options, pricer);
  } else {
    study.result = run_strategy(task, task.strategy, options, pricer);
  }
  tell(0.9);
  if (study.result.before) {
    study.beside.push_back(judged(task, "current", 0.0, *study.result.before, pricer));
  }
  for (const char* name : {"contiguous", "eplb", "eplb_global"}) {
    if (name == task.strategy && !task.given) continue;
    JudgedPlacement other = run_strategy(task, name, {.seed = task.search.seed}, pricer);
    const bool seen = std::any_of(study.beside.begin(), study.beside.end(), [&](const auto& b) {
      return b.placement.expert_of_slot == other.placement.expert_of_slot;
    });
    if (!seen) study.beside.push_back(std::move(other));
  }
  std::vector<strategies::Move> moves;
  if (study.result.before) {
    moves = strategies::moves_between(*study.result.before, study.result.placement);
    study.transfer_rounds = std::ssize(strategies::transfer_rounds(moves));
  }
  study.slot_bytes = pricer.slot_bytes();
  study.migration = pricer.moves_price(moves);
  tell(1.0);
  return study;
}

}  // namespace moesim::sweep
