#include "sweep/compare_scenarios.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "core/check.h"
#include "sweep/demand.h"

namespace moesim::sweep {
namespace {

/// A second "llama" becomes "llama (2)".
void make_names_distinct(std::vector<ScenarioResult>& results) {
  for (std::size_t i = 1; i < results.size(); ++i) {
    const std::string name = results[i].name;
    const auto taken = [&](const std::string& wanted) {
      return std::any_of(results.begin(), results.begin() + static_cast<std::ptrdiff_t>(i),
                         [&](const ScenarioResult& r) { return r.name == wanted; });
    };
    for (int number = 2; taken(results[i].name); ++number) {
      results[i].name = fmt::format("{} ({})", name, number);
    }
  }
}

}  // namespace

Comparison compare_scenarios(const std::vector<scenario::Scenario>& scenarios, int jobs,
                             const CountProgress& progress) {
  MOESIM_CHECK(!scenarios.empty(), "a comparison of nothing");
  Comparison comparison;
  for (std::size_t i = 1; i < scenarios.size(); ++i) {
    for (std::string& text : demand_differences(scenarios[0], scenarios[i])) {
      comparison.notes.push_back(std::move(text));
    }
  }
  comparison.results.resize(scenarios.size());
  run_parallel(
      static_cast<std::int64_t>(scenarios.size()), jobs,
      [&](std::int64_t number) {
        const auto i = static_cast<std::size_t>(number);
        comparison.results[i] = run_scenario(scenarios[i]);
      },
      progress);
  make_names_distinct(comparison.results);
  return comparison;
}

}  // namespace moesim::sweep
