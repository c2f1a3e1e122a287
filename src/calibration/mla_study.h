// MLA attention kernels alone: operators/mla_decode_curve.h and mla_prefill_curve.h against their
// measurements.
//
// One curve per GPU, engine and format of the cache (the curve's dtype). Kernels of DeepSeek-V3's
// shape, heads varied. Group: heads and batch, as all lengths of such a pair were withheld
// together. Layer: calibration.
#pragma once

#include <cstdint>
#include <vector>

#include "calibration/study.h"
#include "operators/attention_batch.h"
#include "operators/mla_shape.h"

namespace moesim::calibration {

/// The block that was measured: DeepSeek-V3's on a rank of `heads` heads.
[[nodiscard]] operators::MlaShape measured_mla(std::int64_t heads);
/// `sequences` prompts of `length` new tokens each, nothing cached.
[[nodiscard]] operators::MlaPrefillBatch whole_prompts(std::int64_t sequences, std::int64_t length);

class MlaDecodeStudy final : public Study {
 public:
  [[nodiscard]] std::string_view operation() const override { return "mla_decode"; }
  [[nodiscard]] std::span<const std::string_view> folders() const override;
  [[nodiscard]] std::span<const std::string_view> labels() const override;
  void read(const CsvTable& table, const TableOrigin& origin) override;
  void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
               std::span<double> predicted) const override;

 private:
  struct Row {
    std::int64_t heads = 0;
    operators::DecodeBatch batch;
  };
  std::vector<Row> rows_;  ///< [sample]
};

class MlaPrefillStudy final : public Study {
 public:
  [[nodiscard]] std::string_view operation() const override { return "mla_prefill"; }
  [[nodiscard]] std::span<const std::string_view> folders() const override;
  [[nodiscard]] std::span<const std::string_view> labels() const override;
  void read(const CsvTable& table, const TableOrigin& origin) override;
  void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
               std::span<double> predicted) const override;

 private:
  struct Row {
    std::int64_t heads = 0;
    operators::MlaPrefillBatch batch;
  };
  std::vector<Row> rows_;  ///< [sample]
};

}  // namespace moesim::calibration
