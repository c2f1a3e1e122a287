// Prefill attention of GQA and MHA layers: operators/prefill_attention_curve.h against timed
// kernels.
//
// Layer: calibration.
#pragma once

#include <vector>

#include "calibration/attention_rows.h"
#include "calibration/study.h"

namespace moesim::calibration {

class PrefillAttentionStudy final : public Study {
 public:
  [[nodiscard]] std::string_view operation() const override { return "attention_prefill"; }
  [[nodiscard]] std::span<const std::string_view> folders() const override;
  [[nodiscard]] std::span<const std::string_view> labels() const override;
  void read(const CsvTable& table, const TableOrigin& origin) override;
  void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
               std::span<double> predicted) const override;

 private:
  std::vector<AttentionRow> rows_;
};

}  // namespace moesim::calibration
