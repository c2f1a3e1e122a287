#include "report/figures.h"

#include <cmath>
#include <limits>

#include "report/number_text.h"

namespace moesim::report {
namespace {

using R = sweep::ScenarioResult;

std::string number(double v) { return number_text(v, 5); }
std::string parameters(double v) { return number_text(v / 1e9, 4) + " B"; }
std::string flops(double v) { return scaled_text(v, "FLOP"); }
std::string bytes(double v) { return scaled_text(v, "B"); }
std::string gigabytes(double v) { return gb_text(v * kByte); }
std::string usd(double v) { return usd_text(v); }
std::string whole(double v) { return count_text(std::llround(v)); }

/// Of a run that served nothing, or whose GPUs have no known price: there is no such figure.
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double served(const R& r, double ms) { return r.run.summary.requests_measured > 0 ? ms : kNone; }
double priced(const R& r, double dollars) { return r.pricing.known ? dollars : kNone; }

constexpr Figure kFigures[] = {
    {"gpus", "GPUs", "", false, [](const R& r) { return static_cast<double>(r.facts.gpus); },
     whole},
    {"total_parameters", "parameters", "", false,
     [](const R& r) { return r.facts.total_parameters; }, parameters},
    {"active_parameters", "active per token", "", false,
     [](const R& r) { return r.facts.active_parameters; }, parameters},
    {"weights_bytes", "weights per GPU", "", false,
     [](const R& r) { return r.memory.per_gpu.weights() / kByte; }, gigabytes},
    {"kv_bytes", "KV cache per GPU", "", false, [](const R& r) { return r.memory.kv_room / kByte; },
     gigabytes},
    {"flops_per_token", "arithmetic per token", "", false,
     [](const R& r) { return r.facts.flops_per_token; }, flops},
    {"bytes_per_token_at_batch", "memory read per token", "", true,
     [](const R& r) { return r.facts.bytes_per_token_at_batch; }, bytes},
    {"mean_batch_tokens", "  at a mean batch", "tokens", true,
     [](const R& r) { return r.facts.mean_batch_tokens; }, number},
    {"requests_per_s", "requests", "/s", true,
     [](const R& r) { return r.run.summary.requests_per_s; }, number},
    {"output_tokens_per_s", "output tokens", "/s", true,
     [](const R& r) { return r.run.summary.output_tokens_per_s; }, number},
    {"total_tokens_per_s", "  with input", "/s", true,
     [](const R& r) { return r.run.summary.total_tokens_per_s; }, number},
    {"tokens_per_s_per_gpu", "  output per GPU", "/s", true,
     [](const R& r) { return r.run.summary.tokens_per_s_per_gpu; }, number},
    {"tokens_per_s_per_user", "  output per user", "/s", true,
     [](const R& r) { return r.run.summary.tokens_per_s_per_user; }, number},
    {"ttft_ms_p50", "TTFT p50", "ms", true,
     [](const R& r) { return served(r, r.run.summary.ttft.p50_ms); }, number},
    {"ttft_ms_p99", "TTFT p99", "ms", true,
     [](const R& r) { return served(r, r.run.summary.ttft.p99_ms); }, number},
    {"tpot_ms_p50", "TPOT p50", "ms", true,
     [](const R& r) { return served(r, r.run.summary.tpot.p50_ms); }, number},
    {"tpot_ms_p99", "TPOT p99", "ms", true,
     [](const R& r) { return served(r, r.run.summary.tpot.p99_ms); }, number},
    {"itl_ms_p50", "ITL p50", "ms", true,
     [](const R& r) { return served(r, r.run.summary.itl.p50_ms); }, number},
    {"itl_ms_p99", "ITL p99", "ms", true,
     [](const R& r) { return served(r, r.run.summary.itl.p99_ms); }, number},
    {"e2e_ms_p50", "end to end p50", "ms", true,
     [](const R& r) { return served(r, r.run.summary.end_to_end.p50_ms); }, number},
    {"e2e_ms_p99", "end to end p99", "ms", true,
     [](const R& r) { return served(r, r.run.summary.end_to_end.p99_ms); }, number},
    {"goodput_requests_per_s", "goodput", "requests/s", true,
     [](const R& r) { return r.run.summary.goodput_requests_per_s; }, number},
    {"slo_attainment", "  share within SLO", "", true,
     [](const R& r) {
       return r.run.summary.requests_measured > 0 ? r.run.summary.slo_attainment : kNone;
     },
     percent_text},
    {"balancedness", "balancedness", "", true,
     [](const R& r) { return r.run.experts.present ? r.run.experts.balancedness : kNone; }, number},
    {"node_copies_per_token", "copies to other nodes", "", true,
     [](const R& r) { return r.run.experts.present ? r.facts.node_copies_per_token : kNone; },
     number},
    {"usd_per_hour", "price", "USD/h", true,
     [](const R& r) { return priced(r, r.bill.usd_per_hour); }, usd},
    {"usd_per_month", "price", "USD/month", true,
     [](const R& r) { return priced(r, r.bill.usd_per_month); }, usd},
    {"usd_per_million_input_tokens", "input tokens", "USD/M", true,
     [](const R& r) {
       return r.run.summary.input_tokens_per_s > 0 ? priced(r, r.bill.usd_per_million_input_tokens)
                                                   : kNone;
     },
     usd},
    {"usd_per_million_output_tokens", "output tokens", "USD/M", true,
     [](const R& r) {
       return r.run.summary.output_tokens_per_s > 0
                  ? priced(r, r.bill.usd_per_million_output_tokens)
                  : kNone;
     },
     usd},
    {"usd_per_million_output_tokens_all_in", "  if output pays all", "USD/M", true,
     [](const R& r) {
       return r.run.summary.output_tokens_per_s > 0
                  ? priced(r, r.bill.usd_per_million_output_tokens_all_in)
                  : kNone;
     },
     usd},
};

}  // namespace

std::span<const Figure> figures() { return kFigures; }

std::optional<double> figure_value(const Figure& figure, const sweep::ScenarioResult& result) {
  if (figure.of_run && !result.fits) return std::nullopt;
  const double value = figure.value(result);
  if (std::isnan(value)) return std::nullopt;
  return value;
}

std::optional<double> figure_ratio(const Figure& figure, const sweep::ScenarioResult& first,
                                   const sweep::ScenarioResult& other) {
  const std::optional<double> below = figure_value(figure, first);
  const std::optional<double> above = figure_value(figure, other);
  if (!below || !above || *below == 0.0) return std::nullopt;
  return *above / *below;
}

}  // namespace moesim::report
