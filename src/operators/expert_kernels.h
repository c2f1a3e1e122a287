// Time of the expert blocks of one MoE layer on one rank, by whichever kernels the engine runs.
//
// The plain roofline, the fitted curve of the grouped kernels, or those of the layouts that an
// exchange of tokens leaves behind: masked after a low-latency one, contiguous after a normal one.
// Layer: operators.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <variant>

#include "operators/deepep_expert_curve.h"
#include "operators/expert_curve.h"
#include "operators/grouped_gemm.h"

namespace moesim::operators {

class ExpertKernels {
 public:
  using Kernel = std::variant<ExpertTimer, ExpertCurve, DeepEpExpertCurve>;
  /// What curves ask besides the load: `layout` of what arrived, and whether the kernels sort the
  /// tokens of the whole group or only those that arrived.
  struct Setting {
    std::int64_t topk = 1;
    ExpertLayout layout = ExpertLayout::Contiguous;
    bool sorts_all = false;
  };
  ExpertKernels(Kernel kernel, const Setting& setting)
      : kernel_(std::move(kernel)), setting_(setting) {}

  /// `slots`: tokens of each of the rank's expert slots; `group_tokens`: of all ranks together.
  /// Pure, allocates nothing, O(slots).
  [[nodiscard]] OperatorTime time(std::span<const std::int32_t> slots,
                                  std::int64_t group_tokens) const;

 private:
  Kernel kernel_;
  Setting setting_;
};

/// Distinct tokens among `pairs` token-expert pairs on a rank, when each of the `group_tokens`
/// tokens picks `topk` experts that fall on the rank with equal chance:
/// T (1 - (1 - P / (k T))^k).
[[nodiscard]] double distinct_tokens(double pairs, double group_tokens, double topk);

}  // namespace moesim::operators
