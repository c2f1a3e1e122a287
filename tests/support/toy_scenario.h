// A whole scenario of round numbers, and a result of round numbers, built without files.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/units.h"
#include "scenario/scenario.h"
#include "sweep/run_scenario.h"
#include "tests/support/toy_deployment.h"

namespace moesim::test {

/// `count` requests of 100 tokens in and 10 out, one every 100 ms.
inline workload::Trace toy_trace(int count) {
  using namespace moesim::literals;
  workload::Trace trace;
  for (int i = 0; i < count; ++i) trace.requests.push_back(request_at(100_ms * i, 100, 10));
  trace.source = "toy trace";
  return trace;
}

/// The toy model of toy_deployment() on `layout`, 20 requests, 2.69 USD per GPU-hour.
inline scenario::Scenario toy_scenario(catalog::Model model, plan::Layout layout) {
  using namespace moesim::literals;
  scenario::Scenario s;
  s.name = "toy";
  s.deployment = toy_deployment(std::move(model), layout);
  s.workload.trace = std::make_shared<const workload::Trace>(toy_trace(20));
  s.workload.description = "20 requests of a toy trace";
  s.pricing.per_gpu = 2.69_USDph;
  s.pricing.provider = "toy rent";
  return s;
}

/// A finished run whose figures are chosen, not simulated: `scale` multiplies throughput and cost.
inline sweep::ScenarioResult toy_result(const std::string& name, double scale) {
  using namespace moesim::literals;
  sweep::ScenarioResult r;
  r.name = name;
  r.facts = {.model = "toy-moe",
             .precision = "bf16",
             .gpu = "toy",
             .layout = "tp1 pp1 dp4 ep4 x1",
             .engine = "toy engine",
             .workload = "20 requests of a toy trace"};
  r.facts.total_parameters = 12e9;
  r.facts.active_parameters = 3e9;
  r.facts.gpus = 4;
  r.facts.nodes = 1;
  r.facts.flops_per_token = 6e9;
  r.memory.verdict = plan::Verdict::Fits;
  r.memory.gpu_memory = 80_GB;
  r.memory.budget = 72_GB;
  r.memory.per_gpu.attention = 24_GB;
  r.memory.kv_room = 40_GB;
  r.memory.kv_capacity_tokens = 1'234'567;
  serving::Summary& s = r.run.summary;
  s.requests_completed = 20;
  s.requests_measured = 20;
  s.output_tokens_per_s = 1000.0 * scale;
  s.total_tokens_per_s = 11000.0 * scale;
  s.input_tokens_per_s = 10000.0 * scale;
  s.tokens_per_s_per_gpu = 250.0 * scale;
  s.tokens_per_s_per_user = 50.0;
  s.ttft.p50_ms = 120;
  s.ttft.p99_ms = 480;
  s.tpot.p50_ms = 20;
  s.tpot.p99_ms = 25;
  r.pricing.per_gpu = 2.69_USDph;
  r.pricing.provider = "toy rent";
  r.bill.usd_per_hour = 10.76 * scale;
  r.bill.usd_per_month = 7854.80 * scale;
  r.bill.usd_per_million_output_tokens = 2.989;
  r.bill.usd_per_million_output_tokens_all_in = 2.989;
  r.run.gpus = 4;
  return r;
}

/// One that does not fit.
inline sweep::ScenarioResult toy_misfit(const std::string& name) {
  sweep::ScenarioResult r = toy_result(name, 1.0);
  r.fits = false;
  r.run = {};
  r.bill = {};
  r.memory.verdict = plan::Verdict::No;
  r.memory.reason = "the weights alone, 90.0 GB per GPU, exceed its 80.0 GB";
  return r;
}

/// A sweep over one node of 4 GPUs of the catalog, 12 short requests for each candidate.
inline std::string small_sweep_text() {
  return R"(
name: "small"
inline_scenario {
  model: "Mixtral-8x7B-v0.1"
  cluster { gpu: "H100-SXM" gpus_per_node: 4 }
  deployment { precision: "bf16" tp: 2 ep: 1 }
  experts { popularity { uniform: true } }
  workload {
    arrivals { poisson {} }
    rate: "40 req/s"
    input { fixed_tokens: 64 }
    output { fixed_tokens: 8 }
  }
  pricing { gpu_price: "2 USD/h" }
  simulation { max_requests: 12 }
}
slo { ttft: "500 ms" }
)";
}

}  // namespace moesim::test
