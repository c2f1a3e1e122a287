// Experts behind DeepEP's exchange: operators/deepep_expert_curve.h against measured ranks.
//
// A row is the most loaded rank of one draw; predicted is the mean over many draws of the same kind
// (expert_load_draw.h). Balanced rows of the contiguous layout fill whole blocks of 128 tokens, one
// expert after the other, before they start a second block.
// Layer: calibration.
#pragma once

#include <cstdint>
#include <vector>

#include "calibration/expert_load_draw.h"
#include "calibration/study.h"
#include "operators/deepep_expert_curve.h"

namespace moesim::calibration {

class DeepEpExpertsStudy final : public Study {
 public:
  [[nodiscard]] std::string_view operation() const override { return "deepep_experts"; }
  [[nodiscard]] std::span<const std::string_view> folders() const override;
  [[nodiscard]] std::span<const std::string_view> labels() const override;
  void read(const CsvTable& table, const TableOrigin& origin) override;
  void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
               std::span<double> predicted) const override;

 private:
  /// One row: what it ran on, and its draws in loads_.
  struct Row {
    const catalog::Gpu* gpu = nullptr;
    operators::ExpertShape shape;
    operators::KernelFormat format;
    std::size_t first = 0;
    std::size_t draws = 0;
  };

  static constexpr std::int64_t kDraws = 32;
  ExpertLoadDraws draws_{kDraws};
  std::vector<Row> rows_;
  std::vector<operators::DeepEpExpertLoad> loads_;
};

}  // namespace moesim::calibration
