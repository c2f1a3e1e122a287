// Rows of a trace file under the reader's policy: bad rows, order of time, cuts, scaling.
//
// Layer: workload (internal).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "workload/line_reader.h"
#include "workload/row_parser.h"
#include "workload/trace_reader.h"

namespace moesim::workload {

class RowStream {
 public:
  /// Reads up to the first row. Throws InputError if the layout is not recognised.
  RowStream(LineReader lines, std::string_view file_name, TraceFormat format,
            const ReadOptions& options);

  /// The next good row in file order, its prefix window being [0, hash_ids().size()); empty at the
  /// end. Throws InputError under OnBadRow::Fail once all bad rows are known, or if no row is good.
  [[nodiscard]] std::optional<Request> next();
  /// Block ids of the row given last.
  [[nodiscard]] std::span<const std::uint64_t> hash_ids() const { return parser_->row().hash_ids; }
  [[nodiscard]] std::int32_t hash_block_tokens() const { return parser_->hash_block_tokens(); }
  [[nodiscard]] std::string source() const { return file_name_ + " (" + parser_->layout() + ")"; }
  [[nodiscard]] const std::vector<Diagnostic>& bad_rows() const { return bad_rows_; }
  [[nodiscard]] std::int64_t bad_row_count() const { return bad_row_count_; }
  /// Rows whose time was a pause after the session's previous answer.
  [[nodiscard]] std::int64_t delay_rows() const { return delay_rows_; }
  [[nodiscard]] std::vector<std::string> notes() const;

 private:
  enum class Verdict { Good, Bad, BeyondDuration };

  [[nodiscard]] std::string header_line();
  void open_csv(std::string_view header, TraceFormat format);
  [[noreturn]] void refuse(std::string message, std::string hint) const;
  void record_bad(std::int64_t line, const RowProblem& problem);
  [[nodiscard]] bool finished() const;
  void check_outcome() const;
  Verdict place(std::int64_t line, Request& request);
  void record_bad_time(std::int64_t line, std::string message, std::string hint);
  [[nodiscard]] std::optional<SimTime> arrival_after_pause(std::int64_t line, const ParsedRow& row);
  [[nodiscard]] std::optional<SimTime> arrival_of(std::int64_t line, const ParsedRow& row);

  LineReader lines_;
  std::string file_name_;
  ReadOptions options_;
  std::unique_ptr<RowParser> parser_;
  std::optional<Line> pending_;  ///< First row of a layout without header.
  std::vector<Diagnostic> bad_rows_;
  std::int64_t bad_row_count_ = 0;
  std::int64_t good_rows_ = 0;
  std::int64_t delay_rows_ = 0;
  std::optional<SimTime> end_;
  std::optional<TraceTime> first_;
  TraceTime latest_;
  std::unordered_map<std::int32_t, SimTime> last_of_session_;
  bool done_ = false;
};

}  // namespace moesim::workload
