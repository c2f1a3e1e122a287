#include "validation/row_scenario.h"

#include <cmath>

#include "scenario/catalog_reader.h"
#include "tests/support/catch.h"
#include "validation/relative_rows.h"
#include "validation/row_metric.h"
#include "validation/row_names.h"

namespace moesim::validation {
namespace {

using moesim::test::contains_text;
using scenario::PublishedRow;

const catalog::Catalog& the_catalog() {
  static const catalog::Catalog catalog = scenario::read_run_catalog();
  return catalog;
}

PublishedRow offline_row() {
  PublishedRow row;
  row.id = "T-001";
  row.model = "Llama-3.1-70B (dense)";
  row.precision = "FP8 W/A + FP8 KV";
  row.engine = "TensorRT-LLM 0.17 (TRT engine)";
  row.gpu = "H100-80G SXM";
  row.gpus = 4;
  row.nodes = 1;
  row.tp = 4;
  row.pp = 1;
  row.dp = 1;
  row.ep = 1;
  row.pd_mode = "colocated";
  row.input_tokens = 1000;
  row.output_tokens = 500;
  row.request_rate = HUGE_VAL;
  row.metric = "output_throughput";
  row.unit = "tok/s";
  row.value = 7430.99;
  return row;
}

RowScenario planned(const PublishedRow& row) {
  const RowPlan plan = plan_row(row, {}, the_catalog());
  if (const auto* out = std::get_if<LeftOut>(&plan)) FAIL(out->reason);
  return std::get<RowScenario>(plan);
}
std::string reason(const PublishedRow& row) {
  const RowPlan plan = plan_row(row, {}, the_catalog());
  REQUIRE(std::holds_alternative<LeftOut>(plan));
  return std::get<LeftOut>(plan).reason;
}

TEST_CASE("plan_row: all requests queued", "[validation]") {
  const RowScenario plan = planned(offline_row());
  CHECK(plan.load == Load::Offline);
  CHECK(plan.gpus == 4);
  CHECK_THAT(plan.text, contains_text("model: \"Llama-3.1-70B\""));
  CHECK_THAT(plan.text, contains_text("gpu: \"H100-SXM\""));
  CHECK_THAT(plan.text, contains_text("precision: \"fp8_per_tensor\""));
  CHECK_THAT(plan.text, contains_text("kv_cache_dtype: \"fp8\""));
  CHECK_THAT(plan.text, contains_text("concurrency: 3000"));
  PublishedRow row = offline_row();
  row.precision = "FP4";
  CHECK_THAT(planned(row).text, contains_text("kv_cache_dtype: \"fp8\""));
  row.note = "synthetic, 120 requests";
  CHECK_THAT(planned(row).text, contains_text("max_requests: 120"));
}

TEST_CASE("plan_row: micro-batches of one attention rank have nothing to hide", "[validation]") {
  PublishedRow row = offline_row();
  row.note = "two micro-batches";
  CHECK_THAT(planned(row).text, !contains_text("overlap"));
}

TEST_CASE("plan_row: dp without experts across ranks counts replicas", "[validation]") {
  PublishedRow row = offline_row();
  row.dp = 2;
  row.gpus = 8;
  CHECK_THAT(planned(row).text, contains_text("dp: 1\n"));
  CHECK_THAT(planned(row).text, contains_text("replicas: 2"));
  row.model = "Qwen3-30B-A3B (MoE)";
  row.tp = 1;
  row.dp = 8;
  row.ep = 8;
  CHECK_THAT(planned(row).text, contains_text("dp: 8\n"));
}

TEST_CASE("plan_row: closed and open loops", "[validation]") {
  PublishedRow row = offline_row();
  row.request_rate.reset();
  row.concurrency_per_gpu = 16;
  CHECK(planned(row).load == Load::Closed);
  CHECK(planned(row).concurrency == 64);
  row.concurrency_per_gpu.reset();
  row.request_rate = 2.5;
  CHECK(planned(row).load == Load::Steady);
  CHECK_THAT(planned(row).text, contains_text("rate: \"2.5 req/s\""));
  row.note = "500 requests; batch: max batch 896-1024";
  CHECK(planned(row).load == Load::Open);
  CHECK_THAT(planned(row).text, contains_text("max_num_seqs: 1024"));
}

TEST_CASE("plan_row: decode alone is one round about the mean cache", "[validation]") {
  PublishedRow row = offline_row();
  row.model = "DeepSeek-R1 671B";
  row.precision = "FP8 (block)";
  row.engine = "vLLM 0.11";
  row.gpu = "H200-141G SXM";
  row.tp = 1;
  row.dp = 96;
  row.ep = 96;
  row.gpus = 96;
  row.nodes = 12;
  row.pd_mode = "decode_only";
  row.request_rate.reset();
  row.concurrency_per_gpu = 64;
  row.input_tokens = 2000;
  row.output_tokens = 100;
  const RowScenario plan = planned(row);
  CHECK(plan.load == Load::DecodeRound);
  CHECK(plan.concurrency == 64 * 96);
  // Mean cache 2000 + 50: 512 tokens about it start at 2050 - 256.
  CHECK_THAT(plan.text, contains_text("input { fixed_tokens: 1794 }"));
  CHECK_THAT(plan.text, contains_text("output { fixed_tokens: 512 }"));
  // 256 experts over 96 ranks: 288 slots.
  CHECK_THAT(plan.text, contains_text("redundant_experts: 32"));
  CHECK_THAT(plan.text, contains_text("fidelity: SAMPLED"));
  CHECK_THAT(plan.text, !contains_text("overlap"));
  row.engine = "vLLM 0.11 V1 + DeepEP + DBO";
  CHECK_THAT(planned(row).text, contains_text("overlap {}"));
}

TEST_CASE("plan_row: says why a row is left out", "[validation]") {
  PublishedRow row = offline_row();
  row.model = "Llama-9-70B";
  CHECK_THAT(reason(row), contains_text("model \"Llama-9-70B\" is not in the catalog"));
  row = offline_row();
  row.gpu = "H999";
  CHECK_THAT(reason(row), contains_text("GPU \"H999\""));
  row = offline_row();
  row.tp.reset();
  CHECK(reason(row) == "tp is not published");
  row.tp = 2.5;
  CHECK_THAT(reason(row), contains_text("no number of GPUs"));
  row = offline_row();
  row.gpus = 3;
  CHECK_THAT(reason(row), contains_text("takes 4 GPUs, the row counts 3"));
  row = offline_row();
  row.output_tokens.reset();
  CHECK_THAT(reason(row), contains_text("output length is not published"));
  row = offline_row();
  row.precision = "two bits";
  CHECK_THAT(reason(row), contains_text("number format"));
}

TEST_CASE("names: what publishers write", "[validation]") {
  const catalog::Catalog& c = the_catalog();
  CHECK(model_of("DeepSeek-V3/R1 671B (mixed production)", c)->name == "DeepSeek-V3");
  CHECK(model_of("Qwen3-235B-A22B (MoE 128e top-8)", c)->name == "Qwen3-235B-A22B");
  CHECK(model_of("Mixtral-8x7B vs Llama-3.1-70B", c) == nullptr);
  CHECK(model_of("", c) == nullptr);
  CHECK(gpu_of("A100-80G SXM", c)->name == "A100-80GB-SXM");
  CHECK(gpu_of("A100-40G SXM", c)->name == "A100-40GB-SXM");
  CHECK(gpu_of("GB200 NVL72", c)->name == "GB200-NVL72");
  CHECK(gpu_of("", c) == nullptr);
  CHECK(engine_of("vLLM 0.11 V1 + DeepEP", c)->name == "vLLM");
  CHECK(engine_of("", c) == nullptr);
  CHECK(number_before("x, 300 requests", "requests") == 300.0);
  CHECK(!number_before("many requests", "requests"));
  CHECK(number_behind("max batch 896-1024", "max batch") == 896.0);
}

TEST_CASE("metric_of: quantity, statistic and unit", "[validation]") {
  PublishedRow row = offline_row();
  row.metric = "ttft_p99";
  row.unit = "ms";
  const auto ttft = metric_of(row);
  REQUIRE(ttft);
  CHECK(ttft->quantity == Quantity::Ttft);
  CHECK(ttft->statistic == Statistic::Percentile);
  CHECK(ttft->percent == 99);
  CHECK(ttft->scale == 1000);
  row.metric = "input_throughput_per_node";
  row.unit = "tok/s/node";
  CHECK(metric_of(row)->per == Metric::Per::Node);
  row.metric = "cost_per_day";
  CHECK(!metric_of(row));
  row.metric = "ttft";
  row.unit = "furlong";
  CHECK(!metric_of(row));
}

TEST_CASE("pair_of: the two runs of a ratio", "[validation]") {
  PublishedRow four = offline_row();
  PublishedRow eight = four;
  eight.id = "T-002";
  eight.tp = 8;
  eight.gpus = 8;
  eight.value = 11000;
  PublishedRow ratio = four;
  ratio.id = "T-003";
  ratio.tp.reset();
  ratio.gpus.reset();
  ratio.metric = "speedup_tp8_over_tp4";
  ratio.unit = "ratio";
  const auto pair = pair_of(ratio, {four, eight, ratio});
  REQUIRE(pair);
  CHECK(pair->above == 1);
  CHECK(pair->below == 0);
  CHECK(!pair_of(ratio, {four, ratio}));
  ratio.metric = "speedup_new_over_old";
  ratio.note = "11,000 vs 7,430.99 tok/s";
  CHECK(pair_of(ratio, {four, eight, ratio})->above == 1);
}

}  // namespace
}  // namespace moesim::validation
