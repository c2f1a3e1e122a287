// `moesim memory` on the shipped catalog.
#include "cli/memory_command.h"

#include <sstream>
#include <string>
#include <vector>

#include "core/diagnostics.h"
#include "tests/support/catch.h"

namespace moesim::cli {
namespace {

using moesim::test::contains_text;

struct Answer {
  int code = 0;
  std::string text;
};

Answer ask(const std::string& words) {
  std::istringstream in(words);
  Arguments arguments;
  for (std::string word; in >> word;) arguments.push_back(word);
  std::ostringstream out;
  const int code = run_memory(arguments, out);
  return {code, out.str()};
}

std::string refusal(const std::string& words) {
  try {
    (void)ask(words);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

struct Row {
  std::string question;
  std::string verdict;
};

// The same 26 fits as tests/unit/plan/oracle_rows_test.cpp (sources there), asked of the catalog.
const std::vector<Row> kRows = {
    {"DeepSeek-V3 --precision fp8_block128 --gpu H200-SXM --gpus 8", "fits"},
    {"DeepSeek-V3 --precision fp8_block128 --gpu B200 --gpus 8", "fits"},
    {"DeepSeek-V3 --precision fp8_block128 --gpu MI300X --gpus 8", "fits"},
    {"DeepSeek-V3 --precision fp8_block128 --gpu H100-SXM --gpus 16", "fits"},
    {"DeepSeek-V3 --precision fp8_block128 --gpu H100-SXM --gpus 8", "no"},
    {"DeepSeek-V3 --precision bf16 --gpu H200-SXM --gpus 16", "fits"},
    {"DeepSeek-V3 --precision bf16 --gpu MI300X --gpus 16", "fits"},
    {"DeepSeek-V3 --precision bf16 --gpu H100-SXM --gpus 32", "fits"},
    {"DeepSeek-V3 --precision bf16 --gpu A100-80GB-SXM --gpus 32", "fits"},
    {"DeepSeek-V3 --precision int8_w8a8 --gpu A100-80GB-SXM --gpus 16", "fits"},
    {"DeepSeek-V3 --precision int8_w8a8 --gpu L40S --gpus 32", "fits"},
    {"DeepSeek-V3 --precision int4_g128_sym --gpu H100-SXM --gpus 8", "fits"},
    {"DeepSeek-V3 --precision int4_g128_sym --gpu H200-SXM --gpus 4", "fits"},
    {"DeepSeek-V3 --precision awq_gptq_g128 --gpu H100-SXM --gpus 8", "fits"},
    {"DeepSeek-V3 --precision awq_gptq_g128 --gpu A100-80GB-SXM --gpus 8", "fits"},
    {"DeepSeek-V3 --precision mxfp4 --gpu MI355X --gpus 4", "fits"},
    {"DeepSeek-V3 --precision nvfp4 --gpu B200 --gpus 4", "fits"},
    {"DeepSeek-V3 --precision Q4_K_M --gpu MI300X --gpus 8", "fits"},
    {"Llama-3.1-70B --precision bf16 --gpu H100-SXM --gpus 1", "no"},
    {"Llama-3.1-70B --precision bf16 --gpu H100-SXM --gpus 2", "marginal"},
    {"Llama-3.1-70B --precision bf16 --gpu H200-SXM --gpus 1", "no"},
    {"Llama-3.1-70B --precision Q4_K_M --gpu RTX-4090 --gpus 2", "marginal"},
    {"Llama-3.1-8B --precision Q4_K_M --gpu RTX-4090 --gpus 1", "fits"},
    {"Qwen2.5-72B --precision bf16 --gpu H100-SXM --gpus 1", "no"},
    {"Mistral-Large-2407-123B --precision bf16 --gpu A100-80GB-SXM --gpus 1", "no"},
    {"Mistral-Large-2407-123B --precision Q4_K_M --gpu A100-80GB-SXM --gpus 1", "marginal"},
};

TEST_CASE("memory: agrees with every known fit on the shipped catalog", "[cli][oracle]") {
  REQUIRE(kRows.size() == 26);
  for (const Row& row : kRows) {
    const Answer a = ask(row.question);
    INFO(row.question << "\n" << a.text);
    const std::string first = a.text.substr(0, a.text.find('\n'));
    CHECK(first.ends_with(": " + row.verdict));
    CHECK(a.code == (row.verdict == "no" ? 3 : 0));
  }
}

TEST_CASE("memory: JSON carries the golden cache sizes", "[cli][oracle]") {
  // KV bytes per token in bf16: 2 * 80 * 8 * 128 * 2 and 61 * 576 * 2.
  CHECK_THAT(ask("Llama-3.1-70B --gpu H100-SXM --gpus 4 --format json").text,
             contains_text("\"kv_bytes_per_token\": 327680"));
  CHECK_THAT(ask("DeepSeek-V3 --gpu H200-SXM --gpus 8 --format json").text,
             contains_text("\"kv_bytes_per_token\": 70272"));
  CHECK_THAT(ask("DeepSeek-V3 --gpu H200-SXM --gpus 8 --kv-format fp8 --format json").text,
             contains_text("\"kv_bytes_per_token\": 35136"));
}

TEST_CASE("memory: keeps to the degrees asked for and fills up with instances", "[cli][oracle]") {
  CHECK_THAT(ask("Llama-3.1-8B --gpu H100-SXM --gpus 4 --tp 2 --pp 1").text,
             contains_text("tp2 pp1 dp1 ep1 x2: 4 GPUs as 2 instances of 2"));
  CHECK_THAT(ask("Llama-3.1-8B --gpu H100-SXM --gpus 4 --dp 4").text,
             contains_text("tp1 pp1 dp1 ep1 x4"));
  CHECK_THAT(ask("DeepSeek-V3 --gpu H100-SXM --ep 32").text, contains_text("tp1 pp1 dp32 ep32 x1"));
  CHECK_THAT(ask("DeepSeek-V3 --gpu H100-SXM --dp 16").text, contains_text("tp1 pp1 dp16 ep16 x1"));
  CHECK_THAT(ask("Llama-3.1-70B --gpu H100-SXM").text, contains_text("the smallest that fits"));
}

TEST_CASE("memory: names every mistake at once and suggests the nearest name", "[cli][oracle]") {
  const std::string all = refusal("DeepSek-V3 --gpu H100-SMX --precision fp8_blok128");
  CHECK_THAT(all, contains_text("did you mean \"DeepSeek-V3\"?"));
  CHECK_THAT(all, contains_text("did you mean \"H100-SXM\"?"));
  CHECK_THAT(all, contains_text("did you mean \"fp8_block128\"?"));
  const std::string numbers =
      refusal("Toy --gpu H100 --tp 0 --max-num-seqs 0 --gpu-memory-utilization nan");
  CHECK_THAT(numbers, contains_text("--tp: must be 1 to"));
  CHECK_THAT(numbers, contains_text("--max-num-seqs: must be 1 to"));
  CHECK_THAT(numbers, contains_text("--gpu-memory-utilization: must be above 0"));
  CHECK_THAT(refusal(""), contains_text("MODEL: is required"));
  CHECK_THAT(refusal("DeepSeek-V3 --gpu H100-SXM --gpus 8 --tp 3"),
             contains_text("128 attention heads do not divide over tp 3"));
  CHECK_THAT(refusal("DeepSeek-V3 --gpu H100-SXM --gpus 12 --tp 8"),
             contains_text("use a multiple of 8"));
  CHECK_THAT(refusal("Llama-3.1-8B --gpu H100-SXM --mtp"), contains_text("has no MTP modules"));
  CHECK_THAT(refusal("Llama-3.1-8B --gpu H100-SXM --kv-format fp4"),
             contains_text("must be bf16 or fp8"));
}

TEST_CASE("memory: help teaches and asks nothing", "[cli][oracle]") {
  const Answer a = ask("--help");
  CHECK(a.code == 0);
  CHECK_THAT(a.text, contains_text("moesim memory DeepSeek-V3 --gpu H200-SXM --gpus 8"));
  CHECK_THAT(a.text, contains_text("Exit code: 0 fits or marginal, 2 wrong input, 3 does not fit"));
}

}  // namespace
}  // namespace moesim::cli
