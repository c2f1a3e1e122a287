#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "report/comparison_report.h"
#include "report/figures.h"
#include "report/number_text.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

using sweep::ScenarioResult;

constexpr std::size_t kLabelWidth = 28;
constexpr std::size_t kColumnWidth = 24;
constexpr std::size_t kColumns = (kPageWidth - kLabelWidth) / kColumnWidth;
constexpr std::array<std::string_view, 5> kSectionStarts = {
    "flops_per_token", "requests_per_s", "ttft_ms_p50", "goodput_requests_per_s", "usd_per_hour"};

/// Scenarios [first, last) beside each other.
struct Block {
  const sweep::Comparison& comparison;
  std::size_t first = 0;
  std::size_t last = 0;
};

void end_line(std::string& page) {
  while (!page.empty() && page.back() == ' ') page.pop_back();
  page += '\n';
}

/// One row of texts, wrapped inside their columns.
template <class Text>
std::string text_row(const Block& block, std::string_view label, const Text& text) {
  std::vector<std::vector<std::string>> cells;
  std::size_t lines = 1;
  for (std::size_t i = block.first; i < block.last; ++i) {
    cells.push_back(wrapped(text(block.comparison.results[i]), kColumnWidth - 2));
    lines = std::max(lines, cells.back().size());
  }
  std::string page;
  for (std::size_t line = 0; line < lines; ++line) {
    page += left(line == 0 ? label : std::string_view(), kLabelWidth);
    for (const auto& cell : cells) {
      page += right(line < cell.size() ? cell[line] : "", kColumnWidth);
    }
    end_line(page);
  }
  return page;
}

std::string figure_row(const Block& block, const Figure& figure) {
  const std::string label =
      std::string(figure.label) +
      (figure.unit.empty() ? std::string() : fmt::format(" [{}]", figure.unit));
  std::string page = left(label, kLabelWidth);
  for (std::size_t i = block.first; i < block.last; ++i) {
    const ScenarioResult& r = block.comparison.results[i];
    const auto value = figure_value(figure, r);
    std::string ratio;
    if (i > 0) {
      const auto x = figure_ratio(figure, block.comparison.results.front(), r);
      if (x) ratio = "x" + number_text(*x, 3);
    }
    const std::string cell = value ? figure.text(*value) : "-";
    page += right(ratio, kColumnWidth - 13) + right(cell, 13);
  }
  end_line(page);
  return page;
}

std::string block_text(const Block& block) {
  std::string page = text_row(block, "", [](const ScenarioResult& r) { return r.name; });
  page += left("", kLabelWidth);
  for (std::size_t i = block.first; i < block.last; ++i) {
    page += "  " + std::string(kColumnWidth - 2, '-');
  }
  end_line(page);
  page += text_row(block, "model", [](const ScenarioResult& r) { return r.facts.model; });
  page += text_row(block, "precision", [](const ScenarioResult& r) { return r.facts.precision; });
  page += text_row(block, "GPU", [](const ScenarioResult& r) { return r.facts.gpu; });
  page += text_row(block, "layout", [](const ScenarioResult& r) { return r.facts.layout; });
  page += text_row(block, "engine", [](const ScenarioResult& r) { return r.facts.engine; });
  page += text_row(block, "memory", [](const ScenarioResult& r) {
    return r.fits ? plan::to_string(r.memory.verdict) : std::string("does not fit");
  });
  for (const Figure& figure : figures()) {
    const bool starts =
        std::find(kSectionStarts.begin(), kSectionStarts.end(), figure.key) != kSectionStarts.end();
    if (starts) page += '\n';
    page += figure_row(block, figure);
  }
  return page;
}

/// Nothing unless all that ran have a price.
std::string cheapest(const std::vector<ScenarioResult>& results) {
  const ScenarioResult* best = nullptr;
  for (const ScenarioResult& r : results) {
    if (r.fits && !r.pricing.known) return {};
    if (!r.fits || !(r.bill.usd_per_million_output_tokens_all_in > 0)) continue;
    if (best == nullptr || r.bill.usd_per_million_output_tokens_all_in <
                               best->bill.usd_per_million_output_tokens_all_in) {
      best = &r;
    }
  }
  if (best == nullptr) return {};
  return labelled(
      "cheapest",
      fmt::format("{}: {} USD per million output tokens if they pay the whole bill", best->name,
                  usd_text(best->bill.usd_per_million_output_tokens_all_in)));
}

}  // namespace

std::string comparison_table(const sweep::Comparison& comparison) {
  const std::vector<ScenarioResult>& results = comparison.results;
  std::string page = labelled("demand", results.front().facts.workload);
  page += labelled("ratios", fmt::format("x2 = twice that of {}", results.front().name));
  for (std::size_t first = 0; first < results.size(); first += kColumns) {
    page += "\n" + block_text({.comparison = comparison,
                               .first = first,
                               .last = std::min(first + kColumns, results.size())});
  }
  page += '\n';
  if (results.size() > 1) page += cheapest(results);
  for (const std::string& note : comparison.notes) page += labelled("note", note);
  for (const ScenarioResult& r : results) {
    if (!r.fits) {
      page += labelled("note", fmt::format("{} does not fit: {}", r.name, r.memory.reason));
    }
    for (const std::string& note : r.notes) {
      page += labelled("note", fmt::format("{}: {}", r.name, note));
    }
  }
  return page;
}

}  // namespace moesim::report
