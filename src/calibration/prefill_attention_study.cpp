#include "calibration/prefill_attention_study.h"

#include <algorithm>
#include <array>
#include <optional>

#include "operators/attention.h"
#include "operators/prefill_attention_curve.h"

namespace moesim::calibration {
namespace {

using operators::PrefillAttentionCurve;

constexpr std::array<std::string_view, 1> kFolders{"attention_prefill"};
constexpr std::array<std::string_view, 1> kLabels{"prefill attention"};

/// Equal prompts without a cached prefix as the simulator sums them.
operators::PrefillBatch batch_of(const AttentionRow& row) {
  const std::int64_t window = row.heads.window;
  const std::int64_t seen = window > 0 ? std::min(row.length, window) : row.length;
  const double pairs = operators::causal_pairs(row.length, 0, window, false);
  return {.new_tokens = row.batch * row.length,
          .context_tokens = row.batch * seen,
          .pairs = static_cast<double>(row.batch) * pairs};
}

}  // namespace

std::span<const std::string_view> PrefillAttentionStudy::folders() const { return kFolders; }
std::span<const std::string_view> PrefillAttentionStudy::labels() const { return kLabels; }

void PrefillAttentionStudy::read(const CsvTable& table, const TableOrigin& origin) {
  const AttentionTable rows(table, "isl");
  for (std::size_t r = 0; r < table.rows(); ++r) {
    const AttentionRow row = rows.row(r);
    rows_.push_back(row);
    add({.curve = curve_index(origin, rows.dtype(r), origin.engine,
                              PrefillAttentionCurve::variant(row.heads)),
         .label = 0,
         .group = AttentionTable::group(row),
         .measured = rows.seconds(r)});
  }
}

void PrefillAttentionStudy::predict(std::span<const std::int32_t> samples,
                                    std::span<const double> coefficients,
                                    std::span<double> predicted) const {
  std::optional<PrefillAttentionCurve> curve;
  const AttentionRow* last = nullptr;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto s = static_cast<std::size_t>(samples[i]);
    const AttentionRow& row = rows_[s];
    if (last == nullptr || !same_kernel(*last, row)) {
      curve.emplace(gpu_of(this->samples()[s].curve), row.heads, row.kv_element, row.math,
                    coefficients);
      last = &row;
    }
    predicted[i] = curve->time(batch_of(row)).time / kSecond;
  }
}

}  // namespace moesim::calibration
