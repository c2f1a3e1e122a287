#include "workload/trace_reader.h"

#include <rapidcheck.h>

#include <string>

#include "tests/support/catch.h"
#include "workload/statistics.h"

namespace moesim::workload {
namespace {

using namespace moesim::literals;

constexpr std::int64_t kSecond_ps = 1'000'000'000'000;

Trace read(std::string_view text, const ReadOptions& options = {},
           TraceFormat format = TraceFormat::Auto) {
  return read_trace(text, "t.csv", format, options);
}

std::vector<std::int64_t> arrivals(const Trace& trace) {
  std::vector<std::int64_t> times;
  for (const Request& request : trace.requests) times.push_back(request.arrival.picoseconds());
  return times;
}

TEST_CASE("read_trace: Azure 2023 times are exact to 100 ns", "[workload][oracle]") {
  // CRLF, no newline at the end, as the published file has it.
  const Trace trace = read(
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
      "2025-03-01 10:00:00.1234567,400,50\r\n"
      "2025-03-01 10:00:00.1234569,410,51\r\n"
      "2025-03-01 10:00:03.0000000,12000,900");
  // 200 ns = 200,000 ps; 3 - 0.1234567 = 2.8765433 s.
  CHECK(arrivals(trace) == std::vector<std::int64_t>{0, 200'000, 2'876'543'300'000});
  CHECK(trace.requests[2].input_tokens == 12000);
  CHECK(trace.requests[2].output_tokens == 900);
  CHECK(trace.requests[2].session == -1);
  CHECK(trace.hash_block_tokens == 0);
  CHECK(trace.source == "t.csv (Azure CSV)");
  CHECK(trace.bad_row_count == 0);
}

TEST_CASE("read_trace: Azure 2024 mixes times with and without fraction", "[workload][oracle]") {
  const Trace trace = read(
      "\xEF\xBB\xBFTIMESTAMP,ContextTokens,GeneratedTokens\n"
      "2025-03-01 23:59:58.250000+00:00,1450,3\n"
      "2025-03-01 23:59:59+00:00,600,12\n"
      "2025-03-02 00:00:00.5+00:00,880,40\n"
      "2025-03-02 00:00:00.500001+00:00,1500,1\n");
  CHECK(arrivals(trace) ==
        std::vector<std::int64_t>{0, 750'000'000'000, 2'250'000'000'000, 2'250'001'000'000});
}

TEST_CASE("read_trace: Mooncake rows carry their block ids", "[workload][oracle]") {
  const Trace trace = read(
      R"({"timestamp": 5000, "input_length": 1100, "output_length": 20, "hash_ids": [0, 1, 2]}
{"timestamp": 5000, "input_length": 512, "output_length": 1, "hash_ids": [0]}
{"timestamp": 8001, "input_length": 1537, "output_length": 60, "hash_ids": [0, 1, 3, 4]}
)");
  CHECK(arrivals(trace) == std::vector<std::int64_t>{0, 0, 3'001'000'000'000});
  CHECK(trace.hash_block_tokens == 512);
  CHECK(trace.hash_ids == std::vector<std::uint64_t>{0, 1, 2, 0, 0, 1, 3, 4});
  CHECK(trace.requests[2].prefix == PrefixBlocks{.offset = 4, .count = 4});
  CHECK(trace.source == "t.csv (Mooncake JSONL)");
}

TEST_CASE("read_trace: a pause counts from the previous arrival of the session, noted",
          "[workload][oracle]") {
  const Trace trace = read(
      R"({"session_id": "s1", "timestamp": 0, "input_length": 300, "output_length": 40}
{"session_id": "s1", "delay": 2000, "input_length": 150, "output_length": 20}
{"session_id": "s2", "timestamp": 250, "input_length": 700, "output_length": 15}
{"session_id": "s1", "delay": 500, "input_length": 160, "output_length": 21})");
  // In order of arrival: 0, 250 ms, 0 + 2 s, 2 + 0.5 s.
  CHECK(arrivals(trace) ==
        std::vector<std::int64_t>{0, kSecond_ps / 4, 2 * kSecond_ps, 5 * kSecond_ps / 2});
  CHECK(trace.requests[1].session == 1);
  CHECK_FALSE(trace.requests[1].after_previous_answer);
  CHECK(trace.requests[2].session == 0);
  CHECK(trace.requests[2].after_previous_answer);
  REQUIRE(trace.notes.size() == 1);
  CHECK_THAT(trace.notes[0], test::contains_text("2 requests arrive a pause after the answer"));
}

TEST_CASE("read_trace: Bailian times are seconds, turns follow their parent",
          "[workload][oracle]") {
  const Trace trace = read(
      R"({"chat_id": 10, "parent_chat_id": -1, "timestamp": 0.000, "input_length": 40, "output_length": 12, "type": "text", "turn": 1, "hash_ids": [0, 1, 2]}
{"chat_id": 11, "parent_chat_id": -1, "timestamp": 1.250, "input_length": 33, "output_length": 7, "type": "search", "turn": 1, "hash_ids": [0, 3, 4]}
{"chat_id": 12, "parent_chat_id": 10, "timestamp": 61.114, "input_length": 70, "output_length": 25, "type": "text", "turn": 2, "hash_ids": [0, 1, 5, 6, 7]}
)");
  CHECK(arrivals(trace) == std::vector<std::int64_t>{0, 1'250'000'000'000, 61'114'000'000'000});
  CHECK(trace.hash_block_tokens == 16);
  CHECK(trace.requests[0].session == 0);
  CHECK(trace.requests[1].session == 1);
  CHECK(trace.requests[2].session == 0);
}

TEST_CASE("read_trace: CSV with seconds is known by its column names", "[workload][oracle]") {
  const char* text = GENERATE(
      "arrival_s,input_tokens,output_tokens\n0.0,374,44\n0.052,3180,8\n",
      "output_tokens, ARRIVAL_S ,input_tokens\n44,0.0,374\n8,0.052,3180.0\n",
      "arrived_at,num_prefill_tokens,num_decode_tokens\n0.0,374,44\n0.052,3180,8\n",
      "request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size\n"
      "0,2,0,1,1,374,44\n1,2,0,1.052,1,3180,8\n",
      "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
      "7,ChatGPT,374,44,418,Conversation log\n7.052,\"GPT, 4\",3180,8,3188,API log\n");
  CAPTURE(text);
  const Trace trace = read(text);
  CHECK(arrivals(trace) == std::vector<std::int64_t>{0, 52'000'000'000});
  REQUIRE(trace.requests.size() == 2);
  CHECK(trace.requests[0].input_tokens == 374);
  CHECK(trace.requests[0].output_tokens == 44);
  CHECK(trace.requests[1].input_tokens == 3180);
  CHECK(trace.requests[1].output_tokens == 8);
}

TEST_CASE("read_trace: BurstGPT sessions are numbered by first appearance", "[workload]") {
  const Trace trace = read(
      "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log "
      "Type\n"
      "19440007.0,a-1,41,GPT-4,900,440,1340,Conversation log\n"
      "19440021.0,,2,ChatGPT,36,30,66,API log\n"
      "19440055.0,a-1,38,GPT-4,1380,410,1790,Conversation log\n");
  CHECK(arrivals(trace) == std::vector<std::int64_t>{0, 14 * kSecond_ps, 48 * kSecond_ps});
  CHECK(trace.requests[0].session == 0);
  CHECK(trace.requests[1].session == -1);
  CHECK(trace.requests[2].session == 0);
}

constexpr std::string_view kFourRows =
    "arrival_s,input_tokens,output_tokens\n10,1,1\n11,2,1\n12,3,1\n16,4,1\n";

TEST_CASE("read_trace: rate_scale divides the times", "[workload][oracle]") {
  const Trace twice = read(kFourRows, {.rate_scale = 2.0});
  CHECK(arrivals(twice) ==
        std::vector<std::int64_t>{0, kSecond_ps / 2, kSecond_ps, 3 * kSecond_ps});
}

TEST_CASE("read_trace: duration counts time of the run, after scaling", "[workload][oracle]") {
  CHECK(read(kFourRows, {.duration = 2_s}).requests.size() == 2);
  CHECK(read(kFourRows, {.duration = 2_s, .rate_scale = 2.0}).requests.size() == 3);
}

TEST_CASE("read_trace: max_requests stops before a bad row behind", "[workload]") {
  const std::string text = std::string(kFourRows) + "bad\n";
  CHECK(read(text, {.max_requests = 4}).requests.size() == 4);
  CHECK_THROWS_AS(read(text, {.max_requests = 5}), InputError);
}

TEST_CASE("open_trace_file: gives the requests of read_trace_file one by one", "[workload]") {
  const std::string path =
      std::string(MOESIM_SOURCE_DIR) + "/scenarios/traces/mooncake_conversation_3min.jsonl";
  const Trace trace = read_trace_file(path, TraceFormat::MooncakeJsonl, {});
  const auto source = open_trace_file(path, TraceFormat::Auto, {});
  for (const Request& expected : trace.requests) {
    const auto request = source->next();
    REQUIRE(request);
    CHECK(request->arrival == expected.arrival);
    const auto ids = source->hash_ids().subspan(request->prefix.offset, request->prefix.count);
    const auto wanted =
        std::span(trace.hash_ids).subspan(expected.prefix.offset, expected.prefix.count);
    REQUIRE(std::equal(ids.begin(), ids.end(), wanted.begin(), wanted.end()));
  }
  CHECK_FALSE(source->next());
  const auto replay = make_trace_source(trace);
  for (const Request& expected : trace.requests) REQUIRE(replay->next() == expected);
  CHECK_FALSE(replay->next());
}

TEST_CASE("open_trace_file: refuses a trace whose rows are not in order", "[workload]") {
  const std::string path = std::string(MOESIM_SOURCE_DIR) + "/tests/unit/workload/sessions.jsonl";
  const auto source = open_trace_file(path, TraceFormat::Auto, {});
  CHECK(source->next());
  CHECK_THROWS_AS(source->next(), InputError);
}

TEST_CASE("shipped traces: have the rows their README states", "[workload]") {
  const std::string folder = std::string(MOESIM_SOURCE_DIR) + "/scenarios/traces/";
  const Trace azure =
      read_trace_file(folder + "azure_2023_conv_10min.csv", TraceFormat::AzureCsv, {});
  CHECK(azure.requests.size() == 2867);
  CHECK(azure.requests.back().arrival < SimTime::from(600_s));
  const Trace mooncake =
      read_trace_file(folder + "mooncake_conversation_3min.jsonl", TraceFormat::Auto, {});
  CHECK(mooncake.requests.size() == 556);
  CHECK(mooncake.hash_block_tokens == 512);
}

TEST_CASE("read_trace: what is written is read back", "[workload][property]") {
  CHECK(rc::check([] {
    std::string text = "arrival_s,input_tokens,output_tokens\n";
    const auto gaps = *rc::gen::nonEmpty(
        rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(0, 5000)));
    std::int64_t now_ms = 0;
    std::vector<std::int64_t> expected;
    for (const std::int64_t gap : gaps) {
      now_ms += expected.empty() ? 0 : gap;
      expected.push_back(now_ms * 1'000'000'000);
      const std::string fraction = std::to_string(1000 + now_ms % 1000).substr(1);
      text +=
          std::to_string(now_ms / 1000) + "." + fraction + "," + std::to_string(gap + 1) + ",1\n";
    }
    const Trace trace = read(text);
    RC_ASSERT(arrivals(trace) == expected);
    RC_ASSERT(trace.requests.back().input_tokens == static_cast<std::int32_t>(gaps.back() + 1));
  }));
}

TEST_CASE("read_trace: any bytes are read or refused, never more", "[workload][property]") {
  CHECK(rc::check([] {
    const auto bytes = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
    const std::string head = *rc::gen::elementOf(std::vector<std::string>{
        "", "{", "arrival_s,input_tokens,output_tokens\n",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n", "{\"timestamp\": 0, \"input_length\": 1"});
    try {
      const Trace trace = read(head + bytes, {.on_bad_row = OnBadRow::Skip});
      RC_ASSERT(!trace.requests.empty());
    } catch (const InputError& error) {
      RC_ASSERT(!error.diagnostics().empty());
    }
  }));
}

}  // namespace
}  // namespace moesim::workload
