// Which model fits which GPUs: published recommendations of engines and hand computations.
#include <fmt/core.h>

#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "plan/usual_layouts.h"
#include "tests/support/catch.h"
#include "tests/unit/plan/known_models.h"

namespace moesim::plan {
namespace {

struct Row {
  std::string model;
  std::string precision;
  std::string gpu;
  std::int64_t gpus;
  std::string fits;
};

// SGLang's documentation of DeepSeek-V3 ("recommended" hardware), llama.cpp in AMD's ROCm
// documentation (Q4_K_M on MI300X), and weights against memory by hand for the rest.
const std::vector<Row> kRows = {
    {"DeepSeek-V3", "fp8_block128", "H200-SXM", 8, "yes"},
    {"DeepSeek-V3", "fp8_block128", "B200", 8, "yes"},
    {"DeepSeek-V3", "fp8_block128", "MI300X", 8, "yes"},
    {"DeepSeek-V3", "fp8_block128", "H100-SXM", 16, "yes"},
    {"DeepSeek-V3", "fp8_block128", "H100-SXM", 8, "no"},
    {"DeepSeek-V3", "bf16", "H200-SXM", 16, "yes"},
    {"DeepSeek-V3", "bf16", "MI300X", 16, "yes"},
    {"DeepSeek-V3", "bf16", "H100-SXM", 32, "yes"},
    {"DeepSeek-V3", "bf16", "A100-80GB-SXM", 32, "yes"},
    {"DeepSeek-V3", "int8_w8a8", "A100-80GB-SXM", 16, "yes"},
    {"DeepSeek-V3", "int8_w8a8", "L40S", 32, "yes"},
    {"DeepSeek-V3", "int4_g128_sym", "H100-SXM", 8, "yes"},
    {"DeepSeek-V3", "int4_g128_sym", "H200-SXM", 4, "yes"},
    {"DeepSeek-V3", "awq_gptq_g128", "H100-SXM", 8, "yes"},
    {"DeepSeek-V3", "awq_gptq_g128", "A100-80GB-SXM", 8, "yes"},
    {"DeepSeek-V3", "mxfp4", "MI355X", 4, "yes"},
    {"DeepSeek-V3", "nvfp4", "B200", 4, "yes"},
    {"DeepSeek-V3", "Q4_K_M", "MI300X", 8, "yes"},
    {"Llama-3.1-70B", "bf16", "H100-SXM", 1, "no"},
    {"Llama-3.1-70B", "bf16", "H100-SXM", 2, "marginal"},
    {"Llama-3.1-70B", "bf16", "H200-SXM", 1, "no"},
    {"Llama-3.1-70B", "Q4_K_M", "RTX-4090", 2, "marginal"},
    {"Llama-3.1-8B", "Q4_K_M", "RTX-4090", 1, "yes"},
    {"Qwen2.5-72B", "bf16", "H100-SXM", 1, "no"},
    {"Mistral-Large-2407-123B", "bf16", "A100-80GB-SXM", 1, "no"},
    {"Mistral-Large-2407-123B", "Q4_K_M", "A100-80GB-SXM", 1, "marginal"},
};

std::string answer(Verdict verdict) {
  return verdict == Verdict::Fits ? "yes" : to_string(verdict);
}

void check_row(const Row& row) {
  const std::vector<FittingLayout> ranked =
      ranked_layouts(test::model_named(row.model), test::precision_named(row.precision),
                     test::gpu_named(row.gpu), row.gpus, {}, {});
  REQUIRE_FALSE(ranked.empty());
  const MemoryReport& r = ranked.front().report;
  INFO(row.model << ' ' << row.precision << ' ' << row.gpus << " x " << row.gpu << ": "
                 << to_string(ranked.front().layout) << ": " << r.reason);
  CHECK(answer(r.verdict) == row.fits);
}

TEST_CASE("plan_memory: agrees with every published or computed fit", "[plan][oracle]") {
  REQUIRE(kRows.size() == 26);
  for (const Row& row : kRows) check_row(row);
}

/// Fields of one CSV line; fields of this file that matter hold no quotes.
std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, ',');) fields.push_back(field);
  return fields;
}

TEST_CASE("plan_memory: the table of fits is the one of the shared facts", "[plan][oracle]") {
  std::ifstream in(std::string(MOESIM_SHARED_DIR) + "/facts/memory_oracles.csv");
  if (!in) {
    WARN("skipped: no facts/memory_oracles.csv beside the checkout");
    return;
  }
  std::string line;
  std::getline(in, line);
  std::size_t rows = 0;
  for (; std::getline(in, line); ++rows) {
    const std::vector<std::string> f = split(line);
    REQUIRE(f.size() >= 5);
    check_row({f[0], f[1], f[2], std::stoll(f[3]), f[4]});
    REQUIRE(rows < kRows.size());
    CHECK(kRows[rows].model == f[0]);
    CHECK(kRows[rows].precision == f[1]);
    CHECK(kRows[rows].gpu == f[2]);
    CHECK(std::to_string(kRows[rows].gpus) == f[3]);
    CHECK(kRows[rows].fits == f[4]);
  }
  CHECK(rows == kRows.size());
}

}  // namespace
}  // namespace moesim::plan
