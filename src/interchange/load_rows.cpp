#include "interchange/load_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "core/text.h"
#include "interchange/lines.h"

namespace moesim::interchange {
namespace {

bool all_zero(const LoadRow& row) {
  return std::all_of(row.count.begin(), row.count.end(), [](double n) { return n == 0.0; });
}

/// Indices of the rows that are MoE layers.
std::vector<std::size_t> moe_rows(const std::vector<LoadRow>& rows, const RoutingHints& hints,
                                  Findings& findings) {
  std::vector<std::size_t> kept;
  const auto count = static_cast<std::int64_t>(rows.size());
  if (hints.layers.known() && count == hints.layers.hidden_layers &&
      count != hints.layers.moe_layers()) {
    for (const std::int32_t id : hints.layers.moe_layer_ids) {
      kept.push_back(static_cast<std::size_t>(id));
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (std::find(kept.begin(), kept.end(), i) != kept.end() || all_zero(rows[i])) continue;
      findings.add(rows[i].line, rows[i].column, fmt::format("layer {}", i),
                   "has loads, but the model has no experts there");
    }
    return kept;
  }
  std::size_t first = 0;
  const std::int64_t wanted = std::max<std::int64_t>(hints.moe_layers, 0);
  while (first < rows.size() && count - static_cast<std::int64_t>(first) > wanted &&
         all_zero(rows[first])) {
    ++first;
  }
  if (wanted == 0 && first == rows.size()) first = 0;  // Nothing but zeros: said of each row.
  for (std::size_t i = first; i < rows.size(); ++i) kept.push_back(i);
  return kept;
}

void check_row(const LoadRow& row, std::size_t index, std::int64_t experts, Findings& findings) {
  const std::string field = fmt::format("layer {}", index);
  if (std::ssize(row.count) != experts) {
    findings.add(row.line, row.column, field,
                 fmt::format("has {} loads, expected {} experts", row.count.size(), experts));
  } else if (all_zero(row)) {
    findings.add(row.line, row.column, field, "all loads are 0");
  }
}

}  // namespace

std::string count_problem(double count, std::string_view text) {
  if (std::isnan(count)) return "is not a number: " + in_quotes(text);
  if (count < 0.0) return "must not be negative, got " + in_quotes(text);
  if (count > kMaxCount) return "must be at most 1e15, got " + in_quotes(text);
  return {};
}

RoutingRecord load_record(std::vector<LoadRow> rows, const RoutingHints& hints,
                          Findings& findings) {
  findings.throw_if_any();
  if (rows.empty()) findings.add(0, 0, "", "has no loads");
  findings.throw_if_any();
  const std::vector<std::size_t> kept = moe_rows(rows, hints, findings);
  RoutingRecord record;
  record.name = findings.file();
  record.moe_layers = std::ssize(kept);
  record.experts = hints.experts > 0 ? hints.experts : std::ssize(rows[kept.front()].count);
  if (hints.moe_layers > 0 && record.moe_layers != hints.moe_layers) {
    findings.add(0, 0, "",
                 fmt::format("has loads of {} layers, the model has {} MoE layers",
                             record.moe_layers, hints.moe_layers));
  }
  for (const std::size_t i : kept) check_row(rows[i], i, record.experts, findings);
  findings.throw_if_any();
  record.load.reserve(static_cast<std::size_t>(record.moe_layers * record.experts));
  for (const std::size_t i : kept) {
    record.load.insert(record.load.end(), rows[i].count.begin(), rows[i].count.end());
  }
  return record;
}

std::vector<LoadRow> parse_load_matrix(std::string_view text, const RoutingHints& hints,
                                       Findings& findings) {
  const std::int64_t most = hints.experts > 0 ? hints.experts : routing::kMaxExperts;
  std::vector<LoadRow> rows;
  std::size_t line_number = 0;
  while (!text.empty() && !findings.full()) {
    const std::string_view line = next_line(text);
    ++line_number;
    if (trimmed(line).empty()) continue;
    if (std::ssize(rows) >= kMaxHiddenLayers) {
      findings.add(line_number, 1, "", fmt::format("more than {} layers", kMaxHiddenLayers));
      break;
    }
    LoadRow row{.count = {}, .line = line_number, .column = 1};
    const std::string layer = fmt::format("layer {}", rows.size());
    const auto cells = std::count(line.begin(), line.end(), ',') + 1;
    if (cells > most) {
      findings.add(line_number, 1, layer,
                   fmt::format("has {} loads, expected {}{} experts", cells,
                               hints.experts > 0 ? "" : "at most ", most));
      rows.push_back(std::move(row));
      continue;
    }
    std::string_view rest = line;
    for (std::int64_t e = 0; e < cells; ++e) {
      const std::string_view raw = next_piece(rest, ',');
      const std::string_view cell = trimmed(raw);
      const std::optional<double> count = parse_number<double>(cell);
      const std::string problem =
          count ? count_problem(*count, cell) : "expected a number, got " + in_quotes(cell);
      if (!problem.empty()) {
        findings.add(line_number, column_of(cell, line), fmt::format("{} expert {}", layer, e),
                     problem);
      }
      row.count.push_back(count.value_or(1.0));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace moesim::interchange
