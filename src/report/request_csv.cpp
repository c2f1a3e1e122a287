#include "report/request_csv.h"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <vector>

#include "report/figures.h"
#include "report/number_text.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

/// Whole microseconds: arrivals of a long run stay apart and in order.
std::string microseconds_text(SimTime time) {
  constexpr std::int64_t kPicosecondsPerMicrosecond = 1'000'000;
  const std::int64_t us = time.picoseconds() / kPicosecondsPerMicrosecond;
  return fmt::format("{}.{:06}", us / 1'000'000, us % 1'000'000);
}

}  // namespace

std::string requests_csv(const sweep::ScenarioResult& result) {
  fmt::memory_buffer out;
  const auto to = std::back_inserter(out);
  fmt::format_to(to,
                 "request,arrival_s,ttft_ms,tpot_ms,e2e_ms,input_tokens,output_tokens,preemptions,"
                 "kv_wait_ms{}\n",
                 result.run.classes.empty() ? "" : ",class");
  for (const serving::RequestRecord& r : result.run.requests) {
    fmt::format_to(to, "{},{},{},{},{},{},{},{},{}", r.number, microseconds_text(r.arrival),
                   plain_number(r.ttft().milliseconds()), plain_number(r.tpot().milliseconds()),
                   plain_number(r.end_to_end().milliseconds()), r.input_tokens, r.output_tokens,
                   r.preemptions, plain_number(r.kv_wait.milliseconds()));
    if (!result.run.classes.empty()) {
      fmt::format_to(to, ",{}",
                     csv_field(result.run.classes[static_cast<std::size_t>(r.service_class)].name));
    }
    out.push_back('\n');
  }
  return fmt::to_string(out);
}

std::string summary_csv(const sweep::ScenarioResult& result) {
  const sweep::DeploymentFacts& f = result.facts;
  std::vector<std::string> head = {"name", "status", "model",  "precision",
                                   "gpu",  "layout", "engine", "requests_completed"};
  std::vector<std::string> row = {
      result.name, result.fits ? "done" : "does_not_fit",
      f.model,     f.precision,
      f.gpu,       f.layout,
      f.engine,    fmt::format("{}", result.run.summary.requests_completed)};
  for (const Figure& figure : figures()) {
    head.emplace_back(figure.key);
    const auto value = figure_value(figure, result);
    row.push_back(value ? plain_number(*value) : "");
  }
  head.emplace_back("fingerprint");
  row.push_back(result.fits ? fmt::format("{:016x}", result.run.fingerprint) : "");
  return csv_row(head) + csv_row(row);
}

}  // namespace moesim::report
