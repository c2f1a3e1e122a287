#include "operators/batched_gemm_curve.h"

#include <array>

#include "core/check.h"

namespace moesim::operators {
namespace {

constexpr std::array<CoefficientSpec, 12> kSpecs = {{
    {.name = "launch_us", .start = 4.0, .lower = 0.3, .upper = 30.0},
    {.name = "prologue_us", .start = 0.3, .lower = 0.01, .upper = 10.0},
    {.name = "compute", .start = 0.8, .lower = 0.1, .upper = 1.0},
    {.name = "load", .start = 0.05, .lower = 0.001, .upper = 5.0},
    {.name = "rounding", .start = 0.3, .lower = 0.02, .upper = 1.0},
    {.name = "memory", .start = 0.8, .lower = 0.3, .upper = 1.0},
    {.name = "stream_us", .start = 1.0, .lower = 0.01, .upper = 20.0},
    {.name = "cache_mb", .start = 30.0, .lower = 0.5, .upper = 250.0},
    {.name = "cache_gain", .start = 4.0, .lower = 1.0, .upper = 20.0},
    {.name = "store", .start = 0.7, .lower = 0.001, .upper = 10.0},
    {.name = "quantise", .start = 0.3, .lower = 0.02, .upper = 1.0},
    {.name = "quantise_gain", .start = 2.0, .lower = 1.0, .upper = 10.0},
}};

TileCoefficients named(std::span<const double> values) {
  MOESIM_CHECK(values.size() == kSpecs.size(), "a batched GEMM curve has all its coefficients");
  return {.launch_us = values[0],
          .prologue_us = values[1],
          .compute = values[2],
          .load = values[3],
          .step_ns = 0.0,
          .rounding = values[4],
          .memory = values[5],
          .stream_us = values[6],
          .cache_mb = values[7],
          .cache_gain = values[8],
          .store = values[9],
          .may_split = false,
          .split_us = 0.0,
          .slowdown = 0.0,
          .settle_us = 1.0,
          .quantise = values[10],
          .quantise_gain = values[11]};
}

}  // namespace

std::span<const CoefficientSpec> BatchedGemmCurve::coefficients() { return kSpecs; }

BatchedGemmCurve::BatchedGemmCurve(const catalog::Gpu& gpu, const KernelFormat& format,
                                   std::span<const double> values)
    : multiply_(gpu, format, named(values)) {}

OperatorTime BatchedGemmCurve::time(const BatchedGemmShape& shape) const {
  return multiply_.time(static_cast<double>(shape.batch), static_cast<double>(shape.m),
                        static_cast<double>(shape.n), static_cast<double>(shape.k));
}

Seconds BatchedGemmCurve::data_sheet_bound(const BatchedGemmShape& shape) const {
  return multiply_.data_sheet_bound(static_cast<double>(shape.batch), static_cast<double>(shape.m),
                                    static_cast<double>(shape.n), static_cast<double>(shape.k));
}

}  // namespace moesim::operators
