#include "calibration/decode_attention_study.h"

#include <algorithm>
#include <array>
#include <optional>

#include "operators/decode_attention_curve.h"

namespace moesim::calibration {
namespace {

using operators::DecodeAttentionCurve;

constexpr std::array<std::string_view, 1> kFolders{"attention_decode"};
constexpr std::array<std::string_view, 1> kLabels{"decode attention"};

/// Equal sequences as the simulator sums them.
operators::DecodeBatch batch_of(const AttentionRow& row) {
  const std::int64_t window = row.heads.window;
  const std::int64_t seen = window > 0 ? std::min(row.length, window) : row.length;
  return {.sequences = row.batch,
          .context_tokens = row.batch * seen,
          .hidden_tokens = row.batch * (row.length - seen)};
}

}  // namespace

std::span<const std::string_view> DecodeAttentionStudy::folders() const { return kFolders; }
std::span<const std::string_view> DecodeAttentionStudy::labels() const { return kLabels; }

void DecodeAttentionStudy::read(const CsvTable& table, const TableOrigin& origin) {
  const AttentionTable rows(table, "kv_len");
  for (std::size_t r = 0; r < table.rows(); ++r) {
    const AttentionRow row = rows.row(r);
    rows_.push_back(row);
    add({.curve = curve_index(origin, rows.kv_dtype(r), origin.engine,
                              DecodeAttentionCurve::variant(origin.engine, row.heads)),
         .label = 0,
         .group = AttentionTable::group(row),
         .measured = rows.seconds(r)});
  }
}

void DecodeAttentionStudy::predict(std::span<const std::int32_t> samples,
                                   std::span<const double> coefficients,
                                   std::span<double> predicted) const {
  std::optional<DecodeAttentionCurve> curve;
  const AttentionRow* last = nullptr;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto s = static_cast<std::size_t>(samples[i]);
    const AttentionRow& row = rows_[s];
    if (last == nullptr || !same_kernel(*last, row)) {
      const std::int32_t c = this->samples()[s].curve;
      curve.emplace(gpu_of(c), row.heads, row.kv_element, row.math,
                    curves()[static_cast<std::size_t>(c)].variant, coefficients);
      last = &row;
    }
    predicted[i] = curve->time(batch_of(row)).time / kSecond;
  }
}

}  // namespace moesim::calibration
