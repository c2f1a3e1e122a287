#include "workload/row_stream.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "core/check.h"

namespace moesim::workload {
namespace {

constexpr std::size_t kListedBadRows = 20;
constexpr std::string_view kKnownHeaders =
    "known headers: TIMESTAMP,ContextTokens,GeneratedTokens (Azure); "
    "arrival_s,input_tokens,output_tokens; arrived_at,num_prefill_tokens,num_decode_tokens; "
    "arrival_timestamp,prompt_size,token_size; Timestamp,Request tokens,Response tokens";

/// What a file is that certainly is no trace; empty if it may be one.
std::string foreign_kind(std::string_view start) {
  if (start.starts_with("\xFF\xFE") || start.starts_with("\xFE\xFF")) return "UTF-16 text";
  if (start.starts_with("\x1F\x8B")) return "a gzip file";
  if (start.starts_with("\x28\xB5\x2F\xFD")) return "a zstd file";
  if (start.starts_with("PK\x03\x04")) return "a zip file";
  if (start.starts_with("PAR1")) return "a Parquet file";
  if (start.find('\0') != std::string_view::npos) return "not text (it has NUL bytes)";
  return {};
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t") == std::string_view::npos;
}

std::string bad_rows_text(std::int64_t count) {
  return fmt::format("{} bad row{}", count, count == 1 ? "" : "s");
}

SimTime scaled(SimTime time, double rate_scale) {
  if (rate_scale == 1.0) return time;
  return SimTime::from_picoseconds(
      static_cast<std::int64_t>(static_cast<double>(time.picoseconds()) / rate_scale + 0.5));
}

}  // namespace

RowStream::RowStream(LineReader lines, std::string_view file_name, TraceFormat format,
                     const ReadOptions& options)
    : lines_(std::move(lines)), file_name_(file_name), options_(options) {
  MOESIM_CHECK(std::isfinite(options.rate_scale) && options.rate_scale > 0.0,
               "rate_scale must be finite and above 0");
  if (options.duration) end_ = SimTime::from(*options.duration);
  const std::string start = header_line();
  const std::size_t first_char = start.find_first_not_of(" \t");
  const bool json = first_char != std::string::npos && start[first_char] == '{';
  if (format == TraceFormat::MooncakeJsonl || (format == TraceFormat::Auto && json)) {
    parser_ = make_jsonl_parser(options.hash_block_tokens);
  } else {
    open_csv(start, format);
  }
}

void RowStream::refuse(std::string message, std::string hint) const {
  throw InputError(Diagnostic{.file = file_name_,
                              .line = 1,
                              .column = 1,
                              .field = "",
                              .message = std::move(message),
                              .hint = std::move(hint)});
}

/// The first line that is not blank; it stays pending in case it is a row already.
std::string RowStream::header_line() {
  do {
    pending_ = lines_.next();
  } while (pending_ && !pending_->oversized && is_blank(pending_->text));
  if (!pending_) {
    refuse(lines_.empty_text() ? "empty trace: the file has no bytes"
                               : "empty trace: the file has blank lines only",
           "give a trace with at least one request");
  }
  if (pending_->oversized) {
    refuse(fmt::format("the first line is above {} bytes", kMaxLineBytes),
           "a trace has one request per line");
  }
  const std::string kind = foreign_kind(pending_->text);
  if (!kind.empty()) refuse("not a trace: this is " + kind, "give uncompressed UTF-8 text");
  return std::string(pending_->text);
}

void RowStream::open_csv(std::string_view header, TraceFormat format) {
  std::optional<CsvLayout> layout = csv_layout_of(header);
  if (!layout) {
    refuse("no known trace header, got " + in_quotes(header), std::string(kKnownHeaders));
  }
  const bool calendar = layout->time_kind == CsvTime::Calendar;
  if ((format == TraceFormat::AzureCsv && !calendar) ||
      (format == TraceFormat::PlainCsv && calendar)) {
    refuse(fmt::format("expected {}, got the header of {}",
                       format == TraceFormat::AzureCsv ? "Azure CSV" : "a CSV with seconds",
                       layout->name),
           "choose the format of the file, or auto");
  }
  parser_ = make_csv_parser(*std::move(layout));
  pending_.reset();
}

void RowStream::record_bad(std::int64_t line, const RowProblem& problem) {
  ++bad_row_count_;
  if (bad_rows_.size() >= kListedBadRows) return;
  bad_rows_.push_back({.file = file_name_,
                       .line = static_cast<int>(line),
                       .column = static_cast<int>(problem.column),
                       .field = problem.field,
                       .message = problem.message,
                       .hint = problem.hint});
}

/// Notes why a row has no arrival.
void RowStream::record_bad_time(std::int64_t line, std::string message, std::string hint) {
  record_bad(line, {.column = parser_->row().time_column,
                    .field = parser_->time_field(),
                    .message = std::move(message),
                    .hint = std::move(hint)});
}

/// Arrival of a row that names a pause; empty, and noted, if it has none.
std::optional<SimTime> RowStream::arrival_after_pause(std::int64_t line, const ParsedRow& row) {
  const auto previous = last_of_session_.find(row.session);
  if (previous == last_of_session_.end()) {
    record_bad_time(line, "a delay needs an earlier row of its session", "");
    return std::nullopt;
  }
  const std::optional<SimTime> pause = time_between(TraceTime{}, row.time);
  const SimTime limit = SimTime::from_picoseconds(INT64_MAX / 2);
  if (pause && *pause < limit && previous->second < limit) return previous->second + *pause;
  record_bad_time(line, "beyond the clock of 104 days", "");
  return std::nullopt;
}

/// Arrival relative to the first row, scaled; empty, and noted, if the row has none.
std::optional<SimTime> RowStream::arrival_of(std::int64_t line, const ParsedRow& row) {
  if (row.is_delay) return arrival_after_pause(line, row);
  if (!first_) {
    first_ = row.time;
    latest_ = row.time;
  }
  if (row.time < latest_) {
    const std::optional<SimTime> back = time_between(row.time, latest_);
    record_bad_time(line,
                    back ? fmt::format("time goes back by {:.6g} s", back->milliseconds() * 1e-3)
                         : "time goes back by more than 104 days",
                    "rows must be in order of arrival");
    return std::nullopt;
  }
  const std::optional<SimTime> since = time_between(*first_, row.time);
  if (!since || static_cast<double>(since->picoseconds()) / options_.rate_scale > 9.0e18) {
    record_bad_time(line, "beyond the clock: more than 104 days after the first row", "");
    return std::nullopt;
  }
  latest_ = row.time;
  return scaled(*since, options_.rate_scale);
}

RowStream::Verdict RowStream::place(std::int64_t line, Request& request) {
  const ParsedRow& row = parser_->row();
  const std::optional<SimTime> arrival = arrival_of(line, row);
  if (!arrival) return Verdict::Bad;
  if (row.session >= 0) last_of_session_[row.session] = *arrival;
  if (end_ && *arrival >= *end_) return Verdict::BeyondDuration;
  request = {.arrival = *arrival,
             .input_tokens = row.input_tokens,
             .output_tokens = row.output_tokens,
             .session = row.session,
             .prefix = {.offset = 0, .count = static_cast<std::uint32_t>(row.hash_ids.size())},
             .after_previous_answer = row.is_delay};
  return Verdict::Good;
}

/// With all rows read: throws what the policy demands.
void RowStream::check_outcome() const {
  if (bad_row_count_ > 0 && options_.on_bad_row == OnBadRow::Fail) {
    std::vector<Diagnostic> all = bad_rows_;
    const auto unlisted = bad_row_count_ - static_cast<std::int64_t>(bad_rows_.size());
    std::string count = bad_rows_text(bad_row_count_);
    if (unlisted > 0) count += fmt::format(", {} of them not listed", unlisted);
    all.push_back({.file = file_name_,
                   .line = 0,
                   .column = 0,
                   .field = "",
                   .message = std::move(count),
                   .hint = bad_row_count_ == 1 ? "correct it, or let on_bad_row skip it"
                                               : "correct them, or let on_bad_row skip them"});
    throw InputError(std::move(all));
  }
  if (good_rows_ == 0) {
    refuse(bad_row_count_ == 0 ? "empty trace: no row is left"
                               : fmt::format("empty trace: all {} rows are bad", bad_row_count_),
           "give a trace with at least one request");
  }
}

bool RowStream::finished() const {
  const bool failing = bad_row_count_ > 0 && options_.on_bad_row == OnBadRow::Fail;
  return !failing && options_.max_requests && good_rows_ >= *options_.max_requests;
}

std::optional<Request> RowStream::next() {
  while (!done_ && !finished()) {
    const std::optional<Line> line = pending_ ? std::exchange(pending_, {}) : lines_.next();
    if (!line) break;
    if (line->oversized) {
      record_bad(line->number, {.column = 1,
                                .field = "",
                                .message = fmt::format("the line is above {} bytes", kMaxLineBytes),
                                .hint = ""});
      continue;
    }
    if (is_blank(line->text)) continue;
    if (!parser_->parse(line->text)) {
      record_bad(line->number, parser_->problem());
      continue;
    }
    Request request;
    const Verdict verdict = place(line->number, request);
    if (verdict == Verdict::Good) {
      ++good_rows_;
      if (request.after_previous_answer) ++delay_rows_;
      if (bad_row_count_ == 0 || options_.on_bad_row == OnBadRow::Skip) return request;
    }
    // Rows of a session may lie behind: only a trace without them ends here.
    if (verdict == Verdict::BeyondDuration && last_of_session_.empty()) break;
  }
  done_ = true;
  check_outcome();
  return std::nullopt;
}

std::vector<std::string> RowStream::notes() const {
  std::vector<std::string> notes;
  if (bad_row_count_ > 0) notes.push_back(bad_rows_text(bad_row_count_) + " left out");
  if (delay_rows_ > 0) {
    notes.push_back(
        fmt::format("{} requests arrive a pause after the answer before them in their session; "
                    "users of a closed loop do not pause",
                    delay_rows_));
  }
  return notes;
}

}  // namespace moesim::workload
