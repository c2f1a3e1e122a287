#include "report/band_report.h"

#include <fmt/format.h>

#include <string_view>

#include "report/message_json.h"
#include "report/number_text.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

constexpr int kBandDigits = 3;

double predicted_value(const sweep::ScenarioResult& r, catalog::Figure figure) {
  const serving::Summary& s = r.run.summary;
  switch (figure) {
    case catalog::Figure::Ttft:
      return s.ttft.mean_ms;
    case catalog::Figure::Tpot:
      return s.tpot.mean_ms;
    default:
      return s.output_tokens_per_s;
  }
}

/// "64 rows of 3 sources (dense models on one node with vLLM) and 343 runs of the engine"
std::string evidence(const catalog::Likely& likely) {
  std::string text;
  if (likely.rows > 0) {
    text = fmt::format("{} rows of {} sources, {}", likely.rows, likely.families, likely.group);
  }
  if (likely.fit_rows == 0) return text;
  return text + fmt::format("{}{} runs of the engine", text.empty() ? "" : "; ", likely.fit_rows);
}

std::string words(const sweep::PredictionBand& band, double value) {
  std::string_view name = "output tokens/s";
  std::string_view unit;
  if (band.figure != catalog::Figure::Throughput) unit = " ms";
  if (band.figure == catalog::Figure::Ttft) name = "TTFT";
  if (band.figure == catalog::Figure::Tpot) name = "TPOT";
  return fmt::format("{} {} to {}{} ({:+.0f} to {:+.0f} %): {}", name,
                     number_text(band.likely.low * value, kBandDigits),
                     number_text(band.likely.high * value, kBandDigits), unit,
                     100.0 * (band.likely.low - 1.0), 100.0 * (band.likely.high - 1.0),
                     evidence(band.likely));
}

}  // namespace

void fill_bands(const sweep::ScenarioResult& from, proto::Likely& to) {
  to.set_share(catalog::kLikelyShare);
  for (const sweep::PredictionBand& band : from.bands) {
    const double value = predicted_value(from, band.figure);
    if (!(value > 0.0)) continue;
    proto::LikelyFigure* out = nullptr;
    if (band.figure == catalog::Figure::Throughput) out = to.mutable_output_tokens_per_s();
    if (band.figure == catalog::Figure::Ttft) out = to.mutable_ttft_ms();
    if (band.figure == catalog::Figure::Tpot) out = to.mutable_tpot_ms();
    if (out == nullptr) continue;
    out->set_low(rounded(band.likely.low * value));
    out->set_high(rounded(band.likely.high * value));
    out->set_rows(static_cast<std::int32_t>(band.likely.rows));
    out->set_families(static_cast<std::int32_t>(band.likely.families));
    out->set_group(band.likely.group);
    out->set_fit_rows(static_cast<std::int32_t>(band.likely.fit_rows));
    if (band.coverage) out->set_reached(rounded(*band.coverage));
  }
}

std::string band_lines(const sweep::ScenarioResult& r) {
  std::string lines;
  std::string reached;
  for (const sweep::PredictionBand& band : r.bands) {
    const double value = predicted_value(r, band.figure);
    if (!(value > 0.0)) continue;
    lines += labelled(lines.empty() ? "likely" : "", words(band, value));
    if (band.coverage) {
      reached += fmt::format("{}{:.0f}", reached.empty() ? "" : ", ", 100.0 * *band.coverage);
    }
  }
  if (lines.empty()) return lines;
  std::string last =
      fmt::format("{:.0f} % of measurements lie there", 100.0 * catalog::kLikelyShare);
  if (!reached.empty()) last += fmt::format("; of sources left out {} %", reached);
  return lines + labelled("", last);
}

}  // namespace moesim::report
