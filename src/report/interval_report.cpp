#include "report/interval_report.h"

#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "report/message_json.h"
#include "report/number_text.h"
#include "report/result_json.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

void fill_widths(const serving::HalfWidths& from, proto::HalfWidths& to) {
  if (from.mean) to.set_mean(rounded(*from.mean));
  if (from.p50) to.set_p50(rounded(*from.p50));
  if (from.p90) to.set_p90(rounded(*from.p90));
  if (from.p95) to.set_p95(rounded(*from.p95));
  if (from.p99) to.set_p99(rounded(*from.p99));
}

/// "+-1.2 %"
std::string share(const std::optional<double>& width, double of) {
  if (!width || of <= 0.0) return "-";
  return fmt::format("+-{} %", number_text(100.0 * *width / of, 2));
}

std::string both(std::string_view name, const serving::HalfWidths& widths,
                 const serving::Distribution& d) {
  return fmt::format("{} {} (p99 {})", name, share(widths.mean, d.mean_ms),
                     share(widths.p99, d.p99_ms));
}

}  // namespace

void fill_intervals(const serving::Intervals& from, proto::Intervals& to) {
  to.set_confidence(0.95);
  to.set_batches(static_cast<std::int32_t>(serving::kBatches));
  if (from.requests_per_s) to.set_requests_per_s(rounded(*from.requests_per_s));
  if (from.output_tokens_per_s) to.set_output_tokens_per_s(rounded(*from.output_tokens_per_s));
  if (from.input_tokens_per_s) to.set_input_tokens_per_s(rounded(*from.input_tokens_per_s));
  if (from.total_tokens_per_s) to.set_total_tokens_per_s(rounded(*from.total_tokens_per_s));
  if (from.goodput_requests_per_s) {
    to.set_goodput_requests_per_s(rounded(*from.goodput_requests_per_s));
  }
  fill_widths(from.ttft, *to.mutable_ttft_ms());
  fill_widths(from.tpot, *to.mutable_tpot_ms());
  fill_widths(from.itl, *to.mutable_itl_ms());
  fill_widths(from.end_to_end, *to.mutable_e2e_ms());
  if (from.settled_after) to.set_settled_after_s(rounded(*from.settled_after / kSecond));
}

std::string interval_lines(const serving::Summary& s) {
  const serving::Intervals& i = s.intervals;
  if (!i.present) return "";
  std::string lines =
      labelled("95 % within", fmt::format("throughput {}, goodput {}; {}",
                                          share(i.output_tokens_per_s, s.output_tokens_per_s),
                                          share(i.goodput_requests_per_s, s.goodput_requests_per_s),
                                          both("TTFT", i.ttft, s.ttft)));
  lines += labelled(
      "", fmt::format("{}, {}, {}", both("TPOT", i.tpot, s.tpot), both("ITL", i.itl, s.itl),
                      both("end to end", i.end_to_end, s.end_to_end)));
  if (i.settled_after && *i.settled_after > 0.1 * s.measured) {
    lines += labelled("", fmt::format("throughput settles {} s after the warm-up: a longer one "
                                      "would say more",
                                      number_text(*i.settled_after / kSecond, 3)));
  }
  return lines;
}

}  // namespace moesim::report
