#include "sweep/compare_scenarios.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/check.h"
#include "core/random.h"
#include "sweep/demand.h"

namespace moesim::sweep {
namespace {

/// A second "llama" becomes "llama (2)".
void make_names_distinct(std::vector<scenario::Scenario>& scenarios) {
  for (std::size_t i = 1; i < scenarios.size(); ++i) {
    const std::string name = scenarios[i].name;
    const auto taken = [&](const std::string& wanted) {
      return std::any_of(scenarios.begin(), scenarios.begin() + static_cast<std::ptrdiff_t>(i),
                         [&](const scenario::Scenario& s) { return s.name == wanted; });
    };
    for (int number = 2; taken(scenarios[i].name); ++number) {
      scenarios[i].name = fmt::format("{} ({})", name, number);
    }
  }
}

/// What remains of a run whose figures alone count.
ScenarioResult figures_only(ScenarioResult result) {
  result.run.requests = {};
  result.run.timeline = {};
  result.run.fabric = {};
  result.scenario_text = {};
  return result;
}

/// Differences are those of the deployments only if seeds are shared.
void note_other_seeds(const std::vector<scenario::Scenario>& scenarios, Comparison& comparison) {
  for (std::size_t i = 1; i < scenarios.size(); ++i) {
    if (scenarios[i].run.seed == scenarios[0].run.seed) continue;
    comparison.notes.push_back(fmt::format(
        "not the same random numbers: the seed of {} is {}, of {} it is {}", scenarios[0].name,
        scenarios[0].run.seed, scenarios[i].name, scenarios[i].run.seed));
  }
}

}  // namespace

std::uint64_t replication_seed(std::uint64_t seed, std::int64_t number) {
  if (number == 0) return seed;
  return RandomStream(seed, "replication", static_cast<std::uint64_t>(number)).next() >> 11U;
}

Comparison compare_scenarios(std::vector<scenario::Scenario> scenarios, int jobs,
                             const CountProgress& progress, const Replications& replications) {
  MOESIM_CHECK(!scenarios.empty(), "a comparison of nothing");
  MOESIM_CHECK(replications.count == 1 || (replications.count > 1 && replications.reseed),
               "replications without a way to seed them");
  make_names_distinct(scenarios);
  Comparison comparison;
  for (std::size_t i = 1; i < scenarios.size(); ++i) {
    for (std::string& text : demand_differences(scenarios[0], scenarios[i])) {
      comparison.notes.push_back(std::move(text));
    }
  }
  const std::size_t count = scenarios.size();
  const auto repeats = static_cast<std::size_t>(replications.count);
  comparison.results.resize(count);
  if (repeats > 1) {
    note_other_seeds(scenarios, comparison);
    comparison.replications.assign(count, std::vector<ScenarioResult>(repeats));
    for (std::int64_t r = 0; r < replications.count; ++r) {
      comparison.seeds.push_back(replication_seed(scenarios[0].run.seed, r));
    }
  }
  run_parallel(
      static_cast<std::int64_t>(count * repeats), jobs,
      [&](std::int64_t number) {
        const std::size_t i = static_cast<std::size_t>(number) % count;
        const std::size_t r = static_cast<std::size_t>(number) / count;
        if (r == 0) {
          comparison.results[i] = run_scenario(scenarios[i]);
          if (repeats > 1) comparison.replications[i][0] = figures_only(comparison.results[i]);
          return;
        }
        const std::uint64_t seed =
            replication_seed(scenarios[i].run.seed, static_cast<std::int64_t>(r));
        comparison.replications[i][r] = figures_only(run_scenario(replications.reseed(i, seed)));
        comparison.replications[i][r].name = scenarios[i].name;
      },
      progress);
  return comparison;
}

}  // namespace moesim::sweep
