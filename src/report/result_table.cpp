#include "report/result_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/band_report.h"
#include "report/interval_report.h"
#include "report/number_text.h"
#include "report/prefix_figures.h"
#include "report/result_json.h"
#include "report/scaling_figures.h"
#include "report/step_names.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

using serving::StepPart;

std::string billions(double parameters) { return number_text(parameters / 1e9, 4) + " B"; }
std::string number(double value) { return number_text(value); }

std::string head(const sweep::ScenarioResult& r) {
  const sweep::DeploymentFacts& f = r.facts;
  std::string page = r.name + "\n";
  for (const std::string& line : wrapped(r.description, kPageWidth)) {
    if (!line.empty()) page += line + "\n";
  }
  page += "\n";
  page += labelled("model", fmt::format("{}, {} parameters, {} active per token, {}", f.model,
                                        billions(f.total_parameters), billions(f.active_parameters),
                                        f.precision));
  page += labelled("cluster", fmt::format("{} x {} of {} node{}, {}, {}", count_text(f.gpus), f.gpu,
                                          f.nodes, f.nodes == 1 ? "" : "s", f.layout, f.engine));
  return page + labelled("workload", f.workload);
}

std::string memory(const plan::MemoryReport& m) {
  std::string page = labelled(
      "memory",
      fmt::format("{}: {} weights + {} workspace + {} KV cache of {} per GPU",
                  m.verdict == plan::Verdict::No ? "does not fit" : plan::to_string(m.verdict),
                  gb_text(m.per_gpu.weights()), gb_text(m.per_gpu.workspace()),
                  gb_text(std::max(m.kv_room, Bytes{})), gb_text(m.gpu_memory)));
  if (m.verdict != plan::Verdict::Fits && !m.reason.empty()) page += labelled("", m.reason);
  if (m.kv_capacity_tokens > 0) {
    page += labelled(
        "", fmt::format("KV cache of {} B per token: {} tokens per instance",
                        number(m.kv_bytes_per_token.base()), count_text(m.kv_capacity_tokens)));
  }
  return page;
}

std::string latency_row(std::string_view label, const serving::Distribution& d) {
  std::string row = left(label, 14);
  // Times are above zero: all zero means that there was nothing to count.
  const bool none = d.mean_ms == 0.0 && d.p99_ms == 0.0;
  for (const double ms : {d.mean_ms, d.p50_ms, d.p90_ms, d.p95_ms, d.p99_ms}) {
    row += right(none ? "-" : number(ms), 14);
  }
  return row + "\n";
}

std::string service(const sweep::ScenarioResult& r) {
  const serving::Summary& s = r.run.summary;
  std::string page =
      labelled("throughput",
               fmt::format("{} output tokens/s, {} with input; {} output tokens/s per GPU, {} per "
                           "user",
                           number(s.output_tokens_per_s), number(s.total_tokens_per_s),
                           number(s.tokens_per_s_per_gpu),
                           s.tokens_per_s_per_user > 0.0 ? number(s.tokens_per_s_per_user) : "-"));
  page += labelled("requests",
                   fmt::format("{} completed, {} rejected; {} measured over {} s: {}/s, goodput "
                               "{}/s ({})",
                               count_text(s.requests_completed), count_text(s.requests_rejected),
                               count_text(s.requests_measured), number(s.measured / kSecond),
                               number(s.requests_per_s), number(s.goodput_requests_per_s),
                               s.requests_measured > 0 ? percent_text(s.slo_attainment) : "-"));
  page += "\n" + left("latency, ms", 14);
  for (const char* name : {"mean", "p50", "p90", "p95", "p99"}) page += right(name, 14);
  page += "\n" + latency_row("TTFT", s.ttft) + latency_row("TPOT", s.tpot);
  page += latency_row("ITL", s.itl) + latency_row("end to end", s.end_to_end);
  return page + interval_lines(s) + band_lines(r);
}

/// What each class of requests has seen.
std::string classes(const serving::RunResult& r) {
  std::string page;
  for (const serving::ClassSummary& c : r.classes) {
    page += labelled(
        page.empty() ? "classes" : "",
        fmt::format("{} (priority {}): {} measured; TTFT {} ms, p99 {}; TPOT {} ms, p99 {}; {}/s, "
                    "goodput {}/s ({}); {} preemptions",
                    c.name, c.priority, count_text(c.requests_measured), number(c.ttft.mean_ms),
                    number(c.ttft.p99_ms), number(c.tpot.mean_ms), number(c.tpot.p99_ms),
                    number(c.requests_per_s), number(c.goodput_requests_per_s),
                    c.requests_measured > 0 ? percent_text(c.slo_attainment) : "-",
                    count_text(c.preemptions)));
  }
  return page;
}

