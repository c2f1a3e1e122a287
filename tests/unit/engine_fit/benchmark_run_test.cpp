// Which scenario stands for a published run.
#include "engine_fit/benchmark_run.h"

#include "core/diagnostics.h"
#include "tests/support/catch.h"

namespace moesim::engine_fit {
namespace {

constexpr const char* kHeader =
    "id,backend,backend_version,model_path,system,gemm_quant_mode,mode,isl,osl,concurrency,tp,"
    "pp_size,dp_attn,moe_tp,moe_ep,gpus,repaired,ttft_ms,tpot_ms\n";

BenchmarkTable table_of(const std::string& rows) {
  return read_benchmark_runs(calibration::CsvTable::parse(kHeader + rows, "runs.csv"));
}

BenchmarkRun run_of(const std::string& row) {
  BenchmarkTable table = table_of(row);
  REQUIRE(table.runs.size() == 1);
  return table.runs.front();
}

}  // namespace

TEST_CASE("benchmark runs: names, units and layout of a row", "[engine_fit]") {
  const BenchmarkRun run = run_of(
      "a1,trtllm,1.2,nvidia/DeepSeek-R1-NVFP4,b200_sxm,nvfp4,agg,1024,1024,64,8,1,1,1,8,8,1,"
      "250,12.5\n");
  CHECK(run.engine == "TensorRT-LLM");
  CHECK(run.model == "DeepSeek-R1");
  CHECK(run.gpu == "B200");
  CHECK(run.precision == "nvfp4");
  CHECK(run.tp == 8);
  CHECK(run.ep == 8);
  CHECK(run.repaired);
  CHECK(run.ttft == 0.25);
  CHECK(run.tpot == 0.0125);
  CHECK(run.line == 2);
  CHECK(run.deployment() == "TensorRT-LLM DeepSeek-R1 B200 nvfp4 tp8 dp1 ep8");
}

TEST_CASE("benchmark runs: rows that cannot be used are named with the reason", "[engine_fit]") {
  const BenchmarkTable table = table_of(
      "a,vllm,1,m,h100_sxm,fp8,disagg,1024,1024,8,1,1,1,1,1,1,0,1,1\n"
      "b,vllm,1,m,h100_sxm,fp8,agg,1024,1024,,1,1,1,1,1,1,0,1,1\n"
      "c,ollama,1,m,h100_sxm,fp8,agg,1024,1024,8,1,1,1,1,1,1,0,1,1\n"
      "d,vllm,1,m,h100_sxm,fp8,agg,1024,1024,8,4,1,1,1,4,8,0,1,1\n");
  CHECK(table.runs.empty());
  REQUIRE(table.left_out.size() == 3);  // Pools are another table's.
  CHECK(table.left_out[0].reason == "concurrency is not stated");
  CHECK(table.left_out[1].reason == "engine, GPU or number format is not known");
  CHECK(table.left_out[2].reason == "parallelism does not make up its GPUs");
  CHECK_THROWS_AS(table_of("a,vllm,1,m,h100_sxm,fp8,agg,1024,1024,8,1,1,1,1,1,1,0,fast,1\n"),
                  InputError);
}

TEST_CASE("benchmark runs: InferenceMAX draws its lengths, others keep to one", "[engine_fit]") {
  const auto text = [](const std::string& lengths) {
    return scenario_text(
        run_of("a,vllm,1,m,h100_sxm,fp8,agg," + lengths + ",16,1,1,1,1,1,1,0,100,10\n"));
  };
  CHECK_THAT(text("1024,8192"),
             test::contains_text("input { uniform { min_tokens: 819 max_tokens: 1024 } }") &&
                 test::contains_text("output { uniform { min_tokens: 6553 max_tokens: 8192 } }"));
  CHECK_THAT(text("8192,1024"), test::contains_text("min_tokens: 819 max_tokens: 1024"));
  CHECK_THAT(text("8192,8192"),
             test::contains_text("output { uniform { min_tokens: 8192 max_tokens: 8192 } }"));
  CHECK_THAT(text("4000,500"),
             test::contains_text("input { uniform { min_tokens: 4000 max_tokens: 4000 } }"));
}

TEST_CASE("benchmark runs: SGLang on Blackwell looks for requests as often as its scripts say",
          "[engine_fit]") {
  const auto text = [](const std::string& engine, const std::string& model, const std::string& gpu,
                       const std::string& users, const std::string& layout) {
    return scenario_text(run_of("a," + engine + ",1," + model + "," + gpu + ",fp8,agg,1024,1024," +
                                users + "," + layout + ",0,100,10\n"));
  };
  const std::string tp8 = "8,1,1,1,8,8";
  const auto interval = [&](const std::string& run) {
    const std::size_t at = run.find("scheduler_recv_interval: ");
    return at == std::string::npos ? -1 : std::stoi(run.substr(at + 25));
  };
  CHECK(interval(text("sglang", "deepseek-ai/DeepSeek-R1", "b200_sxm", "8", tp8)) == 10);
  CHECK(interval(text("sglang", "deepseek-ai/DeepSeek-R1", "b200_sxm", "16", tp8)) == 30);
  CHECK(interval(text("sglang", "Qwen/Qwen3.5-397B-A17B", "b300_sxm", "64", tp8)) == 30);
  CHECK(interval(text("sglang", "deepseek-ai/DeepSeek-R1", "h200_sxm", "16", tp8)) == 1);
  CHECK(interval(text("sglang", "zai-org/GLM-5", "b200_sxm", "16", tp8)) == 1);
  CHECK(interval(text("sglang", "deepseek-ai/DeepSeek-R1", "b200_sxm", "16", "1,1,8,1,8,8")) == 1);
  CHECK(interval(text("vllm", "deepseek-ai/DeepSeek-R1", "b200_sxm", "16", tp8)) == -1);
}

}  // namespace moesim::engine_fit
