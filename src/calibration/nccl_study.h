// Collectives of NCCL inside one node: operators/nccl_curve.h against nccl-tests.
//
// Layer: calibration.
#pragma once

#include <vector>

#include "calibration/study.h"
#include "operators/nccl_curve.h"

namespace moesim::calibration {

class NcclStudy final : public Study {
 public:
  [[nodiscard]] std::string_view operation() const override { return "nccl"; }
  [[nodiscard]] std::span<const std::string_view> folders() const override;
  [[nodiscard]] std::span<const std::string_view> labels() const override;
  void read(const CsvTable& table, const TableOrigin& origin) override;
  void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
               std::span<double> predicted) const override;

 private:
  struct Row {
    operators::CollectiveOp op;
    std::int64_t gpus;
    Bytes bytes;
  };
  std::vector<Row> rows_;
};

}  // namespace moesim::calibration
