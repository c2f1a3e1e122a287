// Batched GEMM of absorbed MLA: the tables of `mla_bmm`, columns dtype, op, tokens, heads, us.
//
// `op` is mla_gen_pre (queries: k = 128, n = 512 per head) or mla_gen_post (outputs: k = 512,
// n = 128), the widths of DeepSeek-V3. Group of a row: op and heads. Family: heads.
// Layer: calibration.
#pragma once

#include <vector>

#include "calibration/study.h"
#include "operators/batched_gemm_curve.h"
#include "operators/kernel_format.h"

namespace moesim::calibration {

class BatchedGemmStudy final : public Study {
 public:
  [[nodiscard]] std::string_view operation() const override { return "mla_bmm"; }
  [[nodiscard]] std::span<const std::string_view> folders() const override;
  [[nodiscard]] std::span<const std::string_view> labels() const override;
  void read(const CsvTable& table, const TableOrigin& origin) override;
  void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
               std::span<double> predicted) const override;

 private:
  std::vector<operators::BatchedGemmShape> shapes_;  ///< [sample]
  std::vector<operators::KernelFormat> formats_;     ///< [curve]
};

}  // namespace moesim::calibration
