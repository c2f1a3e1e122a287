#include "calibration/csv_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <utility>

#include "core/diagnostics.h"
#include "core/regular_file.h"

namespace moesim::calibration {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 30U;
constexpr std::size_t kMostColumns = 64;

std::string read_text(const std::string& path) {
  check_regular_file(path);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (!file) throw IoError("cannot open " + path);
  std::string text;
  constexpr std::size_t kChunk = std::size_t{1} << 20U;
  while (true) {
    const std::size_t old = text.size();
    text.resize(old + kChunk);
    const std::size_t got = std::fread(text.data() + old, 1, kChunk, file.get());
    text.resize(old + got);
    if (got < kChunk) break;
    if (text.size() > kMaxBytes) throw IoError(path + " is longer than 1 GiB");
  }
  if (std::ferror(file.get()) != 0) throw IoError("cannot read " + path);
  return text;
}

}  // namespace

CsvTable CsvTable::read(const std::string& path) { return parse(read_text(path), path); }

CsvTable CsvTable::parse(std::string text, std::string name) {
  CsvTable table;
  table.name_ = std::move(name);
  table.text_ = std::move(text);
  // Carriage returns count as part of the line break.
  table.text_.erase(std::remove(table.text_.begin(), table.text_.end(), '\r'), table.text_.end());
  if (!table.text_.empty() && table.text_.back() != '\n') table.text_ += '\n';
  const auto fail = [&](int line, std::string message, std::string hint) {
    throw InputError(Diagnostic{
        .file = table.name_, .line = line, .message = std::move(message), .hint = std::move(hint)});
  };
  const std::string_view all = table.text_;
  const std::size_t first_end = all.find('\n');
  if (first_end == std::string_view::npos) {
    fail(1, "the table is empty", "the first line names the columns");
  }
  for (std::size_t at = 0; at <= first_end;) {
    const std::size_t end = std::min(all.find(',', at), first_end);
    table.names_.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  const std::size_t columns = table.names_.size();
  if (columns > kMostColumns) fail(1, "more than 64 columns", "is this the right file?");
  for (std::size_t i = 0; i < columns; ++i) {
    if (std::count(table.names_.begin(), table.names_.end(), table.names_[i]) > 1) {
      fail(1, fmt::format("has the column \"{}\" twice", table.names_[i]), "rename one");
    }
  }
  std::size_t at = first_end + 1;
  int line = 1;
  while (at < all.size()) {
    ++line;
    const std::size_t end = all.find('\n', at);
    const std::string_view row = all.substr(at, end - at);
    const auto commas = static_cast<std::size_t>(std::count(row.begin(), row.end(), ','));
    if (commas + 1 != columns) {
      fail(line, fmt::format("has {} cells, the first line names {} columns", commas + 1, columns),
           "give every row one cell per column");
    }
    table.starts_.push_back(static_cast<std::uint32_t>(at));
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (row[i] == ',') table.starts_.push_back(static_cast<std::uint32_t>(at + i + 1));
    }
    ++table.rows_;
    at = end + 1;
  }
  table.starts_.push_back(static_cast<std::uint32_t>(at));
  if (table.rows_ == 0) fail(1, "the table has no rows", "measurements follow the first line");
  return table;
}

bool CsvTable::has(std::string_view column) const {
  return std::find(names_.begin(), names_.end(), column) != names_.end();
}

Column CsvTable::column(std::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) {
    throw InputError(Diagnostic{.file = name_,
                                .line = 1,
                                .field = std::string(name),
                                .message = "there is no such column",
                                .hint = fmt::format("the table has {}", fmt::join(names_, ", "))});
  }
  return {static_cast<std::size_t>(found - names_.begin())};
}

std::string_view CsvTable::text(std::size_t row, Column column) const {
  const std::size_t cell = row * names_.size() + column.index;
  return std::string_view(text_).substr(starts_[cell], starts_[cell + 1] - starts_[cell] - 1);
}

std::int64_t CsvTable::whole(std::size_t row, Column column, std::int64_t least) const {
  const std::string_view cell = text(row, column);
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (problem != std::errc{} || end != cell.data() + cell.size() || value < least) {
    fail(row, column, fmt::format("is \"{}\"", cell),
         fmt::format("give a whole number of at least {}", least));
  }
  return value;
}

double CsvTable::number(std::size_t row, Column column) const {
  const std::string_view cell = text(row, column);
  double value = 0;
  const auto [end, problem] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (problem != std::errc{} || end != cell.data() + cell.size() || !std::isfinite(value) ||
      value < 0.0) {
    fail(row, column, fmt::format("is \"{}\"", cell), "give a number of at least 0");
  }
  return value;
}

double CsvTable::positive(std::size_t row, Column column) const {
  const double value = number(row, column);
  if (!(value > 0.0)) {
    fail(row, column, fmt::format("is \"{}\"", text(row, column)), "give a number above 0");
  }
  return value;
}

std::optional<double> CsvTable::positive_or_empty(std::size_t row, Column column) const {
  if (text(row, column).empty()) return std::nullopt;
  return positive(row, column);
}

void CsvTable::fail(std::size_t row, Column column, std::string message, std::string hint) const {
  throw InputError(Diagnostic{.file = name_,
                              .line = line(row),
                              .field = std::string(names_[column.index]),
                              .message = std::move(message),
                              .hint = std::move(hint)});
}

}  // namespace moesim::calibration
