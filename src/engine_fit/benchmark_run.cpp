#include "engine_fit/benchmark_run.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace moesim::engine_fit {
namespace {

using calibration::Column;
using calibration::CsvTable;

struct Name {
  std::string_view published;
  std::string_view ours;
};

template <std::size_t n>
std::optional<std::string> look_up(const std::array<Name, n>& names, std::string_view published) {
  const auto found = std::find_if(names.begin(), names.end(),
                                  [&](const Name& name) { return name.published == published; });
  if (found == names.end()) return std::nullopt;
  return std::string(found->ours);
}

constexpr std::array kEngines{Name{"vllm", "vLLM"}, Name{"sglang", "SGLang"},
                              Name{"trtllm", "TensorRT-LLM"}};
constexpr std::array kGpus{Name{"h100_sxm", "H100-SXM"}, Name{"h200_sxm", "H200-SXM"},
                           Name{"b200_sxm", "B200"},     Name{"b300_sxm", "B300"},
                           Name{"gb200", "GB200-NVL72"}, Name{"gb300", "GB300-NVL72"}};
constexpr std::array kModels{Name{"zhipuai/GLM-5", "GLM-5"},
                             Name{"nvidia/DeepSeek-R1-NVFP4", "DeepSeek-R1"},
                             Name{"nvidia/Qwen3-32B-NVFP4", "Qwen3-32B"},
                             Name{"nvidia/Llama-3.1-8B-Instruct-FP8", "Llama-3.1-8B"}};
constexpr std::array kFormats{Name{"", "bf16"}, Name{"fp8", "fp8"}, Name{"fp8_block", "fp8"},
                              Name{"nvfp4", "nvfp4"}, Name{"int4_wo", "int4_g32_experts"}};

struct Columns {
  explicit Columns(const CsvTable& t)
      : id(t.column("id")),
        backend(t.column("backend")),
        version(t.column("backend_version")),
        model(t.column("model_path")),
        system(t.column("system")),
        gemm(t.column("gemm_quant_mode")),
        mode(t.column("mode")),
        isl(t.column("isl")),
        osl(t.column("osl")),
        concurrency(t.column("concurrency")),
        tp(t.column("tp")),
        pp(t.column("pp_size")),
        dp(t.column("dp_attn")),
        moe_tp(t.column("moe_tp")),
        moe_ep(t.column("moe_ep")),
        gpus(t.column("gpus")),
        repaired(t.column("repaired")),
        ttft(t.column("ttft_ms")),
        tpot(t.column("tpot_ms")) {}
  Column id, backend, version, model, system, gemm, mode, isl, osl, concurrency, tp, pp, dp, moe_tp,
      moe_ep, gpus, repaired, ttft, tpot;
};

bool dense(std::string_view model) {
  return model.find("Llama-3.1") != std::string_view::npos ||
         model.find("Qwen3-32B") != std::string_view::npos;
}

/// Decode steps after which SGLang looks for new requests. The benchmark's scripts for these models
/// on Blackwell relax it by the number of users (InferenceMAX, benchmarks/*_b200.sh, from memory);
/// the runs show it: from 16 users on TTFT is 30 times TPOT whatever the users, below 20 times.
std::int64_t recv_interval(const BenchmarkRun& r) {
  constexpr std::int64_t kManyUsers = 16;
  const bool relaxed = r.engine == "SGLang" && r.dp == 1 && (r.gpu == "B200" || r.gpu == "B300") &&
                       (r.model.find("DeepSeek") != std::string::npos ||
                        r.model.find("Qwen3.5") != std::string::npos);
  if (!relaxed) return 1;
  return r.concurrency < kManyUsers ? 10 : 30;
}

/// InferenceMAX runs three pairs of lengths and draws both from 0.8 of the stated one up to it;
/// others keep to one length, so that users who begin together stay in step.
bool draws_lengths(const BenchmarkRun& r) {
  constexpr std::int64_t kShort = 1024;
  constexpr std::int64_t kLong = 8192;
  return (r.input_tokens == kShort && (r.output_tokens == kShort || r.output_tokens == kLong)) ||
         (r.input_tokens == kLong && r.output_tokens == kShort);
}

}  // namespace

std::string BenchmarkRun::deployment() const {
  return fmt::format("{} {} {} {} tp{} dp{} ep{}", engine, model, gpu, precision, tp, dp, ep);
}

