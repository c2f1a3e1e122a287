#include "workload/trace_reader.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "workload/row_stream.h"
#include "workload/session_json.h"

namespace moesim::workload {
namespace {

Trace collect(RowStream rows, std::string_view file_name) {
  constexpr std::size_t kMaxPool = UINT32_MAX;
  Trace trace;
  while (std::optional<Request> request = rows.next()) {
    const std::span<const std::uint64_t> ids = rows.hash_ids();
    if (trace.hash_ids.size() + ids.size() > kMaxPool) {
      throw InputError(Diagnostic{.file = std::string(file_name),
                                  .line = 0,
                                  .column = 0,
                                  .field = "hash_ids",
                                  .message = "more than 4294967295 block ids in one trace",
                                  .hint = "cut it with max_requests or duration"});
    }
    request->prefix.offset = static_cast<std::uint32_t>(trace.hash_ids.size());
    trace.hash_ids.insert(trace.hash_ids.end(), ids.begin(), ids.end());
    trace.requests.push_back(*request);
  }
  if (rows.delay_rows() > 0) {
    std::stable_sort(trace.requests.begin(), trace.requests.end(),
                     [](const Request& a, const Request& b) { return a.arrival < b.arrival; });
  }
  trace.hash_block_tokens = rows.hash_block_tokens();
  trace.source = rows.source();
  trace.notes = rows.notes();
  trace.bad_rows = rows.bad_rows();
  trace.bad_row_count = rows.bad_row_count();
  return trace;
}

/// A document with one session, by its extension.
bool is_session_json(std::string_view file_name, TraceFormat format) {
  return format == TraceFormat::Auto && to_lower(file_name).ends_with(".json");
}

/// The whole file. Throws IoError.
std::string bytes_of(const std::string& path) {
  LineReader lines = LineReader::open(path);
  std::string bytes;
  while (const std::optional<Line> line = lines.next()) {
    if (line->oversized) {
      throw InputError(Diagnostic{.file = path,
                                  .line = static_cast<int>(line->number),
                                  .column = 1,
                                  .field = "",
                                  .message = "a line of the session is above 1048576 bytes",
                                  .hint = "break the document into lines"});
    }
    bytes.append(line->text).push_back('\n');
  }
  return bytes;
}

class FileSource final : public RequestSource {
 public:
  FileSource(RowStream rows, std::string path) : rows_(std::move(rows)), path_(std::move(path)) {}

  std::optional<Request> next() override {
    const std::optional<Request> request = rows_.next();
    if (request && request->after_previous_answer) {
      throw InputError(Diagnostic{.file = path_,
                                  .line = 0,
                                  .column = 0,
                                  .field = "delay",
                                  .message = "rows with a delay are not in order of arrival",
                                  .hint = "read the whole trace before the run"});
    }
    return request;
  }
  std::span<const std::uint64_t> hash_ids() const override { return rows_.hash_ids(); }
  std::int32_t hash_block_tokens() const override { return rows_.hash_block_tokens(); }
  std::vector<std::string> notes() const override { return rows_.notes(); }

 private:
  RowStream rows_;
  std::string path_;
};

}  // namespace

std::optional<TraceFormat> trace_format_by_name(std::string_view name) {
  const std::string lower = to_lower(name);
  if (lower == "auto") return TraceFormat::Auto;
  if (lower == "azure") return TraceFormat::AzureCsv;
  if (lower == "mooncake") return TraceFormat::MooncakeJsonl;
  if (lower == "csv") return TraceFormat::PlainCsv;
  return std::nullopt;
}

Trace read_trace(std::string_view bytes, std::string_view file_name, TraceFormat format,
                 const ReadOptions& options) {
  if (is_session_json(file_name, format)) return read_session_json(bytes, file_name, options);
  return collect(RowStream(LineReader(bytes), file_name, format, options), file_name);
}

Trace read_trace_file(const std::string& path, TraceFormat format, const ReadOptions& options) {
  if (is_session_json(path, format)) return read_session_json(bytes_of(path), path, options);
  return collect(RowStream(LineReader::open(path), path, format, options), path);
}

std::unique_ptr<RequestSource> open_trace_file(const std::string& path, TraceFormat format,
                                               const ReadOptions& options) {
  return std::make_unique<FileSource>(RowStream(LineReader::open(path), path, format, options),
                                      path);
}

}  // namespace moesim::workload
