#include "validation/row_metric.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "core/percentile.h"
#include "validation/row_names.h"

namespace moesim::validation {
namespace {

using serving::RequestRecord;

/// Cuts `end` off `text`; false if it does not end so.
bool cut(std::string_view& text, std::string_view end) {
  if (!text.ends_with(end)) return false;
  text.remove_suffix(end.size());
  return true;
}

bool read_statistic(std::string_view& name, Metric& metric) {
  if (cut(name, "_mean") || cut(name, "_avg")) return true;
  if (cut(name, "_median")) {
    metric.statistic = Statistic::Percentile;
    return true;
  }
  const std::size_t p = name.rfind("_p");
  if (p == std::string_view::npos) return true;
  const auto percent = number_behind(name.substr(p), "_p");
  if (!percent || *percent > 100) return false;
  metric.statistic = Statistic::Percentile;
  metric.percent = *percent;
  name = name.substr(0, p);
  return true;
}

bool latency(std::string_view name, const std::string& unit, Metric& metric) {
  constexpr double kMilli = 1e3;
  constexpr double kMicro = 1e6;
  if (!read_statistic(name, metric)) return false;
  if (name == "ttft") {
    metric.quantity = Quantity::Ttft;
  } else if (name == "tpot") {
    metric.quantity = Quantity::Tpot;
  } else if (name == "itl") {
    metric.quantity = Quantity::Itl;
  } else if (name == "e2e" || name == "e2el" || name == "latency" || name == "end_to_end") {
    metric.quantity = Quantity::EndToEnd;
  } else {
    return false;
  }
  if (unit == "ms") {
    metric.scale = kMilli;
  } else if (unit == "us") {
    metric.scale = kMicro;
  } else if (unit != "s") {
    return false;
  }
  return true;
}

bool rate(std::string_view name, Metric& metric) {
  if (cut(name, "_per_gpu")) metric.per = Metric::Per::Gpu;
  if (cut(name, "_per_node")) metric.per = Metric::Per::Node;
  if (name == "output_throughput" || name == "decode_throughput") {
    metric.quantity = Quantity::OutputRate;
  } else if (name == "input_throughput" || name == "prefill_throughput") {
    metric.quantity = Quantity::InputRate;
  } else if (name == "throughput" || name == "total_throughput") {
    metric.quantity = Quantity::TotalRate;
  } else {
    return false;
  }
  return true;
}

/// Requests that count, in order of completion.
std::vector<const RequestRecord*> counted(const sweep::ScenarioResult& result,
                                          const RowScenario& plan) {
  std::vector<const RequestRecord*> kept;
  std::vector<std::int64_t> numbers;
  for (const RequestRecord& r : result.run.requests) numbers.push_back(r.number);
  std::sort(numbers.begin(), numbers.end());
  std::int64_t first = 0;
  std::int64_t last = INT64_MAX;
  const auto rounds = static_cast<std::size_t>(std::max<std::int64_t>(1, plan.concurrency));
  if (plan.load == Load::Closed && numbers.size() >= 3 * rounds) {
    first = numbers[rounds];
    last = numbers[numbers.size() - rounds - 1];
  }
  for (const RequestRecord& r : result.run.requests) {
    if (r.arrival.seconds() / kSecond < plan.warm_up_s) continue;
    if (r.number >= first && r.number <= last) kept.push_back(&r);
  }
  return kept;
}

double seconds(SimTime t) { return t.seconds() / kSecond; }

struct Rates {
  double input = 0;
  double output = 0;
};

/// Little's law in a closed loop; all tokens over the whole time where everything counts.
Rates rates(const std::vector<const RequestRecord*>& requests, const sweep::ScenarioResult& result,
            const RowScenario& plan) {
  if (plan.load == Load::DecodeRound) {
    // While nobody's prompt is in the way: all in flight, a token each at every gap.
    constexpr double kMilli = 1e3;
    const double gap = result.run.summary.itl.p50_ms / kMilli;
    return {0.0, gap > 0 ? static_cast<double>(plan.concurrency) / gap : 0.0};
  }
  if (plan.load == Load::Steady) {
    const serving::Summary& s = result.run.summary;
    return {s.input_tokens_per_s, s.output_tokens_per_s};
  }
  double input = 0;
  double output = 0;
  double busy = 0;
  double start = HUGE_VAL;
  double end = 0;
  for (const RequestRecord* r : requests) {
    input += r->input_tokens;
    output += r->output_tokens;
    busy += seconds(r->end_to_end());
    start = std::min(start, seconds(r->arrival));
    end = std::max(end, seconds(r->finish));
  }
  const double time =
      plan.load == Load::Closed ? busy / static_cast<double>(plan.concurrency) : end - start;
  if (!(time > 0)) return {};
  return {input / time, output / time};
}

double of(const RequestRecord& r, Quantity quantity) {
  if (quantity == Quantity::Ttft) return seconds(r.ttft());
  if (quantity == Quantity::EndToEnd) return seconds(r.end_to_end());
  return seconds(r.tpot());
}

std::optional<double> latency_value(const Metric& metric,
                                    const std::vector<const RequestRecord*>& requests) {
  std::vector<double> values;
  double weight = 0;
  double sum = 0;
  for (const RequestRecord* r : requests) {
    const bool gaps = metric.quantity == Quantity::Tpot || metric.quantity == Quantity::Itl;
    if (gaps && r->output_tokens <= 1) continue;
    values.push_back(of(*r, metric.quantity));
    // The mean gap counts each gap once, the mean TPOT each request.
    const double w = metric.quantity == Quantity::Itl ? r->output_tokens - 1 : 1;
    weight += w;
    sum += w * values.back();
  }
  if (values.empty()) return std::nullopt;
  if (metric.statistic == Statistic::Mean) return metric.scale * sum / weight;
  std::sort(values.begin(), values.end());
  return metric.scale * percentile(values, metric.percent);
}

/// "TTFT<1 s and ITL<50 ms".
bool read_limits(std::string_view note, Metric& metric) {
  constexpr double kMilli = 1e3;
  const auto ttft = number_behind(note, "TTFT<");
  const auto itl = number_behind(note, "ITL<");
  if (!ttft || !itl) return false;
  metric.quantity = Quantity::SloMet;
  const std::string_view behind = note.substr(note.find("TTFT<"), 16);
  metric.ttft_limit_ms = behind.find(" ms") < behind.find(" s") ? *ttft : kMilli * *ttft;
  metric.itl_limit_ms = *itl;
  return true;
}

double slo_met(const Metric& metric, const std::vector<const RequestRecord*>& requests) {
  constexpr double kMilli = 1e3;
  double met = 0;
  for (const RequestRecord* r : requests) {
    const bool good = kMilli * seconds(r->ttft()) <= metric.ttft_limit_ms &&
                      kMilli * seconds(r->tpot()) <= metric.itl_limit_ms;
    if (good) met += 1;
  }
  return met;
}

}  // namespace

std::optional<Metric> metric_of(const scenario::PublishedRow& row,
                                const std::vector<scenario::PublishedRow>& rows) {
  Metric metric;
  if (row.metric == "slo_attainment") {
    if (!row.unit.starts_with("requests")) return std::nullopt;
    if (read_limits(row.note, metric)) return metric;
    // A table states its objective once.
    for (const scenario::PublishedRow& other : rows) {
      const bool same = other.metric == row.metric && other.source == row.source &&
                        other.model == row.model && other.family() == row.family();
      if (same && read_limits(other.note, metric)) return metric;
    }
    return std::nullopt;
  }
  if (latency(row.metric, row.unit, metric)) return metric;
  metric = {};
  if (rate(row.metric, metric) && row.unit.starts_with("tok/s")) return metric;
  return std::nullopt;
}

std::optional<catalog::Figure> figure_of(const Metric& metric) {
  constexpr double kMedian = 50;
  if (metric.statistic == Statistic::Percentile && metric.percent != kMedian) return std::nullopt;
  switch (metric.quantity) {
    case Quantity::OutputRate:
    case Quantity::InputRate:
    case Quantity::TotalRate:
      return catalog::Figure::Throughput;
    case Quantity::Ttft:
      return catalog::Figure::Ttft;
    case Quantity::Tpot:
    case Quantity::Itl:
      return catalog::Figure::Tpot;
    default:
      return std::nullopt;
  }
}

std::optional<double> metric_value(const Metric& metric, const sweep::ScenarioResult& result,
                                   const RowScenario& plan) {
  if (plan.load == Load::DecodeRound && metric.quantity == Quantity::Ttft) return std::nullopt;
  const std::vector<const RequestRecord*> requests = counted(result, plan);
  if (requests.empty()) return std::nullopt;
  if (metric.quantity == Quantity::SloMet) return slo_met(metric, requests);
  if (metric.quantity != Quantity::OutputRate && metric.quantity != Quantity::InputRate &&
      metric.quantity != Quantity::TotalRate) {
    return latency_value(metric, requests);
  }
  const Rates r = rates(requests, result, plan);
  double value = metric.quantity == Quantity::OutputRate  ? r.output
                 : metric.quantity == Quantity::InputRate ? r.input
                                                          : r.input + r.output;
  if (metric.per == Metric::Per::Gpu) value /= plan.gpus;
  constexpr double kGpusOfNode = 8;
  if (metric.per == Metric::Per::Node) value *= kGpusOfNode / plan.gpus;
  return value;
}

}  // namespace moesim::validation
