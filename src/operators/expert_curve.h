// Time of the expert block of one MoE layer on one rank as measured, from the load it really got.
//
// Model:   w = matrices h i weights an expert (i: divided by the expert TP), X experts touched with
//          P token-expert pairs, R_t rows when tiles of t rows are filled, A tokens that arrived, T
//          tokens that the rank's kernels look through, L experts on the rank.
//              rows    = min over t of R_t (1 + tile_half / t)
//              compute = 2 rows ((matrices - 1) h i (1 + k_half/h) + h i (1 + k_half/i))
//                        / (peak * compute share)
//              memory  = read(w X bytes per weight) / (bandwidth * memory share)
//              work    = smooth_max(compute, memory; serial)
//                        + (activation P + gather T k) (3 h + (matrices + 1) i) 2 B / bandwidth
//              floor   = launch + expert L + step (h + i) + token T + sort T / (T + sort_half)
//              t       = overlapped(floor, work; overlap)
//          and never below max(flops of P / peak, weights / bandwidth). read(): weights that fit
//          the L2 cache and were used just before come back four times as fast; not so when cold.
//          A kernel that computes all k pairs of the tokens that arrived has max(0, A k - R_t) more
//          rows, and gathers A k pairs.
// Source:  coefficients fitted per GPU, format, engine and kernel:
//          scenarios/catalog/curves/expert_gemm.txtpb; docs/models/expert_gemm.md.
// Omits:   router, shared experts, communication; a kernel's own bad choices of tiles.
// Layer:   operators.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "catalog/gpu.h"
#include "operators/coefficient.h"
#include "operators/kernel_format.h"
#include "operators/operator_time.h"

namespace moesim::operators {

/// Rows of the tiles that the kernels choose from.
inline constexpr std::array<std::int64_t, 5> kExpertTiles = {8, 16, 32, 64, 128};

/// What one rank got in one layer: counts, or means of counts over draws.
struct ExpertWork {
  double pairs = 0;                                  ///< P: token-expert pairs.
  double experts_touched = 0;                        ///< X: local experts with at least one token.
  double arrived = 0;                                ///< A: distinct tokens with a pair here.
  double looked_through = 0;                         ///< T: tokens the rank's kernels look through.
  std::array<double, kExpertTiles.size()> padded{};  ///< R_t, in the order of kExpertTiles.

  /// Adds one local expert with `tokens` tokens to pairs, experts_touched and padded.
  void add_expert(std::int64_t tokens) {
    if (tokens <= 0) return;
    pairs += static_cast<double>(tokens);
    experts_touched += 1.0;
    for (std::size_t t = 0; t < kExpertTiles.size(); ++t) {
      const std::int64_t tile = kExpertTiles[t];  // A power of two: up to its next multiple.
      padded[t] += static_cast<double>((tokens + tile - 1) & -tile);
    }
  }
};

/// What does not change from call to call.
struct ExpertBlock {
  std::int64_t hidden = 0;
  std::int64_t intermediate = 0;   ///< Of this rank: divided by the expert TP.
  std::int64_t matrices = 3;       ///< 3 gated, 2 plain.
  std::int64_t local_experts = 1;  ///< L: expert slots of the rank.
  std::int64_t topk = 1;           ///< k
  bool computes_foreign = false;   ///< The kernel computes all k pairs of every token it got.
  bool cold = true;                ///< Weights come from memory, as they do when layers alternate.
};

/// The kernel (variant of the curve) that an engine runs its experts on by default in the format
/// `dtype` on such a GPU; `matrices` as above.
[[nodiscard]] std::string_view usual_expert_kernel(const catalog::Gpu& gpu, std::string_view engine,
                                                   std::string_view dtype, std::int64_t matrices);

class ExpertCurve {
 public:
  [[nodiscard]] static std::span<const CoefficientSpec> coefficients();
  /// `values` in the order of coefficients(), within their bounds.
  ExpertCurve(const catalog::Gpu& gpu, const KernelFormat& format, const ExpertBlock& block,
              std::span<const double> values);
  /// Pure, allocates nothing. Monotone in each count; no pairs take no time.
  [[nodiscard]] OperatorTime time(const ExpertWork& work) const;
  /// max(flops / peak, bytes of the weights touched / bandwidth).
  [[nodiscard]] Seconds data_sheet_bound(const ExpertWork& work) const;

 private:
  std::array<double, kExpertTiles.size()> tile_cost_{};  ///< 1 + tile_half / t
  double floor_us_ = 0;
  double us_per_token_ = 0;
  double sort_us_ = 0;
  double sort_half_ = 1;
  double us_per_row_ = 0;         ///< Compute.
  double us_per_pair_ = 0;        ///< Passes over the activations of a pair.
  double us_per_gathered_ = 0;    ///< Passes over each of the k pairs of a token, here or not.
  double us_per_expert_ = 0;      ///< Weights from memory.
  double caches_per_expert_ = 0;  ///< Weights as a share of the cache; 0: cold.
  double serial_ = 0;
  double overlap_ = 0;
  double topk_ = 1;
  bool foreign_ = false;
  double bound_us_per_pair_ = 0;
  double bound_us_per_expert_ = 0;
};

}  // namespace moesim::operators
