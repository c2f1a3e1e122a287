// Rows of the CSV layouts.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

#include "core/text.h"
#include "workload/row_parser.h"

namespace moesim::workload {
namespace {

constexpr std::size_t kMaxColumns = 32;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Fields of a line; those beyond kMaxColumns are counted only.
struct CsvFields {
  std::array<std::string_view, kMaxColumns> field;
  std::size_t count = 0;
  bool open_quote = false;

  void add(std::string_view text) {
    if (count < kMaxColumns) field[count] = text;
    ++count;
  }
};

/// Commas inside double quotes do not split; doubled quotes stay as they are.
void split_csv(std::string_view line, CsvFields& fields) {
  fields.count = 0;
  fields.open_quote = false;
  for (;;) {
    if (line.starts_with('"')) {
      std::size_t end = line.find('"', 1);
      while (end != std::string_view::npos && end + 1 < line.size() && line[end + 1] == '"') {
        end = line.find('"', end + 2);
      }
      if (end == std::string_view::npos) {
        fields.open_quote = true;
        fields.add(line);
        return;
      }
      fields.add(line.substr(1, end - 1));
      const std::size_t comma = line.find(',', end);
      if (comma == std::string_view::npos) return;
      line.remove_prefix(comma + 1);
      continue;
    }
    const std::size_t comma = line.find(',');
    fields.add(trimmed(line.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    line.remove_prefix(comma + 1);
  }
}

struct KnownLayout {
  std::string_view name;
  CsvTime time_kind;
  std::string_view time;
  std::string_view input;
  std::string_view output;
  std::string_view session;
};

constexpr std::array kKnownLayouts{
    KnownLayout{"Azure CSV", CsvTime::Calendar, "TIMESTAMP", "ContextTokens", "GeneratedTokens",
                ""},
    KnownLayout{"moesim CSV", CsvTime::Seconds, "arrival_s", "input_tokens", "output_tokens",
                "session"},
    KnownLayout{"BurstGPT CSV", CsvTime::Seconds, "Timestamp", "Request tokens", "Response tokens",
                "Session ID"},
    KnownLayout{"vidur CSV", CsvTime::Seconds, "arrived_at", "num_prefill_tokens",
                "num_decode_tokens", ""},
    KnownLayout{"splitwise-sim CSV", CsvTime::Seconds, "arrival_timestamp", "prompt_size",
                "token_size", ""},
};

std::optional<std::size_t> column_of(const std::vector<std::string>& names, std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (equal_ignoring_case(names[i], name)) return i;
  }
  return std::nullopt;
}

class CsvParser final : public RowParser {
 public:
  explicit CsvParser(CsvLayout layout) : layout_(std::move(layout)) {}

  bool parse(std::string_view line) override {
    split_csv(line, fields_);
    const CsvFields& fields = fields_;
    if (fields.open_quote) return fail(1, "", "a quoted field does not end on its line");
    if (fields.count != layout_.columns) {
      return fail(1, "", fmt::format("expected {} fields, got {}", layout_.columns, fields.count));
    }
    if (!read_time(line, fields.field[layout_.time])) return false;
    const std::optional<std::int32_t> input = read_tokens(line, fields, layout_.input);
    if (!input) return false;
    const std::optional<std::int32_t> output = read_tokens(line, fields, layout_.output);
    if (!output) return false;
    row_.input_tokens = *input;
    row_.output_tokens = *output;
    if (layout_.session) {
      const std::string_view key = fields.field[*layout_.session];
      row_.session = key.empty() ? -1 : sessions_.of(key);
    }
    return true;
  }

  std::string layout() const override { return layout_.name; }
  std::string time_field() const override { return layout_.names[layout_.time]; }

 private:
  /// Column, from 1, where a field of the line starts.
  static std::int64_t column_at(std::string_view line, std::string_view field) {
    return 1 + (field.data() - line.data());
  }

  bool read_time(std::string_view line, std::string_view text) {
    row_.time_column = column_at(line, text);
    const std::string& name = layout_.names[layout_.time];
    if (text.empty()) return fail(row_.time_column, name, "missing");
    if (layout_.time_kind == CsvTime::Calendar) {
      const std::optional<TraceTime> time = parse_calendar_time(text);
      if (!time) {
        return fail(
            row_.time_column, name,
            "expected a time YYYY-MM-DD HH:MM:SS[.fraction][+HH:MM], got " + in_quotes(text));
      }
      row_.time = *time;
      return true;
    }
    const std::optional<TraceTime> time = parse_decimal_time(text);
    if (!time) {
      return fail(row_.time_column, name, "expected a number of seconds, got " + in_quotes(text));
    }
    if (time->seconds < 0) {
      return fail(row_.time_column, name, "must not be negative, got " + in_quotes(text));
    }
    row_.time = *time;
    return true;
  }

  std::optional<std::int32_t> read_tokens(std::string_view line, const CsvFields& fields,
                                          std::size_t at) {
    const std::string_view text = fields.field[at];
    std::int64_t count = 0;
    const char* const end = text.data() + text.size();
    const auto [after, error] = std::from_chars(text.data(), end, count);
    std::string problem;
    if (text.empty()) {
      problem = "missing";
    } else if (error == std::errc::result_out_of_range) {
      problem = fmt::format("must be at most {} tokens, got {}", kMaxTokens, in_quotes(text));
    } else if (error != std::errc{} || !only_zeros_follow(after, end)) {
      problem = "expected a whole number of tokens, got " + in_quotes(text);
    } else if (count < 1 || count > kMaxTokens) {
      problem = token_count_problem(count);
    }
    if (problem.empty()) return static_cast<std::int32_t>(count);
    fail(column_at(line, text), layout_.names[at], std::move(problem));
    return std::nullopt;
  }

  /// True for "" and ".0", as spreadsheets write whole numbers.
  static bool only_zeros_follow(const char* at, const char* end) {
    if (at == end) return true;
    if (*at != '.' || at + 1 == end) return false;
    for (++at; at != end; ++at) {
      if (*at != '0') return false;
    }
    return true;
  }

  CsvLayout layout_;
  CsvFields fields_;  ///< Of the line at hand; kept so that no row clears the whole array.
  SessionNumbers sessions_;
};

}  // namespace

std::optional<CsvLayout> csv_layout_of(std::string_view header) {
  CsvFields fields;
  split_csv(header, fields);
  if (fields.open_quote || fields.count > kMaxColumns) return std::nullopt;
  CsvLayout layout;
  layout.columns = fields.count;
  for (std::size_t i = 0; i < fields.count; ++i) layout.names.emplace_back(fields.field[i]);
  for (const KnownLayout& known : kKnownLayouts) {
    const auto time = column_of(layout.names, known.time);
    const auto input = column_of(layout.names, known.input);
    const auto output = column_of(layout.names, known.output);
    if (!time || !input || !output) continue;
    layout.name = known.name;
    layout.time_kind = known.time_kind;
    layout.time = *time;
    layout.input = *input;
    layout.output = *output;
    if (!known.session.empty()) layout.session = column_of(layout.names, known.session);
    return layout;
  }
  return std::nullopt;
}

std::unique_ptr<RowParser> make_csv_parser(CsvLayout layout) {
  return std::make_unique<CsvParser>(std::move(layout));
}

}  // namespace moesim::workload
