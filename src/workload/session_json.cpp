#include "workload/session_json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "workload/row_parser.h"

namespace moesim::workload {
namespace {

constexpr std::int64_t kMostBlockTokens = 1 << 20;
constexpr std::size_t kMostListed = 20;

/// Reads the turns of one document.
class SessionDocument {
 public:
  SessionDocument(std::string_view file_name, const ReadOptions& options)
      : file_(file_name), options_(options) {}

  Trace read(std::string_view bytes) {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    const simdjson::padded_string text(bytes);
    if (const auto error = parser.parse(text).get(root)) {
      refuse("", fmt::format("not a JSON document: {}", simdjson::error_message(error)));
    }
    simdjson::dom::array requests;
    if (root["requests"].get(requests) != simdjson::SUCCESS) {
      refuse("requests", "missing: expected a session with a list of requests");
    }
    read_block_size(root);
    std::int64_t number = 0;
    for (const simdjson::dom::element each : requests) {
      if (options_.max_requests && number >= *options_.max_requests) break;
      if (!read_turn(each, number++)) continue;
    }
    finish();
    return std::move(trace_);
  }

 private:
  [[noreturn]] void refuse(std::string field, std::string message) const {
    throw InputError(Diagnostic{.file = file_,
                                .line = 1,
                                .column = 1,
                                .field = std::move(field),
                                .message = std::move(message),
                                .hint = "give a recorded session, or a trace of another layout"});
  }

  void read_block_size(const simdjson::dom::element& root) {
    std::int64_t tokens = 0;
    const auto given = root["block_size"];
    if (given.error() != simdjson::SUCCESS) return;
    if (given.get(tokens) != simdjson::SUCCESS || tokens < 1 || tokens > kMostBlockTokens) {
      refuse("block_size", "expected 1..1048576 tokens");
    }
    block_tokens_ = options_.hash_block_tokens > 0 ? options_.hash_block_tokens
                                                   : static_cast<std::int32_t>(tokens);
  }

  bool bad(std::int64_t number, std::string_view field, std::string message) {
    ++trace_.bad_row_count;
    if (trace_.bad_rows.size() < kMostListed) {
      trace_.bad_rows.push_back({.file = file_,
                                 .line = 1,
                                 .column = 1,
                                 .field = fmt::format("requests[{}].{}", number, field),
                                 .message = std::move(message),
                                 .hint = ""});
    }
    return false;
  }

  std::optional<std::int32_t> tokens(const simdjson::dom::element& turn, std::int64_t number,
                                     const char* key) {
    std::int64_t count = 0;
    if (turn[key].get(count) != simdjson::SUCCESS) {
      bad(number, key, "expected a whole number of tokens");
      return std::nullopt;
    }
    if (const std::string problem = token_count_problem(count); !problem.empty()) {
      bad(number, key, problem);
      return std::nullopt;
    }
    return static_cast<std::int32_t>(count);
  }

  bool read_turn(const simdjson::dom::element& turn, std::int64_t number) {
    if (!turn.is_object()) return bad(number, "", "expected an object");
    if (turn["requests"].error() == simdjson::SUCCESS) {
      return bad(number, "requests", "requests inside a request are not read");
    }
    const auto input = tokens(turn, number, "in");
    if (!input) return false;
    const auto output = tokens(turn, number, "out");
    if (!output) return false;
    double think = 0.0;
    if (turn["think_time"].error() == simdjson::SUCCESS &&
        turn["think_time"].get(think) != simdjson::SUCCESS) {
      return bad(number, "think_time", "expected a number of seconds");
    }
    if (think < 0.0) return bad(number, "think_time", "must not be negative");
    const auto time = time_from_number(think, 1.0);
    const auto pause = time ? time_between(TraceTime{}, *time) : std::nullopt;
    const SimTime limit = SimTime::from_picoseconds(INT64_MAX / 2);
    if (!pause || *pause >= limit || at_ >= limit) {
      return bad(number, "think_time", "beyond the clock of 104 days");
    }
    const std::size_t first_id = trace_.hash_ids.size();
    if (!read_ids(turn, number, *input)) {
      trace_.hash_ids.resize(first_id);
      return false;
    }
    const bool follows = !trace_.requests.empty();
    if (follows) at_ = at_ + *pause;
    trace_.requests.push_back(
        {.arrival = at_,
         .input_tokens = *input,
         .output_tokens = *output,
         .session = 0,
         .prefix = {.offset = static_cast<std::uint32_t>(first_id),
                    .count = static_cast<std::uint32_t>(trace_.hash_ids.size() - first_id)},
         .after_previous_answer = follows});
    return true;
  }

  bool read_ids(const simdjson::dom::element& turn, std::int64_t number, std::int32_t input) {
    const auto given = turn["hash_ids"];
    if (given.error() != simdjson::SUCCESS || block_tokens_ == 0) return true;
    simdjson::dom::array ids;
    if (given.get(ids) != simdjson::SUCCESS) {
      return bad(number, "hash_ids", "expected a list of block ids");
    }
    std::int64_t count = 0;
    for (const simdjson::dom::element id : ids) {
      std::uint64_t value = 0;
      if (id.get(value) != simdjson::SUCCESS) {
        return bad(number, "hash_ids", "expected a block id of 0 or more");
      }
      trace_.hash_ids.push_back(value);
      ++count;
    }
    const std::int64_t full = input / block_tokens_;
    if (count == full || count == (input + block_tokens_ - 1) / block_tokens_) return true;
    return bad(number, "hash_ids",
               fmt::format("{} input tokens are {} full blocks of {}, got {} ids", input, full,
                           block_tokens_, count));
  }

  void finish() {
    if (trace_.bad_row_count > 0 && options_.on_bad_row == OnBadRow::Fail) {
      throw InputError(trace_.bad_rows);
    }
    if (trace_.requests.empty()) refuse("requests", "empty trace: no request is left");
    if (options_.duration) {
      const SimTime end = SimTime::from(*options_.duration);
      std::erase_if(trace_.requests, [&](const Request& r) { return r.arrival >= end; });
    }
    if (!trace_.hash_ids.empty()) trace_.hash_block_tokens = block_tokens_;
    trace_.source = file_ + " (WEKA session)";
    trace_.notes.push_back(
        fmt::format("{} turns of one session, each a pause after the answer before it; users of a "
                    "closed loop do not pause",
                    trace_.requests.size()));
    if (trace_.bad_row_count > 0) {
      trace_.notes.push_back(fmt::format("{} bad requests left out", trace_.bad_row_count));
    }
  }

  std::string file_;
  ReadOptions options_;
  Trace trace_;
  std::int32_t block_tokens_ = 0;
  SimTime at_;  ///< Lower bound of the arrival of the last turn.
};

}  // namespace

Trace read_session_json(std::string_view bytes, std::string_view file_name,
                        const ReadOptions& options) {
  return SessionDocument(file_name, options).read(bytes);
}

}  // namespace moesim::workload
