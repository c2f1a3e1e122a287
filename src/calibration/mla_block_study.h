// Whole MLA blocks, decode and prefill in one: operators/mla_block_curve.h against measurements.
//
// One curve per GPU, engine, format of the projections (the curve's dtype) and of the cache (its
// variant). Group: heads and batch, as all lengths of such a pair were withheld together.
// Layer: calibration.
#pragma once

#include <cstdint>
#include <vector>

#include "calibration/study.h"
#include "operators/attention_batch.h"
#include "operators/mla_shape.h"

namespace moesim::calibration {

class MlaBlockStudy final : public Study {
 public:
  [[nodiscard]] std::string_view operation() const override { return "mla_block"; }
  [[nodiscard]] std::span<const std::string_view> folders() const override;
  [[nodiscard]] std::span<const std::string_view> labels() const override;
  void read(const CsvTable& table, const TableOrigin& origin) override;
  void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
               std::span<double> predicted) const override;

 private:
  /// One of the two batches is empty.
  struct Row {
    std::int64_t heads = 0;
    operators::DecodeBatch decode{};
    operators::MlaPrefillBatch prefill{};
  };
  std::vector<Row> rows_;  ///< [sample]
};

}  // namespace moesim::calibration
