// Reads request traces as they are published.
//
// Layouts: Azure LLM inference CSV 2023 and 2024 (TIMESTAMP,ContextTokens,GeneratedTokens; both
// spellings of time, 100 ns kept); Mooncake JSONL (timestamp in ms, hash_ids of 512-token blocks;
// also its session/delay form and the Bailian form in seconds); CSV with seconds, recognised by
// column names: moesim's own arrival_s,input_tokens,output_tokens[,session], vidur, splitwise-sim
// and BurstGPT (6 and 8 columns).
// Memory: a line is held at a time; a line above 1 MiB is refused, so is a token count above 1e8.
// Blank lines are passed over. docs/formats/traces.md lists every message.
// Omits: compressed files, UTF-16, line breaks inside quoted CSV fields.
// Layer: workload.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/units.h"
#include "workload/request.h"
#include "workload/request_source.h"

namespace moesim::workload {

/// PlainCsv stands for every CSV whose arrivals are numbers of seconds.
enum class TraceFormat { Auto, AzureCsv, MooncakeJsonl, PlainCsv };

/// "auto", "azure", "mooncake" or "csv", case-insensitive.
[[nodiscard]] std::optional<TraceFormat> trace_format_by_name(std::string_view name);

enum class OnBadRow {
  Fail,  ///< Throw one InputError that names the first 20 bad rows and counts the rest.
  Skip,  ///< Leave bad rows out and count them.
};

struct ReadOptions {
  OnBadRow on_bad_row = OnBadRow::Fail;
  /// Stop after this many good rows; what follows is not looked at.
  std::optional<std::int64_t> max_requests = std::nullopt;
  /// Keep arrivals before this time of the run (after rate_scale), counted from the first row.
  std::optional<Seconds> duration = std::nullopt;
  /// 2.0 = twice the load: arrival times are divided by it. Precondition: finite, > 0.
  double rate_scale = 1.0;
  /// Tokens per prefix block; 0: what the format uses (Mooncake 512, Bailian 16).
  std::int32_t hash_block_tokens = 0;
};

/// Reads a trace from memory. Throws InputError if nothing usable is left or a row is bad and
/// `on_bad_row` is Fail. `file_name` is for messages. O(bytes).
[[nodiscard]] Trace read_trace(std::string_view bytes, std::string_view file_name,
                               TraceFormat format, const ReadOptions& options);

/// The same from a file, read in pieces of 1 MiB. Throws IoError if it cannot be opened or read.
[[nodiscard]] Trace read_trace_file(const std::string& path, TraceFormat format,
                                    const ReadOptions& options);

/// Reads the file while the run goes, in bounded memory. Bad rows throw from next(). The
/// session/delay form is refused (its rows are not in order of arrival): use read_trace_file.
[[nodiscard]] std::unique_ptr<RequestSource> open_trace_file(const std::string& path,
                                                             TraceFormat format,
                                                             const ReadOptions& options);

}  // namespace moesim::workload
