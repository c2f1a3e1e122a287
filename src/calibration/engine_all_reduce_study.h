// All-reduces of the serving engines: operators/engine_all_reduce_curve.h against measurements.
//
// Layer: calibration.
#pragma once

#include <vector>

#include "calibration/study.h"

namespace moesim::calibration {

class EngineAllReduceStudy final : public Study {
 public:
  [[nodiscard]] std::string_view operation() const override { return "engine_all_reduce"; }
  [[nodiscard]] std::span<const std::string_view> folders() const override;
  [[nodiscard]] std::span<const std::string_view> labels() const override;
  void read(const CsvTable& table, const TableOrigin& origin) override;
  void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
               std::span<double> predicted) const override;

 private:
  struct Row {
    std::int64_t gpus;
    Bytes bytes;
  };
  std::vector<Row> rows_;
};

}  // namespace moesim::calibration
