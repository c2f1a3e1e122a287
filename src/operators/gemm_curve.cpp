#include "operators/gemm_curve.h"

#include <array>

#include "core/check.h"

namespace moesim::operators {
namespace {

// Bounds: what a kernel can physically do, wide enough for all GPUs measured.
constexpr std::array<CoefficientSpec, 16> kSpecs = {{
    {.name = "launch_us", .start = 3.0, .lower = 0.3, .upper = 30.0},
    {.name = "prologue_us", .start = 0.8, .lower = 0.01, .upper = 10.0},
    {.name = "compute", .start = 0.7, .lower = 0.2, .upper = 1.0, .carried = Carried::ShareOfPeak},
    {.name = "load", .start = 0.05, .lower = 0.001, .upper = 5.0, .carried = Carried::BeyondPeak},
    {.name = "step_ns", .start = 1.7, .lower = 0.01, .upper = 20.0},
    {.name = "rounding", .start = 0.7, .lower = 0.02, .upper = 1.0},
    {.name = "memory", .start = 0.85, .lower = 0.3, .upper = 1.0},
    {.name = "stream_us", .start = 1.0, .lower = 0.01, .upper = 20.0},
    {.name = "cache_mb", .start = 12.0, .lower = 0.5, .upper = 200.0},
    {.name = "cache_gain", .start = 3.0, .lower = 1.0, .upper = 20.0},
    {.name = "store", .start = 0.3, .lower = 0.001, .upper = 10.0},
    {.name = "split_us", .start = 3.0, .lower = 0.01, .upper = 100.0},
    {.name = "slowdown", .start = 0.1, .lower = 0.001, .upper = 1.0, .carried = Carried::Nowhere},
    {.name = "settle_us", .start = 3000.0, .lower = 100.0, .upper = 30000.0},
    {.name = "quantise", .start = 0.5, .lower = 0.05, .upper = 1.0},
    {.name = "quantise_gain", .start = 2.0, .lower = 1.0, .upper = 10.0},
}};

TileCoefficients named(std::span<const double> values) {
  MOESIM_CHECK(values.size() == kSpecs.size(), "a GEMM curve has all its coefficients");
  return {.launch_us = values[0],
          .prologue_us = values[1],
          .compute = values[2],
          .load = values[3],
          .step_ns = values[4],
          .rounding = values[5],
          .memory = values[6],
          .stream_us = values[7],
          .cache_mb = values[8],
          .cache_gain = values[9],
          .store = values[10],
          .may_split = true,
          .split_us = values[11],
          .slowdown = values[12],
          .settle_us = values[13],
          .quantise = values[14],
          .quantise_gain = values[15]};
}

}  // namespace

std::span<const CoefficientSpec> GemmCurve::coefficients() { return kSpecs; }

GemmCurve::GemmCurve(const catalog::Gpu& gpu, const KernelFormat& format,
                     std::span<const double> values)
    : multiply_(gpu, format, named(values)) {}

OperatorTime GemmCurve::time(const GemmShape& shape) const {
  return multiply_.time(1.0, static_cast<double>(shape.m), static_cast<double>(shape.n),
                        static_cast<double>(shape.k));
}

Seconds GemmCurve::data_sheet_bound(const GemmShape& shape) const {
  return multiply_.data_sheet_bound(1.0, static_cast<double>(shape.m), static_cast<double>(shape.n),
                                    static_cast<double>(shape.k));
}

}  // namespace moesim::operators
