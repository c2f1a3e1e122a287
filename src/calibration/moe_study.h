// Expert block of one MoE layer on its most loaded rank: the tables of `moe`.
//
// Columns dtype, gemms, kernel, hidden, inter, topk, experts, tp, ep, tokens; latencies us_bal,
// us_pl101, us_pl120 (an empty cell was not measured). The load is that of the balanced assignment
// or the mean over draws of the power law (expert_load_draw.h), as the benchmark made it:
// where it let the kernel route by groups of experts or ignored ep, so does the study.
// Group of a row: all but dtype, gemms, kernel and tokens. Family: hidden, inter, topk, experts.
// What was found about the benchmark's loads: docs/models/expert_gemm.md.
// Layer: calibration.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <tuple>
#include <vector>

#include "calibration/expert_load_draw.h"
#include "calibration/study.h"
#include "operators/expert_curve.h"
#include "operators/kernel_format.h"

namespace moesim::calibration {

/// Tokens of each expert if balanced logits meet group-limited routing: of eight groups of experts
/// four stay, all equal, so the first four do; each token keeps its experts there, and ties fill
/// its other choices from the lowest experts on. Preconditions: experts divisible by 8, topk <=
/// half of them.
[[nodiscard]] std::vector<std::int32_t> group_limited_load(std::int64_t tokens,
                                                           std::int64_t experts, std::int64_t topk);

class MoeStudy final : public Study {
 public:
  [[nodiscard]] std::string_view operation() const override { return "expert_gemm"; }
  [[nodiscard]] std::span<const std::string_view> folders() const override;
  [[nodiscard]] std::span<const std::string_view> labels() const override;
  void read(const CsvTable& table, const TableOrigin& origin) override;
  void predict(std::span<const std::int32_t> samples, std::span<const double> coefficients,
               std::span<double> predicted) const override;

 private:
  struct Row;
  struct Reader;
  /// Work of the most loaded rank under `exponent` (0: balanced).
  [[nodiscard]] std::int32_t work_of(const Row& row, double exponent);

  std::vector<operators::ExpertBlock> blocks_;  ///< [row]
  std::vector<std::int32_t> block_of_;          ///< [sample]
  std::vector<std::int32_t> work_of_;           ///< [sample]
  std::vector<operators::ExpertWork> works_;
  std::vector<operators::KernelFormat> formats_;  ///< [curve]
  /// tokens, experts, topk, ranks, exponent in thousandths, group-limited.
  using LoadKey = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, int, bool>;
  std::map<LoadKey, std::int32_t> known_;
  static constexpr std::int64_t kDraws = 8;
  ExpertLoadDraws draws_{kDraws};
};

}  // namespace moesim::calibration
