// Experts of one rank of wide expert parallelism, with and without load balancing:
// operators/expert_curve.h against measured ranks.
//
// A row is the most loaded rank of one draw; the curve gets the mean counts over many draws of the
// same kind (expert_load_draw.h), placed and replicated as the product's own balancer does. The
// columns `tokens_per_rank` and `tokens_on_rank` say where that draw fell; they are not used, so
// that what is scored can also be predicted.
// Layer: calibration.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "calibration/expert_load_draw.h"
#include "calibration/replication_speedup.h"
#include "calibration/study.h"
#include "operators/expert_curve.h"

namespace moesim::calibration {

class ExpertRankStudy final : public Study {
 public:
  [[nodiscard]] std::string_view operation() const override { return "expert_rank"; }
  [[nodiscard]] std::span<const std::string_view> folders() const override;
  [[nodiscard]] std::span<const std::string_view> labels() const override;
  void read(const CsvTable& table, const TableOrigin& origin) override;
  void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
               std::span<double> predicted) const override;
  [[nodiscard]] std::vector<Derived> derived(std::span<const double> predicted) const override;

 private:
  struct Row {
    const catalog::Gpu* gpu = nullptr;
    operators::KernelFormat format;
    operators::ExpertBlock block;
    operators::ExpertWork work;  ///< Mean counts.
  };
  /// Mean counts of the hottest rank.
  [[nodiscard]] const operators::ExpertWork& work_of(const LoadDrawSpec& spec);

  static constexpr std::int64_t kDraws = 32;
  ExpertLoadDraws draws_{kDraws};
  std::map<const std::vector<HotRank>*, operators::ExpertWork> works_;  ///< Looked up only.
  std::vector<Row> rows_;
  std::vector<ReplicationRow> replication_;
};

}  // namespace moesim::calibration
