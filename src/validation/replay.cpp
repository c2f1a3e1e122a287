#include "validation/replay.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <variant>

#include "calibration/csv_table.h"
#include "core/diagnostics.h"
#include "core/percentile.h"
#include "scenario/scenario_reader.h"
#include "sweep/parallel_runs.h"
#include "sweep/run_scenario.h"
#include "validation/row_scenario.h"
#include "validation/statistics.h"

namespace moesim::validation {
namespace {

constexpr double kMilli = 1e3;

std::vector<double> column(const calibration::CsvTable& table, const char* name) {
  const calibration::Column column = table.column(name);
  std::vector<double> values;
  for (std::size_t i = 0; i < table.rows(); ++i) values.push_back(table.number(i, column));
  return values;
}

/// The scenario of the first row that replays `recording`.
std::string scenario_of(const scenario::RecordedRun& recording, const scenario::PublishedRows& rows,
                        const catalog::Catalog& catalog, std::string& reason) {
  reason = "no published row describes its deployment";
  for (const scenario::PublishedRow& row : rows.rows) {
    if (row.source.find(recording.source) == std::string::npos) continue;
    const RowPlan plan = plan_row(row, rows, catalog);
    const auto* planned = std::get_if<RowScenario>(&plan);
    if (planned == nullptr) continue;
    if (planned->text.find("\"" + recording.file + "\"") != std::string::npos) return planned->text;
  }
  return {};
}

void replay(const scenario::RecordedRun& recording, const std::string& text,
            const catalog::Catalog& catalog, Replay& out) {
  scenario::TextOrigin origin;
  origin.file_name = "published run";
  const sweep::ScenarioResult result =
      sweep::run_scenario(scenario::read_scenario_text(text, origin, {}, catalog));
  if (!result.fits) {
    out.reason = "does not fit: " + result.memory.reason;
    return;
  }
  std::vector<double> ttft;
  std::vector<double> end_to_end;
  for (const serving::RequestRecord& r : result.run.requests) {
    ttft.push_back(kMilli * (r.ttft().seconds() / kSecond));
    end_to_end.push_back(kMilli * (r.end_to_end().seconds() / kSecond));
  }
  const auto table = calibration::CsvTable::read(recording.file);
  out.requests = static_cast<std::int64_t>(ttft.size());
  if (ttft.empty()) {
    out.reason = "no request was completed";
    return;
  }
  out.ttft = compare_latencies(column(table, "ttft_ms"), std::move(ttft));
  out.end_to_end = compare_latencies(column(table, "e2e_ms"), std::move(end_to_end));
  out.reason.clear();
}

}  // namespace

LatencyComparison compare_latencies(std::vector<double> measured, std::vector<double> predicted) {
  constexpr double kMedian = 50;
  constexpr double kHigh = 90;
  std::sort(measured.begin(), measured.end());
  std::sort(predicted.begin(), predicted.end());
  return {.measured_median_ms = percentile(measured, kMedian),
          .predicted_median_ms = percentile(predicted, kMedian),
          .measured_p90_ms = percentile(measured, kHigh),
          .predicted_p90_ms = percentile(predicted, kHigh),
          .ks_distance = ks_distance(measured, predicted)};
}

std::vector<Replay> replay_recordings(const scenario::PublishedRows& rows,
                                      const catalog::Catalog& catalog, int jobs) {
  std::vector<Replay> replays(rows.recordings.size());
  sweep::run_parallel(static_cast<std::int64_t>(replays.size()), jobs, [&](std::int64_t number) {
    const auto i = static_cast<std::size_t>(number);
    const scenario::RecordedRun& recording = rows.recordings[i];
    replays[i].run = recording.name;
    const std::string text = scenario_of(recording, rows, catalog, replays[i].reason);
    if (text.empty()) return;
    try {
      replay(recording, text, catalog, replays[i]);
    } catch (const InputError& error) {
      replays[i].reason = error.diagnostics().front().message;
    } catch (const IoError& error) {
      replays[i].reason = error.what();
    }
  });
  return replays;
}

}  // namespace moesim::validation
