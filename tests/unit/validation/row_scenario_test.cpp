#include "validation/row_scenario.h"

#include <cmath>

#include "scenario/catalog_reader.h"
#include "tests/support/catch.h"
#include "validation/relative_rows.h"
#include "validation/row_metric.h"
#include "validation/row_names.h"
#include "validation/row_pools.h"

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

TEST_CASE("published_pools: instances, nodes, GPUs", "[validation]") {
  const auto pools = [](std::string_view text, std::int64_t instance, double gpus, double nodes) {
    return published_pools(text, instance, gpus, nodes).value_or(PublishedPools{});
  };
  CHECK(pools("disagg 1P2D (TP4 each)", 4, 12, 1).prefill == 1);
  CHECK(pools("disagg 1P2D (TP4 each)", 4, 12, 1).decode == 2);
  // Two nodes of 8: one instance of 16.
  CHECK(pools("disagg 2P4D nodes", 16, 48, 6).prefill == 1);
  CHECK(pools("disagg 2P4D nodes", 16, 48, 6).decode == 2);
  CHECK(pools("disagg 16P+32D GPUs", 16, 48, 6).decode == 2);
  // Four instances of 2 GPUs and one of 8, in instances of 2.
  CHECK(pools("disagg 4P(2 GPU)+1D(8 GPU)", 2, 2, 1).prefill == 4);
  CHECK(pools("disagg 4P(2 GPU)+1D(8 GPU)", 2, 2, 1).decode == 4);
  CHECK(!published_pools("disagg 4P(2 GPU)+1D(8 GPU)", 16, 2.0, 1.0));
  CHECK(!published_pools("disagg", 4, 8.0, 1.0));
  CHECK(!published_pools("colocated", 4, 8.0, 1.0));
}

TEST_CASE("plan_row: pools under load, or the one that the figure is of", "[validation]") {
  PublishedRow row = offline_row();
  row.model = "Qwen3-235B-A22B";
  row.precision = "FP8";
  row.engine = "vLLM 0.16";
  row.gpu = "MI300X-192G";
  row.gpus = 8;
  row.ep = 4;
  row.pd_mode = "disagg 1P1D (TP4 each)";
  row.request_rate = 8;
  row.metric = "slo_attainment";
  row.unit = "requests of 100";
  row.note = "KV pulled by decode";
  RowScenario plan = planned(row);
  CHECK(plan.load == Load::Open);
  CHECK_THAT(plan.text, contains_text("max_requests: 100"));
  CHECK_THAT(plan.text, contains_text("prefill {\n  tp: 4\n  pp: 1\n  dp: 1\n  ep: 4"));
  CHECK_THAT(plan.text, contains_text("decode {\n  tp: 4\n"));
  CHECK_THAT(plan.text, contains_text("kv_transfer { mode: AT_END }"));
  row.note = "KV pushed layer by layer";
  CHECK_THAT(planned(row).text, contains_text("kv_transfer { mode: LAYERWISE }"));
  row.gpus = 12;
  CHECK_THAT(reason(row), contains_text("its pools take 8 GPUs, the row counts 12"));

  // Without a load, what was measured is one pool: 2 of the 4 nodes.
  row = offline_row();
  row.model = "DeepSeek-R1 671B";
  row.precision = "FP8";
  row.engine = "vLLM";
  row.gpu = "MI300X-192G";
  row.gpus = 32;
  row.nodes = 4;
  row.tp = 1;
  row.dp = row.ep = 16;
  row.pd_mode = "disagg 2P2D nodes";
  row.request_rate.reset();
  row.metric = "input_throughput_per_node";
  plan = planned(row);
  CHECK(plan.gpus == 16);
  CHECK_THAT(plan.text, contains_text("nodes: 2\n  gpus_per_node: 8"));
  CHECK_THAT(plan.text, contains_text("output { fixed_tokens: 1 }"));
  CHECK_THAT(plan.assumed.front(), contains_text("the prefill pool alone"));
  row.metric = "output_throughput_per_node";
  CHECK(planned(row).load == Load::DecodeRound);
}

TEST_CASE("sides_of: both runs of a ratio from its own columns", "[validation]") {
  PublishedRow row = offline_row();
  row.metric = "speedup_dp8ep_over_tp8ep";
  row.unit = "ratio";
  row.gpus = 8;
  row.tp.reset();
  row.dp.reset();
  row.ep.reset();
  row.request_rate.reset();
  row.concurrency_per_gpu = 8;
  const auto sides = sides_of(row);
  REQUIRE(sides);
  CHECK(sides->above.dp == 8.0);
  CHECK(sides->above.tp == 1.0);
  CHECK(sides->above.ep == 8.0);
  CHECK(sides->below.tp == 8.0);
  CHECK(sides->below.dp == 1.0);
  CHECK(sides->below.ep == 8.0);
  CHECK(sides->above.metric == "throughput");
  row.concurrency_per_gpu.reset();
  CHECK(!sides_of(row));  // at what load is not published
  row.concurrency_per_gpu = 8;
  row.gpus = 16;
  CHECK(!sides_of(row));  // the layouts take 8
}

TEST_CASE("metric_of: a table states its objective once", "[validation]") {
  PublishedRow first = offline_row();
  first.metric = "slo_attainment";
  first.unit = "requests of 100";
  PublishedRow second = first;
  first.note = "SLO TTFT<1 s and ITL<50 ms";
  CHECK(!metric_of(second));
  const auto metric = metric_of(second, {first, second});
  REQUIRE(metric);
  CHECK(metric->ttft_limit_ms == 1000);
  CHECK(metric->itl_limit_ms == 50);
  second.source = "another table";
  CHECK(!metric_of(second, {first, second}));
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
