#include "report/result_table.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/text.h"
#include "report/result_json.h"

namespace moesim::report {
namespace {

using Buffer = fmt::memory_buffer;

std::string billions(double parameters) { return fmt::format("{:.4g} B", parameters / 1e9); }
std::string gb(Bytes b) { return fmt::format("{:.1f}", b / 1.0_GB); }

void line(Buffer& out, std::string_view label, const std::string& text) {
  fmt::format_to(std::back_inserter(out), "{:<12}{}\n", label, text);
}

void head(Buffer& out, const sweep::ScenarioResult& r) {
  const sweep::DeploymentFacts& f = r.facts;
  fmt::format_to(std::back_inserter(out), "{}\n", r.name);
  if (!r.description.empty()) fmt::format_to(std::back_inserter(out), "{}\n", r.description);
  fmt::format_to(std::back_inserter(out), "\n");
  line(out, "model",
       fmt::format("{}, {} parameters, {} active, {}", f.model, billions(f.total_parameters),
                   billions(f.active_parameters), f.precision));
  line(out, "cluster",
       fmt::format("{} x {} of {} node{}, {} ({})", f.gpus, f.gpu, f.nodes, f.nodes == 1 ? "" : "s",
                   f.layout, f.engine));
  line(out, "workload", f.workload);
}

void memory(Buffer& out, const plan::MemoryReport& m) {
  line(out, "memory",
       fmt::format("{}: {} GB weights + {} GB workspace + {} GB KV of {} GB a GPU",
                   plan::to_string(m.verdict), gb(m.per_gpu.weights()), gb(m.per_gpu.workspace()),
                   gb(std::max(m.kv_room, Bytes{})), gb(m.gpu_memory)));
  if (!m.reason.empty()) line(out, "", m.reason);
  if (m.kv_capacity_tokens > 0) {
    line(out, "",
         fmt::format("KV {} B a token, room for {} tokens an instance",
                     format_number(m.kv_bytes_per_token.base()), m.kv_capacity_tokens));
  }
}

void distribution(Buffer& out, std::string_view label, const serving::Distribution& d) {
  fmt::format_to(std::back_inserter(out), "{:<12}{:>10}{:>10}{:>10}{:>10}{:>10}\n", label,
                 format_number(d.mean_ms), format_number(d.p50_ms), format_number(d.p90_ms),
                 format_number(d.p95_ms), format_number(d.p99_ms));
}

void summary(Buffer& out, const sweep::ScenarioResult& r) {
  const serving::Summary& s = r.run.summary;
  line(out, "throughput",
       fmt::format("{} output tokens/s, {} with input, {} output tokens/s/GPU",
                   format_number(s.output_tokens_per_s), format_number(s.total_tokens_per_s),
                   format_number(s.tokens_per_s_per_gpu)));
  line(
      out, "requests",
      fmt::format("{} completed, {} rejected; {} measured over {} s: {}/s, goodput {}/s ({:.1f} %)",
                  s.requests_completed, s.requests_rejected, s.requests_measured,
                  format_number(s.measured / kSecond), format_number(s.requests_per_s),
                  format_number(s.goodput_requests_per_s), 100.0 * s.slo_attainment));
  fmt::format_to(std::back_inserter(out), "\n{:<12}{:>10}{:>10}{:>10}{:>10}{:>10}\n", "latency, ms",
                 "mean", "p50", "p90", "p95", "p99");
  distribution(out, "TTFT", s.ttft);
  distribution(out, "TPOT", s.tpot);
  distribution(out, "ITL", s.itl);
  distribution(out, "end to end", s.end_to_end);
}

void time(Buffer& out, const serving::TimeBreakdown& t) {
  static constexpr std::array<std::string_view, serving::kStepParts> kNames = {
      "attention",  "feed-forward", "experts", "dispatch",       "combine",
      "all-reduce", "waiting",      "head",    "engine overhead"};
  std::vector<std::pair<double, std::string_view>> parts;
  for (std::size_t i = 0; i < serving::kStepParts; ++i) parts.emplace_back(t.parts[i], kNames[i]);
  parts.emplace_back(t.pipeline_bubble, "pipeline bubble");
  parts.emplace_back(t.idle, "idle");
  std::stable_sort(parts.begin(), parts.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text;
  for (const auto& [share, name] : parts) {
    if (share < 0.0005) continue;
    text += fmt::format("{}{} {:.1f} %", text.empty() ? "" : ", ", name, 100.0 * share);
  }
  line(out, "time", text);
  line(out, "",
       fmt::format("{} iterations, {} ms each; KV wait {} ms a request", t.iterations,
                   format_number(t.mean_iteration_ms), format_number(t.kv_wait_ms)));
}

void experts(Buffer& out, const serving::ExpertSummary& e) {
  line(
      out, "experts",
      fmt::format("placement {}: balancedness {}, worst MoE layer {} at {}; {} B between nodes a "
                  "token",
                  e.placement, format_number(e.balancedness), e.worst_layer,
                  format_number(e.worst_balancedness), format_number(e.internode_bytes_per_token)));
}

void cost(Buffer& out, const sweep::ScenarioResult& r) {
  const cost::Bill& b = r.bill;
  line(out, "cost",
       fmt::format("{} USD/month ({} h at {} USD/GPU-h: {})", format_number(b.usd_per_month),
                   format_number(r.pricing.hours_per_month),
                   format_number(r.pricing.per_gpu / 1.0_USDph), price_source(r.pricing)));
  line(out, "",
       fmt::format("{} USD/M input, {} USD/M output tokens; {} USD/M output if output pays all",
                   format_number(b.usd_per_million_input_tokens),
                   format_number(b.usd_per_million_output_tokens),
                   format_number(b.usd_per_million_output_tokens_all_in)));
}

}  // namespace

std::string result_table(const sweep::ScenarioResult& r) {
  Buffer out;
  head(out, r);
  memory(out, r.memory);
  if (r.fits) {
    fmt::format_to(std::back_inserter(out), "\n");
    summary(out, r);
    fmt::format_to(std::back_inserter(out), "\n");
    time(out, r.run.time);
    if (r.run.experts.present) experts(out, r.run.experts);
    cost(out, r);
  }
  for (const std::string& note : r.notes) line(out, "note", note);
  if (r.fits) line(out, "fingerprint", fmt::format("{:016x}", r.run.fingerprint));
  return fmt::to_string(out);
}

}  // namespace moesim::report
