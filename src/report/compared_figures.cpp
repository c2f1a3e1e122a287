#include "report/compared_figures.h"

#include <vector>

namespace moesim::report {
namespace {

/// Empty if a replication lacks the figure.
std::vector<double> samples(const Figure& figure, const sweep::Comparison& comparison,
                            std::size_t scenario) {
  std::vector<double> values;
  const auto add = [&](const sweep::ScenarioResult& result) {
    const std::optional<double> value = figure_value(figure, result);
    if (value) values.push_back(*value);
    return value.has_value();
  };
  if (!has_replications(comparison)) {
    add(comparison.results[scenario]);
    return values;
  }
  for (const sweep::ScenarioResult& result : comparison.replications[scenario]) {
    if (!add(result)) return {};
  }
  return values;
}

}  // namespace

bool has_replications(const sweep::Comparison& comparison) {
  return !comparison.replications.empty() && comparison.replications.front().size() > 1;
}

std::optional<double> figure_mean(const Figure& figure, const sweep::Comparison& comparison,
                                  std::size_t scenario) {
  const std::vector<double> values = samples(figure, comparison, scenario);
  if (values.empty()) return std::nullopt;
  if (values.size() == 1) return values.front();
  return mean_interval(values).mean;
}

std::optional<double> ratio_to_first(const Figure& figure, const sweep::Comparison& comparison,
                                     std::size_t scenario) {
  const std::optional<double> below = figure_mean(figure, comparison, 0);
  const std::optional<double> above = figure_mean(figure, comparison, scenario);
  if (!below || !above || *below == 0.0) return std::nullopt;
  return *above / *below;
}

std::optional<Interval> figure_interval(const Figure& figure, const sweep::Comparison& comparison,
                                        std::size_t scenario) {
  if (!figure.of_run || !has_replications(comparison)) return std::nullopt;
  const std::vector<double> values = samples(figure, comparison, scenario);
  if (values.empty()) return std::nullopt;
  return mean_interval(values);
}

std::optional<Interval> difference_between(const Figure& figure,
                                           const sweep::Comparison& comparison, std::size_t first,
                                           std::size_t other) {
  if (!figure.of_run || !has_replications(comparison)) return std::nullopt;
  const std::vector<double> before = samples(figure, comparison, first);
  const std::vector<double> after = samples(figure, comparison, other);
  if (before.empty() || after.empty()) return std::nullopt;
  return paired_difference(before, after);
}

std::optional<Interval> difference_from_first(const Figure& figure,
                                              const sweep::Comparison& comparison,
                                              std::size_t scenario) {
  if (scenario == 0) return std::nullopt;
  return difference_between(figure, comparison, 0, scenario);
}

}  // namespace moesim::report
