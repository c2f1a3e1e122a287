#include "sweep/compare_scenarios.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "core/check.h"
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

}  // namespace

Comparison compare_scenarios(std::vector<scenario::Scenario> scenarios, int jobs,
                             const CountProgress& progress) {
  MOESIM_CHECK(!scenarios.empty(), "a comparison of nothing");
  make_names_distinct(scenarios);
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
  return comparison;
}

}  // namespace moesim::sweep
