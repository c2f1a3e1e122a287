#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "scenario/findings.h"
#include "scenario/message_reader.h"
#include "scenario/published_row.h"

namespace moesim::scenario {
namespace {

constexpr std::size_t kMaxRows = 100'000;
constexpr double kLargest = 1e18;

struct Cell {
  std::string text;
  Place place;
};

/// Splits comma-separated values (RFC 4180): quoted cells may hold commas, line breaks and doubled
/// quotes.
class CellReader {
 public:
  CellReader(std::string_view text, Findings& findings) : text_(text), findings_(findings) {
    if (text_.starts_with("\xef\xbb\xbf")) next_ = 3;
  }

  /// Cells of the next line that is not empty; none at the end, or after a quote without end.
  std::vector<Cell> row() {
    std::vector<Cell> cells;
    while (next_ < text_.size() && cells.empty()) {
      while (cell(cells)) {
      }
      if (cells.size() == 1 && cells[0].text.empty()) cells.clear();
    }
    return cells;
  }

 private:
  [[nodiscard]] bool at_end() const { return next_ >= text_.size(); }
  [[nodiscard]] char peek() const { return text_[next_]; }

  char take() {
    const char c = text_[next_++];
    if (c == '\n') {
      ++place_.line;
      place_.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80U) {
      ++place_.column;
    }
    return c;
  }

  /// True if another cell follows on the line.
  bool cell(std::vector<Cell>& cells) {
    Cell cell{.text = {}, .place = place_};
    const bool in_quotes = !at_end() && peek() == '"';
    if (in_quotes) quoted(cell);
    while (!at_end() && peek() != ',' && peek() != '\n') {
      const char c = take();
      if (c == '\r' && (at_end() || peek() == '\n')) break;
      if (in_quotes) {
        findings_.error_at(cell.place, "", "text behind the quote that closes the cell",
                           "double the quotes inside it");
        while (!at_end() && peek() != '\n') take();
        break;
      }
      cell.text += c;
    }
    cells.push_back(std::move(cell));
    if (at_end()) return false;
    return take() == ',';
  }

  void quoted(Cell& cell) {
    take();
    while (!at_end()) {
      const char c = take();
      if (c != '"') {
        cell.text += c;
      } else if (!at_end() && peek() == '"') {
        cell.text += take();
      } else {
        return;
      }
    }
    findings_.error_at(cell.place, "", "the quote that opens here is never closed");
  }

  std::string_view text_;
  Findings& findings_;
  std::size_t next_ = 0;
  Place place_{};
};

struct Text {
  const char* column;
  std::string PublishedRow::*member;
};
struct Number {
  const char* column;
  std::optional<double> PublishedRow::*member;
};
constexpr std::array kTexts = {Text{"id", &PublishedRow::id},
                               Text{"source", &PublishedRow::source},
                               Text{"date", &PublishedRow::date},
                               Text{"model", &PublishedRow::model},
                               Text{"precision", &PublishedRow::precision},
                               Text{"engine", &PublishedRow::engine},
                               Text{"gpu", &PublishedRow::gpu},
                               Text{"interconnect", &PublishedRow::interconnect},
                               Text{"pd_mode", &PublishedRow::pd_mode},
                               Text{"metric_name", &PublishedRow::metric},
                               Text{"unit", &PublishedRow::unit},
                               Text{"notes", &PublishedRow::note}};
constexpr std::array kNumbers = {
    Number{"n_gpus", &PublishedRow::gpus},
    Number{"nodes", &PublishedRow::nodes},
    Number{"tp", &PublishedRow::tp},
    Number{"pp", &PublishedRow::pp},
    Number{"dp", &PublishedRow::dp},
    Number{"ep", &PublishedRow::ep},
    Number{"isl", &PublishedRow::input_tokens},
    Number{"osl", &PublishedRow::output_tokens},
    Number{"cached_fraction", &PublishedRow::cached_fraction},
    Number{"batch_or_concurrency_per_gpu", &PublishedRow::concurrency_per_gpu},
    Number{"request_rate", &PublishedRow::request_rate},
    Number{"metric_value", &PublishedRow::value}};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

class TableReader {
 public:
  explicit TableReader(Findings& findings) : findings_(findings) {}

