// Which curve, or which plain roofline, prices each operator of a deployment, and how far it may
// be off.
//
// An operator takes the nearest fitted curve of the engine's kernels on the GPU, unless the
// scenario sets its efficiency or there is no curve: then the roofline. Rules: docs/models/
// operators.md.
// Layer: serving.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/curve.h"
#include "operators/attention.h"
#include "operators/exchange_model.h"
#include "operators/expert_kernels.h"
#include "operators/gemm_timer.h"
#include "operators/mla_block_curve.h"
#include "serving/deployment.h"
#include "serving/step_time.h"

namespace moesim::serving {

/// What prices an operator of a part of the iteration.
struct PricedBy {
  StepPart part = StepPart::Attention;
  std::string operation{};  ///< "gemm"
  std::string curve{};      ///< "H200-SXM fp8b sglang"; empty: the plain roofline.
  bool estimate = false;    ///< Measured on another GPU, in another format or by another engine.
  catalog::ErrorBand band{};
  friend bool operator==(const PricedBy&, const PricedBy&) = default;
};

/// How tokens come to the experts of a rank.
enum class TokensCome {
  NotSent,     ///< Every rank has them: dp 1, or all are gathered.
  ByDeepEp,    ///< Or by plain copies, where no kernels were measured.
  OverNvLink,  ///< TensorRT-LLM's kernels, into buffers of the whole group.
};

class Kernels {
 public:
  /// `deployment` must outlive it.
  explicit Kernels(const Deployment& deployment) : deployment_(&deployment) {}

  [[nodiscard]] operators::GemmTimer gemm(StepPart part, const catalog::WeightFormat& weights);
  [[nodiscard]] operators::GemmTimer head();
  [[nodiscard]] operators::AttentionTimer attention(const catalog::Attention& attention);
  /// Curve of the whole block; nothing for layers of other kinds, with sparse selection, or where
  /// the roofline is wanted.
  [[nodiscard]] std::optional<operators::MlaBlockCurve> mla_block(
      const catalog::Attention& attention);
  /// Routed experts. Tokens that DeepEP brought lie in `layout`.
  [[nodiscard]] operators::ExpertKernels experts(const operators::ExpertShape& shape,
                                                 std::int64_t local_experts, std::int64_t topk,
                                                 TokensCome tokens, operators::ExpertLayout layout);
  /// Takes down what prices a collective: its curve, or the plain form.
  void note_collective(StepPart part, std::string_view operation,
                       const std::optional<catalog::CurveMatch>& match) {
    note(part, operation, match, operation != "nccl");
  }
  /// Curves of dispatch and combine; nothing where none is known.
  [[nodiscard]] std::optional<operators::MeasuredExchange> exchange(
      operators::AllToAllKind kind, const operators::ExchangeShape& shape);
  /// Everything asked for so far, each once.
  [[nodiscard]] std::span<const PricedBy> priced_by() const { return priced_by_; }

 private:
  /// Kernels for tokens that lie as an exchange left them; nothing where none was measured.
  [[nodiscard]] std::optional<operators::ExpertKernels> exchanged_experts(
      const operators::ExpertShape& shape, const operators::ExpertKernels::Setting& setting,
      TokensCome tokens, std::int64_t local_experts);
  [[nodiscard]] operators::ExpertCurve grouped_curve(
      const catalog::CurveMatch& match, const operators::ExpertShape& shape,
      const operators::ExpertKernels::Setting& setting, std::int64_t local_experts) const;
  [[nodiscard]] std::optional<catalog::CurveMatch> find(StepPart part, std::string_view operation,
                                                        const catalog::WeightFormat& weights,
                                                        std::string_view variant = {});
  /// `own_of_engine`: the operation's kernels are the engine's, not a library's.
  void note(StepPart part, std::string_view operation, std::optional<catalog::CurveMatch> match,
            bool own_of_engine = true);
  /// Curve of the kernel that the engine, or the one that stands in for it, runs experts on.
  [[nodiscard]] std::optional<catalog::CurveMatch> usual_experts(std::int64_t matrices) const;

  const Deployment* deployment_;
  std::vector<PricedBy> priced_by_;
};

}  // namespace moesim::serving
