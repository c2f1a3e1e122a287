#include "sweep/sweep_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>

#include "core/diagnostics.h"
#include "sweep/candidates.h"

namespace moesim::sweep {
namespace {

/// What is minimised.
double objective_value(scenario::Objective objective, const ScenarioResult& result) {
  switch (objective) {
    case scenario::Objective::UsdPerMillionOutputTokens:
      // The whole bill over the answers: how it is shared with prompts differs between layouts.
      return result.bill.usd_per_million_output_tokens_all_in;
    case scenario::Objective::UsdPerMonth:
      return result.bill.usd_per_month;
    case scenario::Objective::OutputTokensPerS:
      return -result.run.summary.output_tokens_per_s;
    case scenario::Objective::GoodputRequestsPerS:
      return -result.run.summary.goodput_requests_per_s;
  }
  return 0.0;
}

bool in_dollars(scenario::Objective objective) {
  return objective == scenario::Objective::UsdPerMillionOutputTokens ||
         objective == scenario::Objective::UsdPerMonth;
}

/// What has no price cannot be ranked by it.
void refuse_unknown_prices(const scenario::Sweep& sweep, const CandidateSpace& space) {
  if (!in_dollars(sweep.objective)) return;
  for (const Variant& variant : space.variants) {
    if (!variant.scenario || variant.scenario->pricing.known) continue;
    throw InputError(Diagnostic{
        .file = sweep.base_origin.file_name,
        .field = "pricing.gpu_price",
        .message = fmt::format(
            "is not set, and the catalog has no on-demand rent of {} to rank by {}",
            variant.scenario->deployment.cluster.gpu.name, scenario::to_string(sweep.objective)),
        .hint = "set it in the scenario, as in gpu_price: \"2.69 USD/h\", or choose an objective "
                "without dollars"});
  }
}

void run_candidate(const CandidateSpace& space, double min_slo_attainment,
                   serving::ExpertPlanStore& plans, CandidateResult& out) {
  try {
    out.result = run_scenario(candidate_scenario(space, out.candidate), {}, &plans);
  } catch (const InputError& problem) {
    out.candidate.refusal = Refusal::NotModelled;
    out.candidate.reason = problem.what();
    return;
  }
  const serving::Summary& summary = out.result.run.summary;
  if (!out.result.fits) {
    out.candidate.refusal = Refusal::Memory;
    out.candidate.reason = out.result.memory.reason;
  } else if (summary.requests_measured == 0 || !(summary.output_tokens_per_s > 0)) {
    out.candidate.refusal = Refusal::Unserved;
    out.candidate.reason = "no request was completed after the warm-up";
  }
  out.meets_slo = summary.slo_attainment >= min_slo_attainment;
  // Thousands of candidates are kept: without what only a lone run reports.
  out.result.run.requests = {};
  out.result.scenario_text = {};
  out.result.notes = {};
}

void rank(scenario::Objective objective, SweepResult& sweep) {
  for (std::size_t i = 0; i < sweep.candidates.size(); ++i) {
    if (sweep.candidates[i].candidate.refusal == Refusal::None) sweep.ranking.push_back(i);
  }
  const auto key = [&](std::size_t i) {
    const CandidateResult& c = sweep.candidates[i];
    return std::make_tuple(!c.meets_slo, objective_value(objective, c.result), i);
  };
  std::sort(sweep.ranking.begin(), sweep.ranking.end(),
            [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  for (std::size_t r = 0; r < sweep.ranking.size(); ++r) {
    sweep.candidates[sweep.ranking[r]].rank = static_cast<std::int64_t>(r) + 1;
  }
}

void mark_front(SweepResult& sweep) {
  std::vector<std::size_t> ran;
  std::vector<TradeOff> points;
  for (std::size_t i = 0; i < sweep.candidates.size(); ++i) {
    if (sweep.candidates[i].rank == 0) continue;
    const serving::Summary& s = sweep.candidates[i].result.run.summary;
    ran.push_back(i);
    points.push_back({s.tokens_per_s_per_user, s.tokens_per_s_per_gpu});
  }
  for (const std::size_t p : pareto_front(points)) {
    sweep.front.push_back(ran[p]);
    sweep.candidates[ran[p]].on_front = true;
  }
}

void describe(const scenario::Sweep& sweep, SweepResult& result) {
  const serving::Deployment& d = sweep.base.deployment;
  result.name = sweep.name;
  result.description = sweep.description;
  result.model = d.model.name + " " + d.precision.name;
  result.gpu = d.cluster.gpu.name;
  result.workload = sweep.base.workload.description;
  result.gpus = d.cluster.gpus();
  result.objective = scenario::to_string(sweep.objective);
  result.slo = sweep.slo;
  result.min_slo_attainment = sweep.min_slo_attainment;
}

/// Within the length a scenario's name may have, whatever characters the sweep's has.
std::string best_name(const std::string& sweep) {
  constexpr std::size_t kLongest = 190;
  return (sweep.size() > kLongest ? std::string("sweep") : sweep) + ", best";
}

}  // namespace

std::vector<std::size_t> pareto_front(const std::vector<TradeOff>& points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::make_tuple(-points[a].x, -points[a].y, a) <
           std::make_tuple(-points[b].x, -points[b].y, b);
  });
  std::vector<std::size_t> front;
  for (const std::size_t i : order) {
    // All points so far have at least this x: only a higher y is not beaten.
    if (front.empty() || points[i].y > points[front.back()].y) front.push_back(i);
  }
  std::reverse(front.begin(), front.end());
  return front;
}

SweepResult run_sweep(const scenario::Sweep& sweep, const catalog::Catalog& catalog, int jobs,
                      const CountProgress& progress) {
  const CandidateSpace space = enumerate_candidates(sweep, catalog);
  refuse_unknown_prices(sweep, space);
  SweepResult result;
  describe(sweep, result);
  result.repeated = space.repeated;
  std::vector<std::size_t> to_run;
  for (const Candidate& candidate : space.candidates) {
    if (candidate.refusal == Refusal::None) to_run.push_back(result.candidates.size());
    result.candidates.emplace_back().candidate = candidate;
  }
  serving::ExpertPlanStore plans;
  run_parallel(
      static_cast<std::int64_t>(to_run.size()), jobs,
      [&](std::int64_t n) {
        run_candidate(space, sweep.min_slo_attainment, plans,
                      result.candidates[to_run[static_cast<std::size_t>(n)]]);
      },
      progress);
  rank(sweep.objective, result);
  mark_front(result);
  if (result.feasible()) {
    scenario::Scenario best =
        written_scenario(sweep, space, result.candidates[result.ranking[0]].candidate,
                         best_name(sweep.name), catalog);
    result.best_text = std::move(best.resolved_text);
    result.notes = std::move(best.notes);
  }
  return result;
}

}  // namespace moesim::sweep
