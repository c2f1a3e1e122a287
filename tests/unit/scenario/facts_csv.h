// Reads the CSV tables that may lie beside the checkout; tests that need them skip without.
#pragma once

#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moesim::test {

using CsvRow = std::map<std::string, std::string>;

/// Fields of one record; quotes protect commas, two quotes are one. No line breaks in fields.
inline std::vector<std::string> csv_fields(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  return fields;
}

/// Rows of facts/`name`, by column; empty optional if the file is not there.
inline std::optional<std::vector<CsvRow>> facts(const std::string& name) {
  std::ifstream in(std::string(MOESIM_SHARED_DIR) + "/facts/" + name);
  std::string line;
  if (!in || !std::getline(in, line)) return std::nullopt;
  const std::vector<std::string> header = csv_fields(line);
  std::vector<CsvRow> rows;
  while (std::getline(in, line)) {
    const std::vector<std::string> fields = csv_fields(line);
    CsvRow row;
    for (std::size_t i = 0; i < header.size(); ++i) {
      row[header[i]] = i < fields.size() ? fields[i] : "";
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace moesim::test
