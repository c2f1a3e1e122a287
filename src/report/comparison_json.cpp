#include <fmt/format.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "comparison.pb.h"
#include "core/check.h"
#include "report/compared_figures.h"
#include "report/comparison_report.h"
#include "report/message_json.h"
#include "report/number_text.h"
#include "report/result_message.h"
#include "report/text_layout.h"
#include "report/version.h"

namespace moesim::report {
namespace {

void fill_ratios(const sweep::Comparison& comparison, std::size_t scenario, proto::Ratios& to) {
  for (const Figure& figure : figures()) {
    const auto* field = proto::Ratios::descriptor()->FindFieldByName(std::string(figure.key));
    MOESIM_CHECK(field != nullptr, "a compared figure is not in proto/comparison.proto");
    if (const auto ratio = ratio_to_first(figure, comparison, scenario)) {
      to.GetReflection()->SetDouble(&to, field, rounded(*ratio));
    }
  }
}

template <class Message>
void fill_interval(const Figure& figure, const Interval& interval, Message& to) {
  to.set_figure(std::string(figure.key));
  to.set_mean(rounded(interval.mean));
  to.set_low(rounded(interval.low()));
  to.set_high(rounded(interval.high()));
}

void fill_intervals(const sweep::Comparison& comparison, std::size_t scenario,
                    proto::ComparedScenario& to) {
  for (const Figure& figure : figures()) {
    if (const auto interval = figure_interval(figure, comparison, scenario)) {
      fill_interval(figure, *interval, *to.add_intervals());
    }
    const auto difference = difference_from_first(figure, comparison, scenario);
    if (!difference) continue;
    proto::FigureDifference& change = *to.add_differences_from_first();
    fill_interval(figure, *difference, change);
    const double first = *figure_mean(figure, comparison, 0);
    if (first != 0.0) change.set_share(rounded(difference->mean / first));
    change.set_survives(difference->excludes_zero());
  }
}

/// CSV columns of one figure that only several seeds give.
constexpr std::array<std::string_view, 4> kIntervalColumns = {"_low", "_high", "_difference_low",
                                                              "_difference_high"};

}  // namespace

std::string comparison_json(const sweep::Comparison& comparison) {
  proto::Comparison message;
  message.set_moesim_version(version());
  const std::vector<sweep::ScenarioResult>& results = comparison.results;
  for (std::size_t i = 0; i < results.size(); ++i) {
    proto::ComparedScenario& to = *message.add_scenarios();
    *to.mutable_result() = result_message(results[i]);
    if (results.front().fits && results[i].fits) {
      fill_ratios(comparison, i, *to.mutable_ratio_to_first());
    }
    fill_intervals(comparison, i, to);
    if (comparison.settings.empty()) continue;
    for (const sweep::Setting& setting : comparison.settings[i]) {
      to.add_varied_values(setting.value);
    }
  }
  message.set_replications(std::max(std::int64_t{1}, std::ssize(comparison.seeds)));
  for (const std::uint64_t seed : comparison.seeds) message.add_seeds(seed);
  for (const auto& axis : comparison.varied) {
    proto::VariedField& to = *message.add_varied();
    to.set_field(axis.field);
    for (const std::string& value : axis.values) to.add_values(value);
  }
  for (const std::string& note : comparison.notes) message.add_notes(note);
  return message_json(message);
}

std::string comparison_csv(const sweep::Comparison& comparison) {
  std::vector<std::string> head = {"name", "status", "reason", "model",   "precision",
                                   "gpu",  "layout", "engine", "workload"};
  const bool intervals = has_replications(comparison);
  for (const Figure& figure : figures()) {
    const std::string key(figure.key);
    head.push_back(key);
    head.push_back(key + "_ratio");
    if (!intervals || !figure.of_run) continue;
    for (const std::string_view column : kIntervalColumns)
      head.push_back(key + std::string(column));
  }
  head.emplace_back("fingerprint");
  std::string csv = csv_row(head);
  for (std::size_t i = 0; i < comparison.results.size(); ++i) {
    const sweep::ScenarioResult& r = comparison.results[i];
    const sweep::DeploymentFacts& f = r.facts;
    std::vector<std::string> row = {r.name,
                                    r.fits ? "done" : "does_not_fit",
                                    r.fits ? "" : r.memory.reason,
                                    f.model,
                                    f.precision,
                                    f.gpu,
                                    f.layout,
                                    f.engine,
                                    f.workload};
    const auto add = [&](std::optional<double> value) {
      row.push_back(value ? plain_number(*value) : "");
    };
    for (const Figure& figure : figures()) {
      add(figure_mean(figure, comparison, i));
      add(ratio_to_first(figure, comparison, i));
      if (!intervals || !figure.of_run) continue;
      const auto add_ends = [&](const std::optional<Interval>& interval) {
        add(interval ? std::optional(interval->low()) : std::nullopt);
        add(interval ? std::optional(interval->high()) : std::nullopt);
      };
      add_ends(figure_interval(figure, comparison, i));
      add_ends(difference_from_first(figure, comparison, i));
    }
    row.push_back(r.fits ? fmt::format("{:016x}", r.run.fingerprint) : "");
    csv += csv_row(row);
  }
  return csv;
}

}  // namespace moesim::report
