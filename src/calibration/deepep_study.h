// DeepEP's exchanges of tokens: operators/deepep_*_curve.h against its own tests.
//
// Dispatch and combine of a row are two samples of two curves. All versions of DeepEP make one
// curve of a GPU. Traffic: even random picks, as DeepEP's tests draw them.
// Layer: calibration.
#pragma once

#include <vector>

#include "calibration/study.h"
#include "operators/deepep_low_latency_curve.h"
#include "operators/deepep_normal_curve.h"

namespace moesim::calibration {

class DeepEpLowLatencyStudy final : public Study {
 public:
  [[nodiscard]] std::string_view operation() const override { return "deepep_low_latency"; }
  [[nodiscard]] std::span<const std::string_view> folders() const override;
  [[nodiscard]] std::span<const std::string_view> labels() const override;
  void read(const CsvTable& table, const TableOrigin& origin) override;
  void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
               std::span<double> predicted) const override;

 private:
  std::vector<operators::LowLatencyShape> shapes_;
};

class DeepEpNormalStudy final : public Study {
 public:
  [[nodiscard]] std::string_view operation() const override { return "deepep_normal"; }
  [[nodiscard]] std::span<const std::string_view> folders() const override;
  [[nodiscard]] std::span<const std::string_view> labels() const override;
  void read(const CsvTable& table, const TableOrigin& origin) override;
  void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
               std::span<double> predicted) const override;

 private:
  std::vector<operators::NormalExchangeShape> shapes_;
};

}  // namespace moesim::calibration