  PublishedRows read(std::string_view text) {
    CellReader reader(text, findings_);
    header(reader.row());
    if (findings_.any()) return {};
    for (;;) {
      const std::vector<Cell> cells = reader.row();
      if (cells.empty()) break;
      if (result_.rows.size() == kMaxRows) {
        findings_.error_at(cells[0].place, "", fmt::format("more than {} rows", kMaxRows));
        break;
      }
      row(cells);
    }
    if (result_.rows.empty() && !findings_.any())
      findings_.error_at({1, 1}, "", "the table has no rows");
    return std::move(result_);
  }

 private:
  void header(const std::vector<Cell>& cells) {
    std::vector<std::string> known;
    for (const Text& t : kTexts) known.emplace_back(t.column);
    for (const Number& n : kNumbers) known.emplace_back(n.column);
    for (const Cell& cell : cells) {
      const std::string name(trimmed(cell.text));
      if (std::find(columns_.begin(), columns_.end(), name) != columns_.end()) {
        findings_.error_at(cell.place, "", fmt::format("the column {} stands twice", shown(name)));
      } else if (std::find(known.begin(), known.end(), name) == known.end()) {
        result_.notes.push_back(fmt::format("column {} is not used", shown(name)));
      }
      columns_.push_back(name);
    }
    std::string missing;
    for (const std::string& name : known) {
      if (std::find(columns_.begin(), columns_.end(), name) != columns_.end()) continue;
      missing += (missing.empty() ? "" : ", ") + name;
    }
    if (missing.empty()) return;
    findings_.error_at({1, 1}, "", "the first line names no column " + missing,
                       "docs/formats/published.md lists them all");
  }

  void row(const std::vector<Cell>& cells) {
    if (cells.size() != columns_.size()) {
      findings_.error_at(cells[0].place, "",
                         fmt::format("{} cells, but the first line names {} columns", cells.size(),
                                     columns_.size()),
                         "quote cells that hold commas");
      return;
    }
    PublishedRow row;
    for (std::size_t i = 0; i < cells.size(); ++i) cell(cells[i], columns_[i], row);
    if (row.id.empty()) {
      findings_.error_at(cells[0].place, "id", "is required");
    } else if (!ids_.insert(row.id).second) {
      findings_.error_at(cells[0].place, "id", fmt::format("{} stands twice", shown(row.id)));
    }
    result_.rows.push_back(std::move(row));
  }

  void cell(const Cell& cell, const std::string& column, PublishedRow& row) {
    const std::string_view text = trimmed(cell.text);
    for (const Text& t : kTexts) {
      if (column != t.column) continue;
      if (std::any_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
        findings_.error_at(cell.place, column, "holds control characters or line breaks");
        return;
      }
      row.*t.member = std::string(text);
    }
    for (const Number& n : kNumbers) {
      if (column == n.column && !text.empty()) row.*n.member = number(cell.place, column, text);
    }
  }

  double number(Place place, const std::string& column, std::string_view text) {
    if (column == "request_rate" && (text == "inf" || text == "Inf" || text == "INF")) {
      return HUGE_VAL;
    }
    double value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
      findings_.error_at(place, column, fmt::format("{} is not a number", shown(text)),
                         "leave the cell empty if it was not published");
    } else if (value < 0 || value > kLargest) {
      findings_.error_at(place, column,
                         fmt::format("must lie within 0..{:g}, got {}", kLargest, shown(text)));
    }
    return value;
  }

  Findings& findings_;
  std::vector<std::string> columns_;
  std::set<std::string> ids_;
  PublishedRows result_;
};

}  // namespace

PublishedRows parse_published_csv(std::string_view text, const std::string& name) {
  Findings findings(name);
  PublishedRows rows;
  if (check_encoding(text, findings)) rows = TableReader(findings).read(text);
  findings.throw_if_any();
  return rows;
}

PublishedRows read_published_csv(const std::string& path) {
  return parse_published_csv(read_file(path, kMaxInputBytes), path);
}

}  // namespace moesim::scenario
