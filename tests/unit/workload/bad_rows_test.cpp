// Every way a trace can be wrong, with the message the user sees.
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "workload/trace_reader.h"

namespace moesim::workload {
namespace {

using namespace moesim::literals;

/// Text of the InputError, or of the skipped rows' diagnostics.
std::string refusal(std::string_view text, const ReadOptions& options = {},
                    TraceFormat format = TraceFormat::Auto) {
  try {
    (void)read_trace(text, "bad.csv", format, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

/// Message of the only bad row of a trace.
std::string bad_row(const std::string& text) {
  const Trace trace =
      read_trace(text, "bad.csv", TraceFormat::Auto, {.on_bad_row = OnBadRow::Skip});
  REQUIRE(trace.bad_rows.size() == 1);
  return to_string(trace.bad_rows[0]);
}

const std::string kAzure =
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2025-03-01 10:00:05.0000000,400,50\n";
const std::string kPlain = "arrival_s,input_tokens,output_tokens\n0,1,1\n";
const std::string kMooncake = "{\"timestamp\": 10, \"input_length\": 1, \"output_length\": 1}\n";

TEST_CASE("bad rows: all are named at once, then counted", "[workload]") {
  CHECK(refusal(kAzure + "2025-03-01 10:00:01.0000000,410,51\n"
                         "2025-03-01 10:00:07.0000000,-3,5\n"
                         "2025-03-01 10:00:08.0000000,12,\n"
                         "not-a-time,12,3\n"
                         "2025-03-01 10:00:09.0000000,0,5\n"
                         "2025-03-01 10:00:09.0000000,77,0\n") ==
        "bad.csv:3:1: error: TIMESTAMP: time goes back by 4 s; rows must be in order of arrival\n"
        "bad.csv:4:29: error: ContextTokens: must be at least 1 token, got -3\n"
        "bad.csv:5:32: error: GeneratedTokens: missing\n"
        "bad.csv:6:1: error: TIMESTAMP: expected a time YYYY-MM-DD HH:MM:SS[.fraction][+HH:MM], "
        "got \"not-a-time\"\n"
        "bad.csv:7:29: error: ContextTokens: must be at least 1 token, got 0\n"
        "bad.csv:8:32: error: GeneratedTokens: must be at least 1 token, got 0\n"
        "bad.csv: error: 6 bad rows; correct them, or let on_bad_row skip "
        "them");
}

TEST_CASE("bad rows: skipping leaves them out, counts and notes them", "[workload]") {
  const Trace trace = read_trace(kPlain + "x,1,1\n2,5,1\n1,6,1\n3,7,1\n", "bad.csv",
                                 TraceFormat::Auto, {.on_bad_row = OnBadRow::Skip});
  REQUIRE(trace.requests.size() == 3);
  CHECK(trace.requests[1].input_tokens == 5);
  CHECK(trace.requests[2].input_tokens == 7);
  CHECK(trace.bad_row_count == 2);
  CHECK(trace.notes == std::vector<std::string>{"2 bad rows left out"});
}

TEST_CASE("bad rows: one is counted in the singular", "[workload]") {
  CHECK_THAT(refusal(kPlain + "0,1,1\n1,x,1\n"),
             test::contains_text("error: 1 bad row; correct it, or let on_bad_row skip it"));
}

TEST_CASE("bad rows: the list is bounded, the count is not", "[workload]") {
  std::string text = kPlain;
  for (int i = 0; i < 57; ++i) text += "x,1,1\n";
  const Trace trace =
      read_trace(text, "bad.csv", TraceFormat::Auto, {.on_bad_row = OnBadRow::Skip});
  CHECK(trace.bad_rows.size() == 20);
  CHECK(trace.bad_row_count == 57);
  CHECK_THAT(refusal(text), test::contains_text("57 bad rows, 37 of them not listed"));
}

TEST_CASE("bad rows: messages of CSV", "[workload]") {
  struct Case {
    std::string row;
    std::string message;
  };
  const auto bad = GENERATE(values<Case>({
      {"1,2", "bad.csv:3:1: error: expected 3 fields, got 2"},
      {"1,2,3,4", "bad.csv:3:1: error: expected 3 fields, got 4"},
      {",2,3", "bad.csv:3:1: error: arrival_s: missing"},
      {"-1,2,3", "bad.csv:3:1: error: arrival_s: must not be negative, got \"-1\""},
      {"nan,2,3", "bad.csv:3:1: error: arrival_s: expected a number of seconds, got \"nan\""},
      {"1e9,2,3",
       "bad.csv:3:1: error: arrival_s: beyond the clock: more than 104 days after the first row"},
      {"1,2.5,3",
       "bad.csv:3:3: error: input_tokens: expected a whole number of tokens, got \"2.5\""},
      {"1,2,1000000000",
       "bad.csv:3:5: error: output_tokens: must be at most 100000000 tokens, got 1000000000"},
      {"1,99999999999999999999,3",
       "bad.csv:3:3: error: input_tokens: must be at most 100000000 tokens, got "
       "\"99999999999999999999\""},
      {std::string("1,2\0,3", 6),
       "bad.csv:3:3: error: input_tokens: expected a whole number of "
       "tokens, got \"2\\x00\""},
      {"1,\xC3\xA9,3",
       "bad.csv:3:3: error: input_tokens: expected a whole number of tokens, got "
       "\"\\xc3\\xa9\""},
      {"1,\"2,3", "bad.csv:3:1: error: a quoted field does not end on its line"},
  }));
  CHECK(bad_row(kPlain + bad.row + "\n") == bad.message);
}

TEST_CASE("bad rows: messages of JSON lines", "[workload]") {
  struct Case {
    std::string row;
    std::string message;
  };
  const auto bad = GENERATE(values<Case>({
      {"[1]", "bad.csv:2:1: error: expected a JSON object, got [1]"},
      {R"({"input_length": 1, "output_length": 1})", "bad.csv:2:1: error: timestamp: missing"},
      {R"({"timestamp": "12", "input_length": 1, "output_length": 1})",
       R"(bad.csv:2:2: error: timestamp: expected a number of milliseconds, got "12")"},
      {R"({"timestamp": 9, "input_length": 1, "output_length": 1})",
       "bad.csv:2:2: error: timestamp: time goes back by 0.001 s; rows must be in order of "
       "arrival"},
      {R"({"timestamp": -1, "input_length": 1, "output_length": 1})",
       "bad.csv:2:2: error: timestamp: must not be negative, got -1"},
      {R"({"timestamp": 11, "output_length": 1})", "bad.csv:2:1: error: input_length: missing"},
      {R"({"timestamp": 11, "input_length": 1, "output_length": 0})",
       "bad.csv:2:38: error: output_length: must be at least 1 token, got 0"},
      {R"({"timestamp": 11, "input_length": 1.5, "output_length": 1})",
       "bad.csv:2:19: error: input_length: expected a whole number of tokens, got 1.5"},
      {R"({"timestamp": 11, "input_length": 600, "output_length": 1, "hash_ids": [1, 2, 3]})",
       "bad.csv:2:60: error: hash_ids: 600 input tokens are 2 blocks of 512, got 3 ids; is the "
       "block size of this trace another one?"},
      {R"({"timestamp": 11, "input_length": 1, "output_length": 1, "hash_ids": [-1]})",
       "bad.csv:2:58: error: hash_ids: expected a block id of 0 or more, got -1"},
      {R"({"timestamp": 11, "input_length": 1, "output_length": 1, "hash_ids": {"a": [1]}})",
       R"(bad.csv:2:58: error: hash_ids: expected a list of block ids, got {"a":[1]})"},
      {R"({"session_id": "s", "delay": 5, "input_length": 1, "output_length": 1})",
       "bad.csv:2:21: error: delay: a delay needs an earlier row of its session"},
      {R"({"delay": 5, "input_length": 1, "output_length": 1})",
       "bad.csv:2:2: error: delay: a delay needs a session_id"},
      {R"({"timestamp": 11, "delay": 5, "input_length": 1, "output_length": 1})",
       "bad.csv:2:19: error: delay: a row has either timestamp or delay"},
  }));
  CHECK(bad_row(kMooncake + bad.row + "\n") == bad.message);
}

TEST_CASE("bad rows: a line that is no JSON says so", "[workload]") {
  CHECK_THAT(bad_row(kMooncake + R"({"timestamp": 11, "input_len)"),
             test::contains_text("bad.csv:2:1: error: not a JSON object: "));
  CHECK_THAT(bad_row(kMooncake + "{\"timestamp\": 11, \"\xFF\": 1}\n"),
             test::contains_text("not a JSON object: not UTF-8"));
}

TEST_CASE("bad rows: a line above 1 MiB is refused", "[workload]") {
  CHECK(bad_row(kPlain + std::string(2'000'000, '1') + "\n1,1,1\n") ==
        "bad.csv:3:1: error: the line is above 1048576 bytes");
}

TEST_CASE("bad files: each is refused with what it is", "[workload]") {
  CHECK(refusal("") ==
        "bad.csv:1:1: error: empty trace: the file has no bytes; give a trace with at least one "
        "request");
  CHECK(refusal("\n \n") ==
        "bad.csv:1:1: error: empty trace: the file has blank lines only; give a trace with at "
        "least one request");
  CHECK(refusal("TIMESTAMP,ContextTokens,GeneratedTokens\n") ==
        "bad.csv:1:1: error: empty trace: no row is left; give a trace with at least one request");
  CHECK(
      refusal("TIMESTAMP,ContextTokens,GeneratedTokens\nx,1,1\n", {.on_bad_row = OnBadRow::Skip}) ==
      "bad.csv:1:1: error: empty trace: all 1 rows are bad; give a trace with at least one "
      "request");
  CHECK_THAT(refusal("time,in,out\n1,2,3\n"),
             test::contains_text("no known trace header, got \"time,in,out\"; known headers: "));
  CHECK_THAT(refusal("\xFF\xFET\0I\0"), test::contains_text("not a trace: this is UTF-16 text"));
  CHECK_THAT(refusal("\x1F\x8B\x08"), test::contains_text("not a trace: this is a gzip file"));
  CHECK_THAT(refusal(std::string("a\0b", 3)), test::contains_text("it has NUL bytes"));
  CHECK_THAT(refusal(std::string(2'000'000, 'x')),
             test::contains_text("the first line is above 1048576 bytes"));
}

TEST_CASE("bad files: a layout other than the one asked for is refused", "[workload]") {
  CHECK(refusal(kPlain, {}, TraceFormat::AzureCsv) ==
        "bad.csv:1:1: error: expected Azure CSV, got the header of moesim CSV; choose the format "
        "of the file, or auto");
  CHECK(refusal(kAzure, {}, TraceFormat::PlainCsv) ==
        "bad.csv:1:1: error: expected a CSV with seconds, got the header of Azure CSV; choose the "
        "format of the file, or auto");
  CHECK_THAT(refusal(kPlain, {}, TraceFormat::MooncakeJsonl),
             test::contains_text("bad.csv:1:1: error: not a JSON object"));
}

TEST_CASE("bad rows: a far time under a small rate_scale does not break the clock", "[workload]") {
  CHECK_THAT(refusal(kPlain + "8000000,1,1\n", {.rate_scale = 0.001}),
             test::contains_text("beyond the clock"));
}

TEST_CASE("trace_format_by_name: knows its names in any case", "[workload]") {
  CHECK(trace_format_by_name("Azure") == TraceFormat::AzureCsv);
  CHECK(trace_format_by_name("MOONCAKE") == TraceFormat::MooncakeJsonl);
  CHECK(trace_format_by_name("csv") == TraceFormat::PlainCsv);
  CHECK(trace_format_by_name("auto") == TraceFormat::Auto);
  CHECK_FALSE(trace_format_by_name("parquet"));
}

}  // namespace
}  // namespace moesim::workload
