#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "report/compared_figures.h"
#include "report/comparison_report.h"
#include "report/number_text.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

using sweep::ScenarioResult;

constexpr std::size_t kLabelWidth = 28;
constexpr std::size_t kColumnWidth = 24;
constexpr std::size_t kColumns = (kPageWidth - kLabelWidth) / kColumnWidth;
constexpr std::array<std::string_view, 6> kSectionStarts = {
    "flops_per_token",        "requests_per_s", "ttft_ms_p50",
    "goodput_requests_per_s", "balancedness",   "usd_per_hour"};
/// Those whose intervals the page shows; JSON and CSV have all.
constexpr std::array<std::string_view, 13> kWithIntervals = {
    "output_tokens_per_s",
    "tokens_per_s_per_user",
    "ttft_ms_p50",
    "ttft_ms_p99",
    "tpot_ms_p50",
    "tpot_ms_p99",
    "itl_ms_p50",
    "itl_ms_p99",
    "goodput_requests_per_s",
    "balancedness",
    "node_copies_per_token",
    "usd_per_million_output_tokens",
    "usd_per_million_output_tokens_all_in"};

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
    const auto value = figure_mean(figure, block.comparison, i);
    std::string ratio;
    if (i > 0) {
      const auto x = ratio_to_first(figure, block.comparison, i);
      if (x) ratio = "x" + number_text(*x, 3);
    }
    const std::string cell = value ? figure.text(*value) : "-";
    page += right(ratio, kColumnWidth - 13) + right(cell, 13);
  }
  end_line(page);
  return page;
}

std::string head_row(const Block& block) {
  std::string page = text_row(block, "", [](const ScenarioResult& r) { return r.name; });
  page += left("", kLabelWidth);
  for (std::size_t i = block.first; i < block.last; ++i) {
    page += "  " + std::string(kColumnWidth - 2, '-');
  }
  end_line(page);
  return page;
}

