// One row of a trace, whatever its layout.
//
// Layer: workload (internal).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "workload/trace_time.h"

namespace moesim::workload {

inline constexpr std::int64_t kMaxTokens = 100'000'000;

/// A row as read, before times are made relative.
struct ParsedRow {
  TraceTime time = {};           ///< Of arrival, or the pause if `is_delay`.
  bool is_delay = false;         ///< `time` counts from the previous row of the session.
  std::int64_t time_column = 1;  ///< For messages about time.
  std::int32_t input_tokens = 1;
  std::int32_t output_tokens = 1;
  std::int32_t session = -1;
  std::vector<std::uint64_t> hash_ids = {};
};

/// Why a row is no request.
struct RowProblem {
  std::int64_t column = 1;
  std::string field = {};
  std::string message = {};
  std::string hint = {};
};

/// Strategy: one per layout.
class RowParser {
 public:
  virtual ~RowParser() = default;
  /// True: row() holds the request. False: problem() says why not.
  [[nodiscard]] virtual bool parse(std::string_view line) = 0;
  [[nodiscard]] virtual std::string layout() const = 0;  ///< E.g. "Azure CSV".
  [[nodiscard]] virtual std::string time_field() const = 0;
  [[nodiscard]] virtual std::int32_t hash_block_tokens() const { return 0; }

  [[nodiscard]] const ParsedRow& row() const { return row_; }
  [[nodiscard]] const RowProblem& problem() const { return problem_; }

 protected:
  bool fail(std::int64_t column, std::string_view field, std::string message,
            std::string hint = {});

  ParsedRow row_;
  RowProblem problem_;
};

/// Numbers sessions by first appearance.
class SessionNumbers {
 public:
  [[nodiscard]] std::int32_t of(std::string_view key);

 private:
  std::unordered_map<std::string, std::int32_t> numbers_;
};

/// Text for a message: at most 40 bytes, others than printable ASCII as \xNN.
[[nodiscard]] std::string printable(std::string_view text);
/// The same in double quotes.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// Why `count` is no number of tokens of a request; empty if it is one.
[[nodiscard]] std::string token_count_problem(std::int64_t count);

enum class CsvTime { Calendar, Seconds };

/// Which column holds what.
struct CsvLayout {
  std::string name = {};
  CsvTime time_kind = CsvTime::Seconds;
  std::size_t time = 0;
  std::size_t input = 0;
  std::size_t output = 0;
  std::optional<std::size_t> session = std::nullopt;
  std::size_t columns = 0;
  std::vector<std::string> names = {};
};

/// Recognises the layout by the names in the header line, in any order and case.
[[nodiscard]] std::optional<CsvLayout> csv_layout_of(std::string_view header);

[[nodiscard]] std::unique_ptr<RowParser> make_csv_parser(CsvLayout layout);

/// `hash_block_tokens` 0: the block size of the format.
[[nodiscard]] std::unique_ptr<RowParser> make_jsonl_parser(std::int32_t hash_block_tokens);

}  // namespace moesim::workload
