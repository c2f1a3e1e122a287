#include "report/published_report.h"

#include <fmt/format.h>

#include <cstddef>
#include <string_view>
#include <vector>

#include "report/message_json.h"
#include "report/number_text.h"
#include "report/text_layout.h"
#include "report/version.h"
#include "validation.pb.h"

namespace moesim::report {
namespace {

using validation::FamilySummary;
using validation::Outcome;
using validation::RowResult;

constexpr double kPercent = 100.0;
constexpr std::size_t kIdWidth = 11;
constexpr std::size_t kWhatWidth = 30;
constexpr std::size_t kMetricWidth = 26;
constexpr std::size_t kFamilyWidth = 34;

std::string_view word(Outcome outcome) {
  switch (outcome) {
    case Outcome::Scored:
      return "scored";
    case Outcome::Refused:
      return "refused";
    default:
      return "left out";
  }
}

std::string cut(std::string_view text, std::size_t width) {
  if (text_width(text) <= width) return std::string(text);
  return std::string(text.substr(0, width - 1)) + "~";
}

std::string family_line(const FamilySummary& s) {
  const std::string name = s.metric.empty() ? s.family : "  " + s.metric;
  std::string line = left(cut(name, kFamilyWidth), kFamilyWidth);
  if (s.error.rows > 0) {
    line += fmt::format(" {:>5} {:>6.1f} % {:>6.1f} % {:>+7.1f} % {:>6}", s.error.rows,
                        kPercent * s.error.median, kPercent * s.error.p90, kPercent * s.error.bias,
                        s.kendall ? fmt::format("{:.2f}", *s.kendall) : "-");
  } else {
    line += fmt::format(" {:>5} {:>8} {:>8} {:>9} {:>6}", 0, "-", "-", "-", "-");
  }
  if (s.metric.empty()) {
    const std::string effects =
        s.relative > 0 ? fmt::format("{}/{}/{}", s.same_sign, s.within_fifth, s.relative) : "-";
    line += fmt::format(" {:>9} {:>7} {:>7}", effects, s.refused, s.left_out);
  }
  while (line.ends_with(' ')) line.pop_back();
  return line + "\n";
}

std::string row_line(const RowResult& r) {
  std::string line = fmt::format("{} {} {} {:>10}", left(r.row.id, kIdWidth),
                                 left(cut(r.row.model + ", " + r.row.gpu, kWhatWidth), kWhatWidth),
                                 left(cut(r.row.metric, kMetricWidth), kMetricWidth),
                                 r.row.value ? number_text(*r.row.value, 5) : "-");
  if (r.outcome == Outcome::Scored) {
    line += fmt::format(" {:>10} {:>+7.1f} %{}", number_text(r.predicted, 5), kPercent * r.error(),
                        r.derived ? " *" : "");
    return line + "\n";
  }
  line += fmt::format(" {:>10}\n", word(r.outcome));
  return line + labelled("", r.reason, kIdWidth + 1);
}

void fill(const FamilySummary& s, proto::PublishedFamily& out) {
  out.set_family(s.family);
  out.set_metric(s.metric);
  out.set_rows(s.error.rows);
  out.set_median(rounded(s.error.median));
  out.set_p90(rounded(s.error.p90));
  out.set_bias(rounded(s.error.bias));
  if (s.kendall) out.set_kendall_tau(rounded(*s.kendall));
  out.set_refused(s.refused);
  out.set_left_out(s.left_out);
  out.set_relative(s.relative);
  out.set_same_sign(s.same_sign);
  out.set_within_20_percent(s.within_fifth);
}

void fill(const RowResult& r, proto::PublishedComparison& out) {
  out.set_id(r.row.id);
  out.set_family(r.row.family());
  out.set_model(r.row.model);
  out.set_gpu(r.row.gpu);
  out.set_metric(r.row.metric);
  out.set_unit(r.row.unit);
  if (r.row.value) out.set_measured(rounded(*r.row.value));
  if (r.outcome == Outcome::Scored) {
    out.set_predicted(rounded(r.predicted));
    out.set_error(rounded(r.error()));
  }
  out.set_outcome(std::string(word(r.outcome)));
  out.set_reason(r.reason);
  out.set_relative(r.relative);
  out.set_derived(r.derived);
  for (const std::string& text : r.assumed) out.add_assumed(text);
  out.set_source(r.row.source);
}

std::string latency_line(std::string_view name, const validation::LatencyComparison& l) {
  const auto error = [](double predicted, double measured) {
    return measured > 0 ? fmt::format("{:>+7.1f} %", kPercent * (predicted / measured - 1.0)) : "-";
  };
  return fmt::format("  {} {:>10} {:>10} {} {:>10} {:>10} {} {:>6.2f}\n", left(name, 10),
                     number_text(l.measured_median_ms, 5), number_text(l.predicted_median_ms, 5),
                     error(l.predicted_median_ms, l.measured_median_ms),
                     number_text(l.measured_p90_ms, 5), number_text(l.predicted_p90_ms, 5),
                     error(l.predicted_p90_ms, l.measured_p90_ms), l.ks_distance);
}

std::string replay_lines(const std::vector<validation::Replay>& replays) {
  std::string out =
      fmt::format("\n{} {:>10} {:>10} {:>9} {:>10} {:>10} {:>9} {:>6}\n", left("replayed, ms", 12),
                  "median", "predicted", "error", "p90", "predicted", "error", "KS");
  for (const validation::Replay& r : replays) {
    if (!r.reason.empty()) {
      out += fmt::format("{}: not replayed: {}\n", r.run, r.reason);
      continue;
    }
    out += fmt::format("{}, {} requests\n", r.run, r.requests);
    out += latency_line("TTFT", r.ttft) + latency_line("end to end", r.end_to_end);
  }
  return out;
}

void fill(const validation::LatencyComparison& l, proto::ReplayedLatency& out) {
  out.set_measured_median_ms(rounded(l.measured_median_ms));
  out.set_predicted_median_ms(rounded(l.predicted_median_ms));
  out.set_measured_p90_ms(rounded(l.measured_p90_ms));
  out.set_predicted_p90_ms(rounded(l.predicted_p90_ms));
  out.set_ks_distance(rounded(l.ks_distance));
}

void fill(const validation::Replay& r, proto::ReplayComparison& out) {
  out.set_run(r.run);
  out.set_requests(r.requests);
  out.set_reason(r.reason);
  if (!r.reason.empty()) return;
  fill(r.ttft, *out.mutable_ttft());
  fill(r.end_to_end, *out.mutable_end_to_end());
}

}  // namespace

std::string published_table(const validation::Validation& v) {
  std::string out = fmt::format("{} published rows, {} simulated runs\n", v.rows.size(), v.runs);
  for (const std::string& note : v.notes) out += "note: " + note + "\n";
  out +=
      "error: |predicted - measured| / measured; bias: median of predicted / measured, less 1; "
      "tau:\n"
      "Kendall's, of predicted against measured; effects: ratios of two runs on the right side of "
      "1 "
      "/\nwithin 20 % / all; refused: measured, but the model does not run it\n\n";
  out += fmt::format("{} {:>5} {:>8} {:>8} {:>9} {:>6} {:>9} {:>7} {:>7}\n",
                     left("family", kFamilyWidth), "rows", "median", "p90", "bias", "tau",
                     "effects", "refused", "left out");
  for (const FamilySummary& s : v.families) out += family_line(s);
  if (v.families.size() > 1) out += family_line(v.all);
  out += fmt::format("\n{} {} {} {:>10} {:>10} {:>9}\n", left("row", kIdWidth),
                     left("model, GPU", kWhatWidth), left("metric", kMetricWidth), "measured",
                     "predicted", "error");
  bool derived = false;
  for (const RowResult& r : v.rows) {
    out += row_line(r);
    derived = derived || (r.derived && r.outcome == Outcome::Scored);
  }
  if (!v.replays.empty()) out += replay_lines(v.replays);
  if (derived) out += "\n* computed from other rows by who collected them\n";
  return out;
}

std::string published_json(const validation::Validation& v) {
  proto::PublishedValidation message;
  message.set_version(version());
  message.set_runs(v.runs);
  for (const FamilySummary& s : v.families) fill(s, *message.add_family());
  fill(v.all, *message.mutable_all());
  for (const RowResult& r : v.rows) fill(r, *message.add_row());
  for (const std::string& note : v.notes) message.add_note(note);
  for (const validation::Replay& r : v.replays) fill(r, *message.add_replay());
  return message_json(message);
}

std::string published_csv(const validation::Validation& v) {
  std::string csv = csv_row({"id", "model", "gpu", "metric_name", "unit", "measured", "predicted",
                             "error", "outcome", "reason", "relative", "derived"});
  for (const RowResult& r : v.rows) {
    const bool scored = r.outcome == Outcome::Scored;
    csv += csv_row({r.row.id, r.row.model, r.row.gpu, r.row.metric, r.row.unit,
                    r.row.value ? plain_number(*r.row.value) : "",
                    scored ? plain_number(r.predicted) : "", scored ? plain_number(r.error()) : "",
                    std::string(word(r.outcome)), r.reason, r.relative ? "true" : "false",
                    r.derived ? "true" : "false"});
  }
  return csv;
}

}  // namespace moesim::report
