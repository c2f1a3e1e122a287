#include "report/request_csv.h"

#include <iterator>

#include <fmt/format.h>

#include "core/text.h"

namespace moesim::report {
namespace {

/// Quoted if the text holds what would end a field (RFC 4180).
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

std::string requests_csv(const sweep::ScenarioResult& result) {
  fmt::memory_buffer out;
  const auto to = std::back_inserter(out);
  fmt::format_to(to,
                 "request,arrival_s,ttft_ms,tpot_ms,e2e_ms,input_tokens,output_tokens,preemptions,"
                 "kv_wait_ms\n");
  for (const serving::RequestRecord& r : result.run.requests) {
    fmt::format_to(to, "{},{},{},{},{},{},{},{},{}\n", r.number,
                   format_number(r.arrival.seconds() / kSecond),
                   format_number(r.ttft().milliseconds()), format_number(r.tpot().milliseconds()),
                   format_number(r.end_to_end().milliseconds()), r.input_tokens, r.output_tokens,
                   r.preemptions, format_number(r.kv_wait.milliseconds()));
  }
  return fmt::to_string(out);
}

std::string summary_csv(const sweep::ScenarioResult& result) {
  const serving::Summary& s = result.run.summary;
  const auto n = [](double v) { return format_number(v); };
  return fmt::format(
      "name,model,gpu,gpus,layout,requests_completed,output_tokens_per_s,total_tokens_per_s,"
      "tokens_per_s_per_gpu,ttft_ms_p50,ttft_ms_p99,tpot_ms_p50,tpot_ms_p99,e2e_ms_p50,"
      "goodput_requests_per_s,usd_per_month,usd_per_million_output_tokens,fingerprint\n"
      "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{:016x}\n",
      csv_field(result.name), csv_field(result.facts.model), csv_field(result.facts.gpu),
      result.facts.gpus, csv_field(result.facts.layout), s.requests_completed,
      n(s.output_tokens_per_s), n(s.total_tokens_per_s), n(s.tokens_per_s_per_gpu),
      n(s.ttft.p50_ms), n(s.ttft.p99_ms), n(s.tpot.p50_ms), n(s.tpot.p99_ms),
      n(s.end_to_end.p50_ms), n(s.goodput_requests_per_s), n(result.bill.usd_per_month),
      n(result.bill.usd_per_million_output_tokens), result.run.fingerprint);
}

}  // namespace moesim::report
