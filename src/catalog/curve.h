// Curves fitted to measured latencies, with their errors, and the choice of the nearest one.
//
// A curve belongs to an operation on one GPU in one number format as one engine runs it. What was
// never measured takes the nearest curve with the GPU's own data-sheet rates: nearest in number
// format, then GPU (the same, one of the same architecture, or the nearest by rates), then engine,
// then variant; among GPUs of the same architecture rates come last.
// Source of each curve: scenarios/catalog/curves/*.txtpb. Rules: docs/models/operators.md.
// Layer: catalog.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/gpu.h"

namespace moesim::catalog {

/// What a curve is for. Empty parts: the operation has none.
struct CurveKey {
  std::string operation{};  ///< "gemm"
  std::string gpu{};        ///< Name in the catalog.
  std::string dtype{};      ///< operators/kernel_format.h
  std::string engine{};     ///< "trtllm", "sglang", "nccl"
  std::string variant{};    ///< Kernel or phase.
  friend auto operator<=>(const CurveKey&, const CurveKey&) = default;
};

/// How far measurements lie from predictions.
struct ErrorBand {
  double median = 0;  ///< Of |predicted - measured| / measured.
  double p90 = 0;
  double low = 1;  ///< 10th percentile of measured / predicted.
  double high = 1;
  friend bool operator==(const ErrorBand&, const ErrorBand&) = default;
};

/// The band that holds both.
[[nodiscard]] ErrorBand wider(const ErrorBand& a, const ErrorBand& b);

struct NamedCoefficient {
  std::string name;
  double value = 0;
};

struct Curve {
  CurveKey key;
  std::vector<NamedCoefficient> coefficients;
  std::int64_t rows = 0;
  std::int64_t groups = 0;
  ErrorBand cross_validated;
  std::optional<ErrorBand> transferred;  ///< On other GPUs than its own.
  std::string source;
};

/// A curve found, and what it may be trusted with.
struct CurveMatch {
  const Curve* curve = nullptr;
  /// Measured on another GPU, in another format, by another engine or as another variant.
  bool estimate = false;
  ErrorBand band;            ///< Cross-validated; for estimates the wider one of both.
  const Gpu* gpu = nullptr;  ///< That the curve was fitted on; lives as long as the set.
};

/// Whether the best measured multiply in the format is published of both GPUs.
[[nodiscard]] bool best_multiplies_known(const Gpu& gpu, const Gpu& measured, MathFormat format);

/// `gpu` as a curve fitted on `measured` should see it: its data sheet, with arithmetic lowered as
/// far as its best measured multiply falls short of the data sheet more than that of `measured`
/// does. Between architectures a narrow format whose best multiply is not published of both falls
/// short as the next wider one does. The same GPU, or one without published multiplies, stays as it
/// is.
[[nodiscard]] Gpu achievable(const Gpu& gpu, const Gpu& measured);

class CurveSet {
 public:
  CurveSet() = default;
  /// `gpus` holds every GPU that a curve names (a curve of another is never found).
  CurveSet(std::vector<Curve> curves, std::span<const Gpu> gpus);
  [[nodiscard]] std::span<const Curve> curves() const { return curves_; }
  [[nodiscard]] const Curve* find_exact(const CurveKey& key) const;
  /// Nearest curve of `operation` on `gpu`. `dtypes`: acceptable number formats, best first (empty:
  /// the operation has none). Nothing if no curve of the operation has one of them. `borrowed`:
  /// `engine` lends its kernels to another one.
  [[nodiscard]] std::optional<CurveMatch> find(std::string_view operation, const Gpu& gpu,
                                               std::span<const std::string_view> dtypes,
                                               std::string_view engine,
                                               std::string_view variant = {},
                                               bool borrowed = false) const;
  /// The same match, trusted only as far as curves of its operation reach beyond their own
  /// measurements: the error on other GPUs, of this curve or else the widest of the operation;
  /// where none is known, twice the errors.
  [[nodiscard]] CurveMatch as_estimate(CurveMatch match) const;

 private:
  /// Marks the curves that fit other GPUs far worse than another engine's of the same kind.
  void find_odd();
  /// How many times the rates of two GPUs differ.
  [[nodiscard]] static double distance(const Gpu& measured, const Gpu& gpu);

  std::vector<Curve> curves_;
  std::vector<Gpu> gpus_;               ///< Those that curves name.
  std::vector<std::ptrdiff_t> gpu_of_;  ///< [curve] index into gpus_; -1: not known.
  std::vector<std::uint8_t> odd_;       ///< [curve] stands for nobody but its engine on its GPU.
};

}  // namespace moesim::catalog
