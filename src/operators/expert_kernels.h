// Time of the expert blocks of one MoE layer on one rank, by whichever kernels the engine runs.
//
// The plain roofline, the fitted curve of the grouped kernels, or those of the layouts that an
// exchange of tokens leaves behind: masked after a low-latency one, contiguous after a normal one.
// Layer: operators.
#pragma once

#include <cstdint>
#include <span>
#include <variant>

#include "operators/deepep_expert_curve.h"
#include "operators/expert_curve.h"
#include "operators/grouped_gemm.h"

namespace moesim::operators {

/// How a layer's tokens came to the rank.
struct ExpertArrival {
  double group_tokens = 0;    ///< Tokens of all ranks of the group.
  double looked_through = 0;  ///< Tokens the rank's kernels sort; 0: those that arrived.
};

class ExpertKernels {
 public:
  using Kernel = std::variant<ExpertTimer, ExpertCurve, DeepEpExpertCurve>;
  /// `layout` and `topk` matter to curves only.
  ExpertKernels(Kernel kernel, std::int64_t topk, ExpertLayout layout)
      : kernel_(std::move(kernel)), topk_(static_cast<double>(topk)), layout_(layout) {}

  /// `slots`: tokens of each of the rank's expert slots. Pure, allocates nothing, O(slots).
  [[nodiscard]] OperatorTime time(std::span<const std::int32_t> slots,
                                  const ExpertArrival& arrival) const;

 private:
  Kernel kernel_;
  double topk_;
  ExpertLayout layout_;
};

/// Distinct tokens among `pairs` token-expert pairs on a rank, when each of the `group_tokens`
/// tokens picks `topk` experts that fall on the rank with equal chance:
/// T (1 - (1 - P / (k T))^k).
[[nodiscard]] double distinct_tokens(double pairs, double group_tokens, double topk);

}  // namespace moesim::operators
