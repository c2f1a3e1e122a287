#include "sweep/go_no_go.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <set>
#include <span>
#include <utility>

#include "core/check.h"
#include "core/text.h"
#include "sweep/replayed_routing.h"
#include "sweep/run_scenario.h"

namespace moesim::sweep {
namespace {

using scenario::PlacementTask;

constexpr std::array<std::int64_t, 4> kRedundant = {0, 16, 32, 64};
/// Options nearer than this are alike; the one with fewer slots is better.
constexpr double kAlike = 0.01;

std::span<const double> row(const std::vector<double>& load, std::size_t layer,
                            std::size_t experts) {
  return std::span(load).subspan(layer * experts, experts);
}

double sum(std::span<const double> values) {
  double total = 0.0;
  for (const double v : values) total += v;
  return total;
}

struct Likeness {
  double correlation = 0.0;
  double total_variation = 0.0;
};

Likeness likeness(std::span<const double> a, std::span<const double> b) {
  const double total_a = sum(a);
  const double total_b = sum(b);
  const double mean = 1.0 / static_cast<double>(a.size());
  double ab = 0.0;
  double aa = 0.0;
  double bb = 0.0;
  Likeness out;
  for (std::size_t e = 0; e < a.size(); ++e) {
    const double x = a[e] / total_a;
    const double y = b[e] / total_b;
    ab += (x - mean) * (y - mean);
    aa += (x - mean) * (x - mean);
    bb += (y - mean) * (y - mean);
    out.total_variation += 0.5 * std::abs(x - y);
  }
  out.correlation = aa > 0.0 && bb > 0.0 ? ab / std::sqrt(aa * bb) : 0.0;
  return out;
}

/// The task with another number of redundant slots; nothing if they do not divide over the GPUs.
std::optional<PlacementTask> with_redundant(const PlacementTask& task, std::int64_t redundant) {
  PlacementTask other = task;
  placement::PlacementShape& shape = other.problem.shape;
  const std::int64_t slots = shape.experts + redundant;
  if (slots % shape.ranks != 0) return std::nullopt;
  shape.slots_per_rank = slots / shape.ranks;
  other.problem.current.reset();
  if (other.scenario) {
    serving::Deployment& d = other.scenario->deployment;
    d.experts.redundant_experts = redundant;
    d.memory.redundant_experts = redundant;
  }
  if (!placement::verify(other.problem).empty()) return std::nullopt;
  return other;
}

/// Runs the scenario under the option's placement.
void run_under(const PlacementTask& task, PlacementOption& option) {
  if (!task.scenario) return;
  scenario::Scenario scenario = *task.scenario;
  scenario.deployment.experts.placement.given =
      std::make_shared<const placement::Placement>(option.judged.placement);
  if (!task.routing_of_scenario) {
    replay(task.problem.routing, task.later.empty() ? task.problem.workloads : task.later,
           scenario.run.seed, scenario.deployment.experts);
  }
  const ScenarioResult result = run_scenario(scenario);
  option.kv_tokens = result.memory.kv_capacity_tokens_per_rank;
  if (!result.fits) {
    option.why_not = "does not fit into memory";
    return;
  }
  option.output_tokens_per_s = result.run.summary.output_tokens_per_s;
  option.tpot_ms = result.run.summary.tpot.mean_ms;
  if (result.bill.usd_per_hour > 0.0) {
    option.usd_per_million_output_tokens = result.bill.usd_per_million_output_tokens_all_in;
  }
}

/// What options are ranked by, less is better.
double figure(const PlacementOption& option) {
  if (option.usd_per_million_output_tokens) return *option.usd_per_million_output_tokens;
  const std::vector<WorkloadScore>& scores =
      option.judged.later.empty() ? option.judged.planned : option.judged.later;
  const WorkloadScore mean = mean_score(scores);
  return mean.times ? mean.times->total() / kSecond : mean.score.balance_mean;
}

/// The fewest redundant slots that are within kAlike of the least figure; among those the least.
std::size_t best_option(const std::vector<PlacementOption>& options) {
  double least = figure(options.front());
  for (const PlacementOption& option : options) {
    if (option.why_not.empty()) least = std::min(least, figure(option));
  }
  std::size_t best = 0;
  double best_figure = -1.0;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const PlacementOption& option = options[i];
    if (!option.why_not.empty() || figure(option) > least * (1.0 + kAlike)) continue;
    const bool fewer = best_figure < 0.0 || option.redundant < options[best].redundant;
    const bool same = best_figure >= 0.0 && option.redundant == options[best].redundant;
    if (fewer || (same && figure(option) < best_figure)) {
      best = i;
      best_figure = figure(option);
    }
  }
  return best;
}

std::string measure(const PlacementOption& option) {
  if (option.usd_per_million_output_tokens) return "dollars per output token";
  if (option.judged.planned.front().times) return "time of the MoE layers";
  return "max/mean load of the GPUs";
}

Persistence persistence(const PlacementTask& task, const PlacementOption& baseline,
                        const JudgedPlacement& plan) {
  Persistence out;
  const auto experts = static_cast<std::size_t>(task.problem.shape.experts);
  const auto layers = static_cast<std::size_t>(task.problem.shape.moe_layers);
  for (std::size_t l = 0; l < layers; ++l) {
    const Likeness alike = likeness(row(task.problem.workloads.front().load, l, experts),
                                    row(task.later.front().load, l, experts));
    out.correlation += alike.correlation / static_cast<double>(layers);
    out.total_variation += alike.total_variation / static_cast<double>(layers);
  }
  PlacementTask hindsight = task;
  hindsight.problem.workloads = task.later;
  hindsight.later.clear();
  hindsight.scenario.reset();
  out.planned_on_later = mean_score(plan.later).score.balance_mean;
  out.fresh_on_later =
      mean_score(judge_strategy(hindsight, "eplb_global", hindsight.search).planned)
          .score.balance_mean;
  out.contiguous_on_later = mean_score(baseline.judged.later).score.balance_mean;
  return out;
}

/// What following the later loads from the plan would take.
std::vector<ReplanningPoint> replanning_front(const PlacementTask& task,
                                              const JudgedPlacement& plan) {
  placement::Problem problem = task.problem;
  if (!task.later.empty()) problem.workloads = task.later;
  problem.shape = plan.placement.shape;
  problem.current = plan.placement;
  strategies::SearchOptions options{.seed = task.search.seed, .budget = task.search.budget};
  constexpr std::array kBudgets = {0.0, 0.02, 0.05, 0.1, 0.2, 1.0};
  const strategies::Rebalancing search(problem, options);
  std::vector<ReplanningPoint> points;
  for (const strategies::FrontPoint& point : search.front(kBudgets)) {
    points.push_back(
        {.balance = point,
         .migration = migration_price(task, plan.placement, search.placement(point.moved_share))});
  }
  return points;
}

std::string recommendation(const GoNoGo& g, const PlacementTask& task) {
  const PlacementOption& base = g.options.front();
  const PlacementOption& best = g.options[g.best];
  if (!base.why_not.empty()) {
    return fmt::format("No go: {} with {} redundant slots {}, nor does any option with more.",
                       base.strategy, base.redundant, base.why_not);
  }
  const std::string gain = fmt::format("{:.1f} %", 100.0 * g.gain);
  if (!g.go) {
    return fmt::format(
        "No go: the best of these, \"{}\" with {} redundant slots, saves {} of {} against {}; "
        "leave the engine's own placement.",
        best.strategy, best.redundant, gain, g.measure, base.strategy);
  }
  std::string text = fmt::format(
      "Go: use \"{}\" with {} redundant slots; it saves {} of {} against \"{}\" with {}",
      best.strategy, best.redundant, gain, g.measure, base.strategy, base.redundant);
  if (g.persistence && g.persistence->planned_on_later > 1.1 * g.persistence->fresh_on_later) {
    text += fmt::format(
        ", and plan again as traffic changes: on the later loads it stands at max/mean {} where {} "
        "could be had",
        format_number(std::round(1e3 * g.persistence->planned_on_later) / 1e3),
        format_number(std::round(1e3 * g.persistence->fresh_on_later) / 1e3));
  }
  if (!task.scenario)
    text += "; what its memory would else be worth is not known without a scenario";
  return text +
         fmt::format(
             ". Options within {:.0f} % of the best count as alike: fewest slots, then least.",
             100.0 * kAlike);
}

}  // namespace