/// What binds a part most, and the error of the curves behind it: "memory bandwidth 83 %, +-8 %".
std::string limit_and_error(const serving::RunResult& run, StepPart part) {
  const auto& limits = run.time.limits[static_cast<std::size_t>(part)];
  const double whole = run.time.parts[static_cast<std::size_t>(part)];
  const auto largest = std::max_element(limits.begin(), limits.end());
  if (whole <= 0.0 || *largest <= 0.0) return "";
  std::string text =
      fmt::format("{} {:.0f} %", kLimitNames[static_cast<std::size_t>(largest - limits.begin())],
                  100.0 * *largest / whole);
  double error = 0;
  bool estimate = false;
  for (const serving::PricedBy& each : run.priced_by) {
    if (each.part != part || each.curve.empty()) continue;
    error = std::max(error, each.band.median);
    estimate = estimate || each.estimate;
  }
  if (error <= 0.0) {
    text += ", not calibrated";
  } else {
    text += fmt::format(", +-{:.0f} %{}", 100.0 * error, estimate ? " (estimate)" : "");
  }
  return text;
}

/// Shares of the time as bars, largest first; beside them what binds each and how sure that is.
std::string time(const serving::RunResult& r) {
  const serving::TimeBreakdown& t = r.time;
  constexpr double kBar = 30.0;
  constexpr double kShown = 0.0005;
  struct Line {
    double share;
    std::string_view name;
    std::string tail;
  };
  std::vector<Line> parts;
  for (std::size_t i = 0; i < serving::kStepParts; ++i) {
    parts.push_back({t.parts[i], kPartNames[i], limit_and_error(r, static_cast<StepPart>(i))});
  }
  parts.push_back({t.pipeline_bubble, "pipeline bubble", ""});
  parts.push_back({t.idle, "idle", ""});
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Line& a, const Line& b) { return a.share > b.share; });
  std::string page =
      labelled("time", fmt::format("{} iterations of {} ms; a request waits {} ms for KV blocks",
                                   count_text(t.iterations), number(t.mean_iteration_ms),
                                   number(t.kv_wait_ms)));
  for (const auto& [share, name, tail] : parts) {
    if (share < kShown) continue;
    const auto bar = static_cast<std::size_t>(std::ceil(share * kBar));
    std::string line = fmt::format("  {:<18}{:>5.1f} %  {:<31}{}", name, 100.0 * share,
                                   std::string(bar, '#'), tail);
    line.erase(line.find_last_not_of(' ') + 1);
    page += line + "\n";
  }
  if (t.split_iterations > 0) {
    const auto part = [&](serving::StepPart p) { return t.parts[static_cast<std::size_t>(p)]; };
    const double shown = part(serving::StepPart::Dispatch) + part(serving::StepPart::Combine);
    const double all = shown + t.hidden;
    page += labelled("overlap",
                     fmt::format("{} of {} iterations in two micro-batches, which hide {:.0f} % of "
                                 "dispatch and combine",
                                 count_text(t.split_iterations), count_text(t.iterations),
                                 all > 0.0 ? 100.0 * t.hidden / all : 0.0));
  }
  return page;
}

/// What preemption did, where sequences are swapped.
std::string swapping(const serving::KvSummary& kv) {
  if (!kv.swap) return "";
  return labelled(
      "swapping",
      fmt::format("{} of {} preemptions to the host, {} blocks out and in; most there {} of {}",
                  count_text(kv.swap->swaps), count_text(kv.preemptions),
                  count_text(kv.swap->moved), count_text(kv.swap->peak),
                  count_text(kv.swap->room)));
}

/// Each pool's rate and idle time, and what the way between them takes.
std::string pools(const serving::RunResult& r) {
  if (!r.handover) return "";
  std::string page;
  for (const serving::PoolResult& pool : r.pools) {
    const bool prefills = pool.role == serving::PoolRole::Prefill;
    const double rate = prefills ? r.summary.input_tokens_per_s : r.summary.output_tokens_per_s;
    page += labelled(
        page.empty() ? "pools" : "",
        fmt::format("{}: {} GPUs, {} {} tokens/s per GPU; idle {:.1f} %, iterations of {} ms, most "
                    "KV blocks {} of {}, {} preemptions",
                    prefills ? "prefill" : "decode", pool.gpus, number(rate / pool.gpus_held),
                    prefills ? "input" : "output", 100.0 * pool.time.idle,
                    number(pool.time.mean_iteration_ms), count_text(pool.kv.peak_blocks),
                    count_text(pool.kv.blocks_per_rank), count_text(pool.kv.preemptions)));
    if (pool.exchanges_longer_by) {
      page += labelled("", fmt::format("  dispatch and combine {:.2f} % longer beside KV caches",
                                       100.0 * *pool.exchanges_longer_by));
    }
  }
  const serving::HandoverSummary& moved = *r.handover;
  if (moved.requests == 0) return page;
  const auto n = static_cast<double>(moved.requests);
  return page +
         labelled(
             "", fmt::format("TTFT of those moved, ms: {} prefill + {} wait for decode blocks "
                             "+ {} transfer of {} B",
                             number(moved.prefill / 1.0_ms / n), number(moved.wait / 1.0_ms / n),
                             number(moved.transfer / 1.0_ms / n), number(moved.bytes / kByte / n)));
}

