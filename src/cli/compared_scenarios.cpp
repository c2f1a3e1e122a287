#include "cli/compared_scenarios.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/diagnostics.h"
#include "scenario/catalog_reader.h"
#include "scenario/scenario_reader.h"
#include "sweep/varied_fields.h"

namespace moesim::cli {
namespace {

/// What is wrong with a value is told of the option that gave it.
Diagnostic told_of_vary(Diagnostic mistake, const std::vector<scenario::SweepAxis>& axes) {
  for (const scenario::SweepAxis& axis : axes) {
    if (mistake.file.starts_with("--set " + axis.field + "=")) {
      mistake.file = "--vary " + axis.field;
      break;
    }
  }
  return mistake;
}

/// Variants share most of their mistakes.
void add_once(const Diagnostic& mistake, std::vector<Diagnostic>& found) {
  const std::string text = to_string(mistake);
  const bool known = std::any_of(found.begin(), found.end(),
                                 [&](const Diagnostic& d) { return to_string(d) == text; });
  if (!known) found.push_back(mistake);
}

/// A field that is set and varied would be set in vain.
void refuse_fields_set_twice(const std::vector<std::string>& overrides,
                             const std::vector<scenario::SweepAxis>& axes) {
  std::vector<Diagnostic> found;
  for (const scenario::SweepAxis& axis : axes) {
    for (const std::string& text : overrides) {
      if (!text.starts_with(axis.field + "=")) continue;
      found.push_back({.file = "--vary " + axis.field,
                       .message = fmt::format("--set {} sets the same field", text),
                       .hint = "leave one of them out"});
    }
    if (axis.field == "simulation.seed") {
      found.push_back({.file = "--vary " + axis.field,
                       .message = "variants are compared under the same seeds",
                       .hint = "use --replications to run several"});
    }
  }
  if (!found.empty()) throw InputError(std::move(found));
}

}  // namespace

ComparedScenarios::ComparedScenarios(const std::vector<std::string>& paths,
                                     const std::vector<std::string>& overrides,
                                     std::vector<scenario::SweepAxis> axes)
    : axes_(std::move(axes)) {
  refuse_fields_set_twice(overrides, axes_);
  catalog_ = scenario::read_run_catalog();
  std::vector<std::string> names;
  if (axes_.empty()) {
    for (const std::string& path : paths) sources_.push_back({path, overrides});
  } else {
    for (sweep::NamedSettings& variant : sweep::combinations(axes_)) {
      Source source{paths.front(), overrides};
      for (const sweep::Setting& s : variant.settings) {
        source.overrides.push_back(s.field + "=" + s.value);
      }
      sources_.push_back(std::move(source));
      names.push_back(std::move(variant.name));
      settings_.push_back(std::move(variant.settings));
    }
  }
  std::vector<Diagnostic> found;
  for (const Source& source : sources_) {
    try {
      scenarios_.push_back(scenario::read_scenario_file(source.path, source.overrides, catalog_));
    } catch (const InputError& problem) {
      for (const Diagnostic& d : problem.diagnostics()) add_once(told_of_vary(d, axes_), found);
    }
  }
  if (!found.empty()) throw InputError(std::move(found));
  for (std::size_t i = 0; i < names.size(); ++i) scenarios_[i].name = names[i];
}

scenario::Scenario ComparedScenarios::reseeded(std::size_t scenario, std::uint64_t seed) const {
  const Source& source = sources_[scenario];
  std::vector<std::string> overrides = source.overrides;
  overrides.push_back(fmt::format("simulation.seed={}", seed));
  return scenario::read_scenario_file(source.path, overrides, catalog_);
}

}  // namespace moesim::cli