GoNoGo weigh_placement(const PlacementTask& task, const std::function<void(double)>& progress) {
  GoNoGo out;
  const placement::PlacementShape& shape = task.problem.shape;
  std::set<std::int64_t> redundant(kRedundant.begin(), kRedundant.end());
  redundant.insert(shape.slots() - shape.experts);
  const double steps = 1.0 + static_cast<double>(redundant.size());
  double done = 0.0;
  const auto tell = [&] {
    done += 1.0;
    if (progress) progress(std::min(1.0, done / steps));
  };
  for (const std::int64_t r : redundant) {
    const std::optional<PlacementTask> other = with_redundant(task, r);
    if (!other) {
      out.options.push_back(
          {.strategy = task.strategy,
           .redundant = r,
           .why_not = fmt::format("{} slots do not divide over {} GPUs, or are too many",
                                  shape.experts + r, shape.ranks),
           .judged = {}});
      tell();
      continue;
    }
    const bool first = std::none_of(out.options.begin(), out.options.end(),
                                    [](const PlacementOption& o) { return o.why_not.empty(); });
    std::vector<std::string> strategies;
    if (first) strategies.emplace_back("contiguous");
    strategies.emplace_back("eplb");
    strategies.emplace_back("eplb_global");
    const bool known =
        std::find(strategies.begin(), strategies.end(), task.strategy) != strategies.end();
    if (!known && task.strategy != "rebalance") strategies.push_back(task.strategy);
    for (const std::string& strategy : strategies) {
      PlacementOption option{.strategy = strategy, .redundant = r, .why_not = "", .judged = {}};
      option.judged = judge_strategy(*other, strategy, other->search);
      run_under(*other, option);
      out.options.push_back(std::move(option));
    }
    tell();
  }
  const auto baseline =
      std::find_if(out.options.begin(), out.options.end(),
                   [](const PlacementOption& o) { return o.strategy == "contiguous"; });
  MOESIM_CHECK(baseline != out.options.end(), "the task's own number of slots cannot be had");
  std::rotate(out.options.begin(), baseline, baseline + 1);
  out.best = best_option(out.options);
  const PlacementOption& base = out.options.front();
  const PlacementOption& best = out.options[out.best];
  out.measure = measure(base);
  out.gain = 1.0 - figure(best) / figure(base);
  out.go = out.gain > kWorthwhile;
  if (!task.later.empty() && !task.later_is_same_law)
    out.persistence = persistence(task, base, best.judged);
  out.front = replanning_front(task, best.judged);
  out.recommendation = recommendation(out, task);
  tell();
  return out;
}

}  // namespace moesim::sweep
