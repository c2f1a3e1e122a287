// All-to-alls of TensorRT-LLM inside a rack: operators/nvlink_all_to_all_curve.h against its tests.
//
// One curve per phase and kernel; number formats differ by their bytes. Traffic: picks dealt out
// evenly over the ranks.
// Layer: calibration.
#pragma once

#include <vector>

#include "calibration/study.h"
#include "operators/nvlink_all_to_all_curve.h"

namespace moesim::calibration {

class NvlinkAllToAllStudy final : public Study {
 public:
  [[nodiscard]] std::string_view operation() const override { return "nvlink_all_to_all"; }
  [[nodiscard]] std::span<const std::string_view> folders() const override;
  [[nodiscard]] std::span<const std::string_view> labels() const override;
  void read(const CsvTable& table, const TableOrigin& origin) override;
  void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
               std::span<double> predicted) const override;

 private:
  std::vector<operators::NvlinkExchangeShape> shapes_;
};

}  // namespace moesim::calibration
