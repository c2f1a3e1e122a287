// A table of measurements: strict reading, with the place of every mistake.
//
// First line: names of the columns. A row has as many cells as there are columns. Cells are taken
// as they are: no quotes, no blanks, no control characters; lines may end in "\r\n". Errors name
// file, line and field.
// Layer: calibration.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moesim::calibration {

/// Place of a column in its table.
struct Column {
  std::size_t index = 0;
};

class CsvTable {
 public:
  /// Reads a file. Throws IoError if it cannot be read, InputError for rows that do not have as
  /// many cells as the first line, for repeated column names, and for a table without rows.
  [[nodiscard]] static CsvTable read(const std::string& path);
  /// The same from text; `name` stands in errors.
  [[nodiscard]] static CsvTable parse(std::string text, std::string name);

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool has(std::string_view column) const;
  /// Throws InputError if the table has no such column, naming those it has.
  [[nodiscard]] Column column(std::string_view name) const;

  [[nodiscard]] std::string_view text(std::size_t row, Column column) const;
  /// Most that a count in a table may be, unless a reader says otherwise: two of them multiply
  /// without overflow, and no measured shape comes near.
  static constexpr std::int64_t kMostCount = 10'000'000;
  /// A whole number of `least` to `most`. Throws InputError naming file, line and field.
  [[nodiscard]] std::int64_t whole(std::size_t row, Column column, std::int64_t least = 0,
                                   std::int64_t most = kMostCount) const;
  /// A finite number of at least 0. Throws InputError.
  [[nodiscard]] double number(std::size_t row, Column column) const;
  /// A finite number above 0, and one a measurement can be: 1e-6 to 1e15. Throws InputError.
  [[nodiscard]] double positive(std::size_t row, Column column) const;
  /// The same; nothing for an empty cell.
  [[nodiscard]] std::optional<double> positive_or_empty(std::size_t row, Column column) const;
  /// An error about one cell, which it shows, for readers with rules of their own.
  [[noreturn]] void fail(std::size_t row, Column column, std::string message,
                         std::string hint = {}) const;
  /// Line of the file a row stands in.
  [[nodiscard]] int line(std::size_t row) const { return static_cast<int>(row) + 2; }

 private:
  void check_characters() const;
  void read_names(std::size_t first_end);

  std::string name_;
  std::string text_;
  std::vector<std::string> names_;
  std::vector<std::uint32_t> starts_;  ///< [row * columns + column] offset in text_; one past it.
  std::size_t rows_ = 0;
};

}  // namespace moesim::calibration
