// Rows of one shape, printed as an aligned table, CSV or JSON.
//
// Layer: cli.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <variant>
#include <vector>

namespace moesim::cli {

/// Nothing (not published), a text, a whole number, or a real one.
using Cell = std::variant<std::monostate, std::string, std::int64_t, double>;

/// `value`, or nothing if it is zero (the catalog's way to say "not published").
[[nodiscard]] Cell unless_zero(double value);

/// The same as a whole number, rounded.
[[nodiscard]] Cell count_unless_zero(double value);

struct Column {
  std::string key;    ///< In CSV and JSON, with its unit: "memory_gib".
  std::string title;  ///< In the table: "GiB"; empty: not in the table.
};

struct Table {
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;  ///< As many cells as columns.
};

/// `format` is "table", "json" (a list of objects) or "csv".
void print_table(const Table& table, const std::string& format, std::ostream& out);
/// One row as "title  value" lines, as a JSON object, or as CSV of field and value.
void print_record(const Table& table, const std::string& format, std::ostream& out);

}  // namespace moesim::cli