std::string rebalancing(const serving::RebalancingSummary& r) {
  if (r.rebalancings == 0) {
    return labelled("",
                    fmt::format("no rebalancing in {} looks at the loads", count_text(r.looks)));
  }
  std::string text =
      fmt::format("{} rebalancings moved {} slots, {} B, in {} s; mean / max rank load {} before",
                  count_text(r.rebalancings), count_text(r.slots_moved), number(r.moved / kByte),
                  number(r.lost / kSecond), number_text(r.mean_before(), 4));
  if (r.after_count > 0) text += fmt::format(", {} after", number_text(r.mean_after(), 4));
  return labelled("", text);
}

std::string experts(const serving::ExpertSummary& e) {
  const std::string page = labelled(
      "experts",
      fmt::format("placement {}: mean / max rank load {}, worst MoE layer {} at {}; {} B between "
                  "nodes per token",
                  e.placement, number_text(e.balancedness, 4), e.worst_layer,
                  number_text(e.worst_balancedness, 4), number(e.internode_bytes_per_token)));
  return e.rebalancing ? page + rebalancing(*e.rebalancing) : page;
}

std::string power(const sweep::ScenarioResult& r) {
  const cost::Energy& e = r.energy;
  if (!e.known) return "";
  constexpr int kDigits = 3;
  std::string text =
      fmt::format("{} W per GPU on average, +-{:.0f} %{}", number_text(e.board / kWatt, kDigits),
                  100.0 * e.error, e.estimate ? " (estimate)" : "");
  if (e.facility > e.board) {
    text += fmt::format(", {} W with host, network and cooling",
                        number_text(e.facility / kWatt, kDigits));
  } else {
    text += "; the boards alone:";
  }
  if (e.joules_per_output_token > 0) {
    text += fmt::format("{} {} J per output token", e.facility > e.board ? ";" : "",
                        number_text(e.joules_per_output_token, kDigits));
  }
  if (e.usd_per_month > 0) {
    text += fmt::format("; {} USD/month at {} USD/kWh, part of a rent", usd_text(e.usd_per_month),
                        number(r.pricing.usd_per_kwh));
  }
  return labelled("power", text);
}

std::string cost(const sweep::ScenarioResult& r) {
  if (!r.pricing.known) {
    return labelled("cost",
                    fmt::format("not known: no price of {} is set or in the catalog", r.facts.gpu));
  }
  const cost::Bill& b = r.bill;
  const std::string source = price_source(r.pricing);
  std::string page =
      labelled("cost", fmt::format("{} USD/month of {} h; {} USD per GPU-hour{}",
                                   usd_text(b.usd_per_month), number(r.pricing.hours_per_month),
                                   usd_text(r.pricing.per_gpu / 1.0_USDph),
                                   source.empty() ? "" : " (" + source + ")"));
  if (r.run.summary.output_tokens_per_s <= 0) return page;
  return page +
         labelled("", fmt::format("{} USD/M input and {} USD/M output tokens; {} USD/M output if "
                                  "output pays all",
                                  usd_text(b.usd_per_million_input_tokens),
                                  usd_text(b.usd_per_million_output_tokens),
                                  usd_text(b.usd_per_million_output_tokens_all_in)));
}

}  // namespace

std::string result_table(const sweep::ScenarioResult& r) {
  std::string page = head(r) + memory(r.memory);
  if (r.fits) {
    page += "\n" + service(r) + "\n" + time(r.run) + "\n";
    page += classes(r.run);
    page += swapping(r.run.kv);
    page += pools(r.run);
    page += scaling_text(r.run);
    if (r.run.experts.present) page += experts(r.run.experts);
    if (r.run.prefix) page += labelled("prefixes", prefix_text(*r.run.prefix));
    page += cost(r) + power(r);
  }
  for (const std::string& note : r.notes) page += labelled("note", note);
  if (r.fits) page += labelled("fingerprint", fmt::format("{:016x}", r.run.fingerprint));
  return page;
}

}  // namespace moesim::report