BenchmarkTable read_benchmark_runs(const CsvTable& t) {
  const Columns c(t);
  BenchmarkTable result;
  constexpr double kMillisecond = 1e-3;
  for (std::size_t i = 0; i < t.rows(); ++i) {
    if (t.text(i, c.mode) != "agg") continue;
    if (t.text(i, c.concurrency).empty()) {
      result.left_out.push_back({std::string(t.text(i, c.id)), "concurrency is not stated"});
      continue;
    }
    BenchmarkRun r{.id = std::string(t.text(i, c.id)),
                   .version = std::string(t.text(i, c.version)),
                   .model = std::string(t.text(i, c.model)),
                   .input_tokens = t.whole(i, c.isl, 1),
                   .output_tokens = t.whole(i, c.osl, 2),
                   .concurrency = t.whole(i, c.concurrency, 1),
                   .tp = t.whole(i, c.tp, 1),
                   .dp = t.whole(i, c.dp, 1),
                   .repaired = t.whole(i, c.repaired) != 0,
                   .ttft = kMillisecond * t.positive(i, c.ttft),
                   .tpot = kMillisecond * t.positive(i, c.tpot),
                   .line = t.line(i)};
    const auto leave_out = [&](std::string why) {
      result.left_out.push_back({r.id, std::move(why)});
    };
    const auto engine = look_up(kEngines, t.text(i, c.backend));
    const auto gpu = look_up(kGpus, t.text(i, c.system));
    const auto format = look_up(kFormats, t.text(i, c.gemm));
    if (!engine || !gpu || !format) {
      leave_out("engine, GPU or number format is not known");
      continue;
    }
    r.engine = *engine;
    r.gpu = *gpu;
    r.precision = *format;
    if (const auto named = look_up(kModels, r.model)) r.model = *named;
    if (r.model.find("gpt-oss") != std::string::npos) r.precision = "mxfp4_experts+bf16";
    const std::int64_t moe_tp = t.whole(i, c.moe_tp, 1);
    r.ep = dense(r.model) ? 1 : t.whole(i, c.moe_ep, 1);
    const std::int64_t gpus = t.whole(i, c.gpus, 1);
    if (t.whole(i, c.pp, 1) != 1 || r.tp * r.dp != gpus || gpus > 8 ||
        (!dense(r.model) && moe_tp * r.ep != gpus)) {
      leave_out("parallelism does not make up its GPUs");
      continue;
    }
    result.runs.push_back(std::move(r));
  }
  return result;
}

std::string scenario_text(const BenchmarkRun& r) {
  const std::int64_t per_rank = (r.concurrency + r.dp - 1) / r.dp;
  const bool spread = draws_lengths(r);
  const auto shortest = [&](std::int64_t tokens) {
    return spread ? std::max<std::int64_t>(1, tokens * 4 / 5) : tokens;
  };
  const bool rack = r.gpu == "GB200-NVL72" || r.gpu == "GB300-NVL72";
  const bool separate = r.engine == "SGLang";
  const std::string apart =
      separate ? fmt::format(" enable_chunked_prefill: false scheduler_recv_interval: {}",
                             recv_interval(r))
               : "";
  return fmt::format(
      "name: \"{}\"\nmodel: \"{}\"\ncluster {{ gpu: \"{}\" nodes: {} }}\n"
      "deployment {{ engine: \"{}\" precision: \"{}\" tp: {} dp: {} ep: {} router: LEAST_LOAD\n"
      "  scheduler {{ max_num_seqs: {} max_num_batched_tokens: {}{} }} }}\n"
      "workload {{ concurrency: {} input {{ uniform {{ min_tokens: {} max_tokens: {} }} }}\n"
      "  output {{ uniform {{ min_tokens: {} max_tokens: {} }} }} }}\n"
      "simulation {{ max_requests: {} }}\n",
      r.id, r.model, r.gpu, rack ? 18 : 1, r.engine, r.precision, r.tp, r.dp, r.ep,
      std::max<std::int64_t>(256, 2 * per_rank), separate ? 16384 : 8192, apart, r.concurrency,
      shortest(r.input_tokens), r.input_tokens, shortest(r.output_tokens), r.output_tokens,
      std::max<std::int64_t>(32, 5 * r.concurrency));
}

}  // namespace moesim::engine_fit
