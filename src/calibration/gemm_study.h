// Dense GEMM: the tables of `gemm`, columns dtype, m, n, k, us.
//
// Group of a row: its n and k. Family: its k.
// Layer: calibration.
#pragma once

#include <vector>

#include "calibration/study.h"
#include "operators/gemm.h"
#include "operators/kernel_format.h"

namespace moesim::calibration {

class GemmStudy final : public Study {
 public:
  [[nodiscard]] std::string_view operation() const override { return "gemm"; }
  [[nodiscard]] std::span<const std::string_view> folders() const override;
  [[nodiscard]] std::span<const std::string_view> labels() const override;
  void read(const CsvTable& table, const TableOrigin& origin) override;
  void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
               std::span<double> predicted) const override;

 private:
  std::vector<operators::GemmShape> shapes_;      ///< [sample]
  std::vector<operators::KernelFormat> formats_;  ///< [curve]
};

}  // namespace moesim::calibration
