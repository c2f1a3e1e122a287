// Time of the experts of one rank behind DeepEP's exchange, fitted to measurements.
//
// Model:   gpu = base + sqrt(c^2 + m^2) + s L + g T, with
//          c = 2 w R / (peak e_c), w = 3 hidden * intermediate: all rows R that are computed;
//          m = (w X bytes per weight + P bytes per row) / (bandwidth e_m): weights of the X experts
//          touched, activations of the P pairs; L experts on the rank; T tokens of the whole group,
//          over whose places the pairs are scattered and gathered.
//          t = (host^8 + gpu^8)^(1/8): many small kernels are launched no faster than the host can.
//          Prefill lays the pairs end to end, each expert's rounded up to 128 rows (contiguous);
//          decode gives each expert a buffer of its own, of which whole blocks of 64 rows are
//          computed (masked), in a CUDA graph.
// Source:  DeepGEMM's two layouts; constants are fitted.
// Omits:   other widths than were measured enter through w alone. Coefficients and errors:
//          docs/models/expert_ranks.md.
// Layer:   operators.
#pragma once

#include <cstdint>
#include <span>

#include "catalog/gpu.h"
#include "operators/coefficient.h"
#include "operators/grouped_gemm.h"
#include "operators/kernel_format.h"
#include "operators/operator_time.h"

namespace moesim::operators {

enum class ExpertLayout { Contiguous, Masked };

/// What a rank has to do, in the terms of the layout.
struct DeepEpExpertLoad {
  std::int64_t pairs = 0;         ///< Token-expert pairs on the rank.
  std::int64_t rows = 0;          ///< Pairs with each expert's filled up to whole blocks.
  std::int64_t touched = 0;       ///< Experts with at least one token.
  std::int64_t experts = 0;       ///< On the rank.
  std::int64_t group_tokens = 0;  ///< Of all ranks together.
};

/// The load of a rank whose experts have `tokens` each.
[[nodiscard]] DeepEpExpertLoad deepep_expert_load(std::span<const std::int32_t> tokens,
                                                  std::int64_t group_tokens, ExpertLayout layout);

class DeepEpExpertCurve {
 public:
  [[nodiscard]] static std::span<const CoefficientSpec> coefficients();
  /// Name of a layout as the curves' variant.
  [[nodiscard]] static std::string_view variant(ExpertLayout layout);

  /// `values` in the order of coefficients(), within their bounds.
  DeepEpExpertCurve(const catalog::Gpu& gpu, const ExpertShape& shape, const KernelFormat& format,
                    std::span<const double> values);
  /// Pure; rises with every field; never below the data sheet's roofs. No pairs: what it takes to
  /// find that out.
  [[nodiscard]] OperatorTime time(const DeepEpExpertLoad& load) const;

 private:
  // Seconds, or seconds per unit.
  double host_ = 0;
  double base_ = 0;
  double per_row_ = 0;
  double per_expert_touched_ = 0;
  double per_pair_ = 0;
  double per_expert_ = 0;
  double per_group_token_ = 0;
};

}  // namespace moesim::operators
