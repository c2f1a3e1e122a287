#include "calibration/csv_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
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

/// A cell as it is shown in errors: long ones are cut.
std::string shown(std::string_view cell) {
  constexpr std::size_t kMost = 40;
  return cell.size() <= kMost ? std::string(cell) : std::string(cell.substr(0, kMost)) + "...";
}

[[noreturn]] void refuse(const std::string& file, int line, std::string message, std::string hint) {
  throw InputError(Diagnostic{
      .file = file, .line = line, .message = std::move(message), .hint = std::move(hint)});
}

/// Takes away what programs write around the text: a byte order mark and carriage returns.
void tidy(std::string& text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.compare(0, kMark.size(), kMark) == 0) text.erase(0, kMark.size());
  if (!text.empty() && text.back() != '\n') text += '\n';
  std::size_t kept = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && text[i + 1] == '\n') continue;
    text[kept++] = text[i];
  }
  text.resize(kept);
}

}  // namespace

CsvTable CsvTable::read(const std::string& path) { return parse(read_text(path), path); }

void CsvTable::check_characters() const {
  constexpr unsigned char kFirstPrintable = 0x20;
  int line = 1;
  for (const char c : text_) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      ++line;
    } else if (byte < kFirstPrintable) {
      refuse(name_, line, fmt::format("holds a control character (byte 0x{:02x})", byte),
             "give plain text: numbers and words with commas between");
    }
  }
}

void CsvTable::read_names(std::size_t first_end) {
  const std::string_view all = text_;
  for (std::size_t at = 0; at <= first_end;) {
    const std::size_t end = std::min(all.find(',', at), first_end);
    names_.emplace_back(all.substr(at, end - at));
    if (names_.size() > kMostColumns) {
      refuse(name_, 1, "more than 64 columns", "is this the right file?");
    }
    at = end + 1;
  }
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (names_[i].empty()) {
      refuse(name_, 1, fmt::format("column {} has no name", i + 1),
             "the first line names the columns");
    }
    if (std::count(names_.begin(), names_.end(), names_[i]) > 1) {
      refuse(name_, 1, fmt::format("has the column \"{}\" twice", shown(names_[i])), "rename one");
    }
  }
}

CsvTable CsvTable::parse(std::string text, std::string name) {
  CsvTable table;
  table.name_ = std::move(name);
  table.text_ = std::move(text);
  tidy(table.text_);
  const std::string_view all = table.text_;
  const std::size_t first_end = all.find('\n');
  if (first_end == std::string_view::npos) {
    refuse(table.name_, 1, "the table is empty", "the first line names the columns");
  }
  table.check_characters();
  table.read_names(first_end);
  const std::size_t columns = table.names_.size();
  std::size_t at = first_end + 1;
  int line = 1;
  while (at < all.size()) {
    ++line;
    const std::size_t end = all.find('\n', at);
    const std::string_view row = all.substr(at, end - at);
    const auto cells = static_cast<std::size_t>(std::count(row.begin(), row.end(), ',')) + 1;
    if (cells != columns) {
      refuse(table.name_, line,
             fmt::format("has {} cell{}, the first line names {} columns", cells,
                         cells == 1 ? "" : "s", columns),
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
  if (table.rows_ == 0) {
    refuse(table.name_, 1, "the table has no rows", "measurements follow the first line");
  }
  return table;
}

bool CsvTable::has(std::string_view column) const {
  return std::find(names_.begin(), names_.end(), column) != names_.end();
}

Column CsvTable::column(std::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) {
    std::string list;
    for (const std::string& each : names_) list += (list.empty() ? "" : ", ") + shown(each);
    throw InputError(Diagnostic{.file = name_,
                                .line = 1,
                                .field = std::string(name),
                                .message = "there is no such column",
                                .hint = "the table has " + list});
  }
  return {static_cast<std::size_t>(found - names_.begin())};
}

std::string_view CsvTable::text(std::size_t row, Column column) const {
  const std::size_t cell = row * names_.size() + column.index;
  return std::string_view(text_).substr(starts_[cell], starts_[cell + 1] - starts_[cell] - 1);
}

std::int64_t CsvTable::whole(std::size_t row, Column column, std::int64_t least,
                             std::int64_t most) const {
  const std::string_view cell = text(row, column);
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (problem != std::errc{} || end != cell.data() + cell.size() || value < least || value > most) {
    const bool too_large = problem == std::errc::result_out_of_range || value > most;
    fail(row, column, fmt::format("is \"{}\"", shown(cell)),
         too_large && !cell.starts_with('-')
             ? fmt::format("give a whole number of at most {}", most)
             : fmt::format("give a whole number of at least {}", least));
  }
  return value;
}

double CsvTable::number(std::size_t row, Column column) const {
  const std::string_view cell = text(row, column);
  double value = 0;
  const auto [end, problem] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (problem != std::errc{} || end != cell.data() + cell.size() || !std::isfinite(value) ||
      value < 0.0) {
    fail(row, column, fmt::format("is \"{}\"", shown(cell)), "give a number of at least 0");
  }
  return value;
}

double CsvTable::positive(std::size_t row, Column column) const {
  const double value = number(row, column);
  constexpr double kLeast = 1e-6;
  constexpr double kMost = 1e15;
  if (!(value > 0.0)) {
    fail(row, column, fmt::format("is \"{}\"", shown(text(row, column))), "give a number above 0");
  }
  if (value < kLeast || value > kMost) {
    fail(row, column, fmt::format("is \"{}\"", shown(text(row, column))),
         "give a measured number: 1e-6 to 1e15");
  }
  return value;
}

std::optional<double> CsvTable::positive_or_empty(std::size_t row, Column column) const {
  if (text(row, column).empty()) return std::nullopt;
  return positive(row, column);
}

void CsvTable::fail(std::size_t row, Column column, std::string message, std::string hint) const {
  if (!message.starts_with("is \"")) message += fmt::format(": \"{}\"", shown(text(row, column)));
  throw InputError(Diagnostic{.file = name_,
                              .line = line(row),
                              .field = names_[column.index],
                              .message = std::move(message),
                              .hint = std::move(hint)});
}

}  // namespace moesim::calibration
