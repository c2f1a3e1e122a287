#include "cli/catalog_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>

#include "core/text.h"
#include "report/number_text.h"

namespace moesim::cli {
namespace {

bool is_text(const Cell& cell) { return std::holds_alternative<std::string>(cell); }

std::string table_text(const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  if (const auto* count = std::get_if<std::int64_t>(&cell)) return report::count_text(*count);
  if (const auto* number = std::get_if<double>(&cell)) return report::number_text(*number);
  return "-";
}

/// Without grouping of thousands; texts as they are.
std::string plain_text(const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  if (const auto* count = std::get_if<std::int64_t>(&cell)) return std::to_string(*count);
  if (const auto* number = std::get_if<double>(&cell)) return format_number(*number);
  return {};
}

std::string csv_text(const Cell& cell) {
  const std::string text = plain_text(cell);
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string json_string(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string json_text(const Cell& cell) {
  if (is_text(cell)) return json_string(std::get<std::string>(cell));
  const std::string number = plain_text(cell);
  return number.empty() ? "null" : number;
}

void print_json_row(const Table& table, const std::vector<Cell>& row, const std::string& indent,
                    std::ostream& out) {
  out << indent << "{";
  for (std::size_t i = 0; i < row.size(); ++i) {
    out << (i == 0 ? "\n" : ",\n")
        << fmt::format("{}  {}: {}", indent, json_string(table.columns[i].key), json_text(row[i]));
  }
  out << "\n" << indent << "}";
}

void print_json(const Table& table, std::ostream& out) {
  out << "[";
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    out << (i == 0 ? "\n" : ",\n");
    print_json_row(table, table.rows[i], "  ", out);
  }
  out << (table.rows.empty() ? "]\n" : "\n]\n");
}

void print_csv(const Table& table, std::ostream& out) {
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    out << (i == 0 ? "" : ",") << table.columns[i].key;
  }
  out << "\n";
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) out << (i == 0 ? "" : ",") << csv_text(row[i]);
    out << "\n";
  }
}

void print_aligned(const Table& table, std::ostream& out) {
  std::vector<std::size_t> shown;
  std::vector<std::size_t> widths;
  std::vector<bool> left;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].title.empty()) continue;
    std::size_t width = table.columns[i].title.size();
    bool has_text = false;
    for (const auto& row : table.rows) {
      width = std::max(width, table_text(row[i]).size());
      has_text = has_text || is_text(row[i]);
    }
    shown.push_back(i);
    widths.push_back(width);
    left.push_back(has_text);
  }
  const auto line = [&](const auto& cell_of) {
    std::string text;
    for (std::size_t n = 0; n < shown.size(); ++n) {
      const std::string cell = cell_of(shown[n]);
      text += n == 0 ? "" : "  ";
      text +=
          left[n] ? fmt::format("{:<{}}", cell, widths[n]) : fmt::format("{:>{}}", cell, widths[n]);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out << text << "\n";
  };
  line([&](std::size_t i) { return table.columns[i].title; });
  for (const auto& row : table.rows) line([&](std::size_t i) { return table_text(row[i]); });
}

}  // namespace

Cell unless_zero(double value) { return value > 0.0 ? Cell{value} : Cell{}; }

Cell count_unless_zero(double value) {
  return value > 0.0 ? Cell{std::int64_t{std::llround(value)}} : Cell{};
}

void print_table(const Table& table, const std::string& format, std::ostream& out) {
  if (format == "json") {
    print_json(table, out);
  } else if (format == "csv") {
    print_csv(table, out);
  } else {
    print_aligned(table, out);
  }
}

void print_record(const Table& table, const std::string& format, std::ostream& out) {
  const std::vector<Cell>& row = table.rows.at(0);
  if (format == "json") {
    print_json_row(table, row, "", out);
    out << "\n";
    return;
  }
  if (format == "csv") out << "field,value\n";
  std::size_t width = 0;
  for (const Column& column : table.columns) width = std::max(width, column.title.size());
  for (std::size_t i = 0; i < row.size(); ++i) {
    const Column& column = table.columns[i];
    if (format == "csv") {
      out << column.key << "," << csv_text(row[i]) << "\n";
    } else if (!column.title.empty() && !std::holds_alternative<std::monostate>(row[i])) {
      out << fmt::format("{:<{}}  {}\n", column.title, width, table_text(row[i]));
    }
  }
}

}  // namespace moesim::cli
