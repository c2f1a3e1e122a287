#include <fmt/format.h>
#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "comparison.pb.h"
#include "core/check.h"
#include "report/comparison_report.h"
#include "report/figures.h"
#include "report/message_json.h"
#include "report/number_text.h"
#include "report/result_message.h"
#include "report/text_layout.h"
#include "report/version.h"

namespace moesim::report {
namespace {

void fill_ratios(const sweep::ScenarioResult& first, const sweep::ScenarioResult& other,
                 proto::Ratios& to) {
  for (const Figure& figure : figures()) {
    const auto* field = proto::Ratios::descriptor()->FindFieldByName(std::string(figure.key));
    MOESIM_CHECK(field != nullptr, "a compared figure is not in proto/comparison.proto");
    if (const auto ratio = figure_ratio(figure, first, other)) {
      to.GetReflection()->SetDouble(&to, field, rounded(*ratio));
    }
  }
}

}  // namespace

std::string comparison_json(const sweep::Comparison& comparison) {
  proto::Comparison message;
  message.set_moesim_version(version());
  const sweep::ScenarioResult& first = comparison.results.front();
  for (const sweep::ScenarioResult& result : comparison.results) {
    proto::ComparedScenario& to = *message.add_scenarios();
    *to.mutable_result() = result_message(result);
    if (first.fits && result.fits) fill_ratios(first, result, *to.mutable_ratio_to_first());
  }
  for (const std::string& note : comparison.notes) message.add_notes(note);
  return message_json(message);
}

std::string comparison_csv(const sweep::Comparison& comparison) {
  std::vector<std::string> head = {"name", "status", "reason", "model",   "precision",
                                   "gpu",  "layout", "engine", "workload"};
  for (const Figure& figure : figures()) {
    head.emplace_back(figure.key);
    head.push_back(std::string(figure.key) + "_ratio");
  }
  head.emplace_back("fingerprint");
  std::string csv = csv_row(head);
  for (const sweep::ScenarioResult& r : comparison.results) {
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
      add(figure_value(figure, r));
      add(figure_ratio(figure, comparison.results.front(), r));
    }
    row.push_back(r.fits ? fmt::format("{:016x}", r.run.fingerprint) : "");
    csv += csv_row(row);
  }
  return csv;
}

}  // namespace moesim::report