std::string block_text(const Block& block) {
  std::string page = head_row(block);
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

/// "+5.21 %", or in the figure's own terms where the first is zero.
std::string change_text(const Figure& figure, double change, double first) {
  if (first == 0.0) return (change < 0 ? "-" : "+") + figure.text(std::abs(change));
  const double percent = 100.0 * change / std::abs(first);
  return (percent < 0 ? "-" : "+") + number_text(std::abs(percent), 3) + " %";
}

/// "1,306.6 +-0.94 %": the mean, and half the interval in percent of it.
std::string mean_text(const Figure& figure, const Interval& interval) {
  const double share = interval.mean == 0.0 ? 0.0 : interval.half_width / std::abs(interval.mean);
  return fmt::format("{} +-{} %", figure.text(interval.mean), number_text(100.0 * share, 2));
}

/// "+5.21 % +-0.31 *", or "same".
std::string difference_text(const Figure& figure, const Interval& change, double first) {
  if (change.is_zero()) return "same  ";
  const double half =
      first == 0.0 ? change.half_width : 100.0 * change.half_width / std::abs(first);
  return fmt::format("{} +-{}{}", change_text(figure, change.mean, first), number_text(half, 2),
                     change.excludes_zero() ? " *" : "  ");
}

std::vector<const Figure*> figures_with_intervals() {
  std::vector<const Figure*> shown;
  for (const Figure& figure : figures()) {
    const bool wanted =
        std::find(kWithIntervals.begin(), kWithIntervals.end(), figure.key) != kWithIntervals.end();
    if (wanted) shown.push_back(&figure);
  }
  return shown;
}

std::string row_label(const Figure& figure) {
  const std::string label(figure.label.substr(figure.label.find_first_not_of(' ')));
  return figure.unit.empty() ? label : fmt::format("{} [{}]", label, figure.unit);
}

/// One figure: means on the first line, differences from the first scenario on the second.
std::string interval_row(const Block& block, const Figure& figure) {
  std::string means = left(row_label(figure), kLabelWidth);
  std::string changes = left("", kLabelWidth);
  bool any = false;
  for (std::size_t i = block.first; i < block.last; ++i) {
    const auto mean = figure_interval(figure, block.comparison, i);
    const auto change = difference_from_first(figure, block.comparison, i);
    any = any || mean.has_value();
    means += right(mean ? mean_text(figure, *mean) + "  " : "-  ", kColumnWidth);
    if (change) {
      const double first = *figure_mean(figure, block.comparison, 0);
      changes += right(difference_text(figure, *change, first), kColumnWidth);
    } else {
      changes += right("", kColumnWidth);
    }
  }
  if (!any) return {};
  end_line(means);
  const bool has_changes = changes.find_first_not_of(' ') != std::string::npos;
  end_line(changes);
  return has_changes ? means + changes : means;
}

/// "output tokens +5.21 %, ...": what is beyond its interval, then what is not.
std::string verdict(const sweep::Comparison& comparison, std::size_t scenario) {
  std::string settled;
  std::string open;
  for (const Figure* figure : figures_with_intervals()) {
    const auto change = difference_from_first(*figure, comparison, scenario);
    if (!change || change->is_zero()) continue;
    const std::string label = row_label(*figure);
    if (change->excludes_zero()) {
      const double first = *figure_mean(*figure, comparison, 0);
      settled += fmt::format("{}{} {}", settled.empty() ? "" : ", ", label,
                             change_text(*figure, change->mean, first));
    } else {
      open += (open.empty() ? "" : ", ") + label;
    }
  }
  std::string text = settled.empty() ? "no figure differs beyond its interval" : settled;
  if (!settled.empty() && !open.empty()) text += "; not settled: " + open;
  return labelled("settled", fmt::format("{}: {}", comparison.results[scenario].name, text));
}

std::string intervals_text(const sweep::Comparison& comparison) {
  const std::vector<ScenarioResult>& results = comparison.results;
  std::string page =
      "\n" +
      labelled("intervals", fmt::format("95 %, Student's t over {} seeds. Above: mean. Below: "
                                        "difference from {} under the same seeds, in percent "
                                        "of its mean; * where the interval leaves out zero",
                                        comparison.seeds.size(), results.front().name));
  for (std::size_t first = 0; first < results.size(); first += kColumns) {
    const Block block{.comparison = comparison,
                      .first = first,
                      .last = std::min(first + kColumns, results.size())};
    page += "\n" + head_row(block);
    for (const Figure* figure : figures_with_intervals()) page += interval_row(block, *figure);
  }
  page += '\n';
  for (std::size_t i = 1; i < results.size(); ++i) page += verdict(comparison, i);
  return page;
}

const Figure& all_in_figure() {
  const auto all = figures();
  const auto found = std::find_if(all.begin(), all.end(), [](const Figure& f) {
    return f.key == "usd_per_million_output_tokens_all_in";
  });
  MOESIM_CHECK(found != all.end(), "the cost of output tokens is no figure");
  return *found;
}

/// Nothing unless all that ran have a price.
std::string cheapest(const sweep::Comparison& comparison) {
  const std::vector<ScenarioResult>& results = comparison.results;
  const Figure& figure = all_in_figure();
  std::optional<std::size_t> best;
  double lowest = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].fits && !results[i].pricing.known) return {};
    const auto price = figure_mean(figure, comparison, i);
    if (!price || !(*price > 0) || (best && *price >= lowest)) continue;
    best = i;
    lowest = *price;
  }
  if (!best) return {};
  std::string text = fmt::format("{}: {} USD per million output tokens if they pay the whole bill",
                                 results[*best].name, usd_text(lowest));
  std::string equal;
  std::string close;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto dearer = difference_between(figure, comparison, *best, i);
    if (i == *best || !dearer || dearer->excludes_zero()) continue;
    std::string& names = dearer->is_zero() ? equal : close;
    names += (names.empty() ? "" : ", ") + results[i].name;
  }
  if (!equal.empty()) text += "; the same for " + equal;
  if (!close.empty()) text += "; not settled against " + close;
  return labelled("cheapest", text);
}

bool said_of_all(const std::string& note, const std::vector<ScenarioResult>& results) {
  return std::all_of(results.begin(), results.end(), [&](const ScenarioResult& r) {
    return std::find(r.notes.begin(), r.notes.end(), note) != r.notes.end();
  });
}

}  // namespace

std::string comparison_table(const sweep::Comparison& comparison) {
  const std::vector<ScenarioResult>& results = comparison.results;
  std::string page = labelled("demand", results.front().facts.workload);
  for (const auto& axis : comparison.varied) page += labelled("varied", axis.field);
  page += labelled("ratios", fmt::format("x2 = twice that of {}", results.front().name));
  for (std::size_t first = 0; first < results.size(); first += kColumns) {
    page += "\n" + block_text({.comparison = comparison,
                               .first = first,
                               .last = std::min(first + kColumns, results.size())});
  }
  if (has_replications(comparison)) {
    page += intervals_text(comparison);
  } else {
    page += '\n';
  }
  if (results.size() > 1) page += cheapest(comparison);
  for (const std::string& note : comparison.notes) page += labelled("note", note);
  for (const ScenarioResult& r : results) {
    if (!r.fits) {
      page += labelled("note", fmt::format("{} does not fit: {}", r.name, r.memory.reason));
    }
    for (const std::string& note : r.notes) {
      const bool shared = results.size() > 1 && said_of_all(note, results);
      if (!shared) page += labelled("note", fmt::format("{}: {}", r.name, note));
      if (shared && &r == &results.front()) page += labelled("note", note);
    }
  }
  return page;
}

}  // namespace moesim::report
