#include "operators/expert_curve.h"

#include <limits>

#include "core/check.h"
#include "operators/overlap.h"
#include "operators/smooth_max.h"

namespace moesim::operators {
namespace {

using namespace moesim::literals;

// Bounds: what kernels can physically do, wide enough for all GPUs measured.
constexpr std::array<CoefficientSpec, 15> kSpecs = {{
    {.name = "launch_us", .start = 15.0, .lower = 1.0, .upper = 200.0},
    {.name = "memory", .start = 0.8, .lower = 0.2, .upper = 1.0},
    {.name = "compute", .start = 0.6, .lower = 0.02, .upper = 1.0, .carried = Carried::ShareOfPeak},
    {.name = "tile_half",
     .start = 16.0,
     .lower = 0.5,
     .upper = 300.0,
     .carried = Carried::BeyondPeak},
    {.name = "k_half",
     .start = 50.0,
     .lower = 1.0,
     .upper = 2000.0,
     .carried = Carried::BeyondPeak},
    {.name = "serial", .start = 0.3, .lower = 0.0, .upper = 1.0},
    {.name = "overlap", .start = 0.3, .lower = 0.0, .upper = 1.0},
    {.name = "activation", .start = 1.0, .lower = 0.001, .upper = 30.0},
    {.name = "gather", .start = 0.1, .lower = 0.001, .upper = 10.0},
    {.name = "expert_us", .start = 0.02, .lower = 0.0001, .upper = 3.0},
    {.name = "token_ns", .start = 1.0, .lower = 0.001, .upper = 100.0},
    {.name = "step_ns", .start = 0.5, .lower = 0.001, .upper = 30.0},
    {.name = "cache_mb", .start = 20.0, .lower = 0.1, .upper = 300.0},
    {.name = "sort_us", .start = 5.0, .lower = 0.01, .upper = 100.0},
    {.name = "sort_half", .start = 30.0, .lower = 1.0, .upper = 4000.0},
}};

/// Share of its time that reading weights from the L2 cache saves.
constexpr double kCacheSaves = 0.75;

struct Coefficients {
  double launch_us, memory, compute, tile_half, k_half, serial, overlap, activation, gather,
      expert_us, token_ns, step_ns, cache_mb, sort_us, sort_half;
};

Coefficients named(std::span<const double> v) {
  MOESIM_CHECK(v.size() == kSpecs.size(), "an expert curve has all its coefficients");
  return {.launch_us = v[0],
          .memory = v[1],
          .compute = v[2],
          .tile_half = v[3],
          .k_half = v[4],
          .serial = v[5],
          .overlap = v[6],
          .activation = v[7],
          .gather = v[8],
          .expert_us = v[9],
          .token_ns = v[10],
          .step_ns = v[11],
          .cache_mb = v[12],
          .sort_us = v[13],
          .sort_half = v[14]};
}

}  // namespace

std::string_view usual_expert_kernel(const catalog::Gpu& gpu, std::string_view engine,
                                     std::string_view dtype, std::int64_t matrices) {
  const bool blackwell = gpu.architecture.starts_with("Blackwell");
  if (engine == "sglang") {
    if (blackwell) return "trtllmgen";
    return dtype == "int4a16" ? "marlin" : "triton";
  }
  constexpr std::int64_t kGated = 3;
  if (matrices < kGated || dtype.starts_with("mxfp4") || gpu.architecture == "Ampere") {
    return "other";
  }
  return blackwell && dtype == "fp8b" ? "deepgemm" : "cutlass";
}

std::span<const CoefficientSpec> ExpertCurve::coefficients() { return kSpecs; }

ExpertCurve::ExpertCurve(const catalog::Gpu& gpu, const KernelFormat& format,
                         const ExpertBlock& block, std::span<const double> values)
    : topk_(static_cast<double>(block.topk)), foreign_(block.computes_foreign) {
  MOESIM_CHECK(block.hidden > 0 && block.intermediate > 0 && block.matrices > 1 &&
                   block.local_experts > 0 && block.topk > 0,
               "an expert block has experts, and they have matrices");
  const Coefficients c = named(values);
  const auto hidden = static_cast<double>(block.hidden);
  const auto intermediate = static_cast<double>(block.intermediate);
  const auto matrices = static_cast<double>(block.matrices);
  const double us_per_flop = kFlop / gpu.peak(format.math) / 1.0_us;
  const double us_per_byte = kByte / gpu.memory_bandwidth / 1.0_us;
  const double matrix = hidden * intermediate;
  const double weights = matrices * matrix;

  for (std::size_t t = 0; t < kExpertTiles.size(); ++t) {
    tile_cost_[t] = 1.0 + c.tile_half / static_cast<double>(kExpertTiles[t]);
  }
  const double up = (matrices - 1.0) * matrix * (1.0 + c.k_half / hidden);
  const double down = matrix * (1.0 + c.k_half / intermediate);
  us_per_row_ = 2.0 * (up + down) * us_per_flop / c.compute;
  us_per_expert_ = weights * format.weight_bytes * us_per_byte / c.memory;
  constexpr double kBytesPerMb = 1e6;
  caches_per_expert_ =
      block.cold ? 0.0 : weights * format.weight_bytes / (c.cache_mb * kBytesPerMb);
  constexpr double kActivationBytes = 2.0;
  const double row_us =
      (3.0 * hidden + (matrices + 1.0) * intermediate) * kActivationBytes * us_per_byte;
  us_per_pair_ = c.activation * row_us;
  us_per_gathered_ = c.gather * row_us;
  constexpr double kUsPerNs = 1e-3;
  floor_us_ = c.launch_us + c.expert_us * static_cast<double>(block.local_experts) +
              c.step_ns * kUsPerNs * (hidden + intermediate);
  us_per_token_ = c.token_ns * kUsPerNs;
  sort_us_ = c.sort_us;
  sort_half_ = c.sort_half;
  serial_ = c.serial;
  overlap_ = c.overlap;
  bound_us_per_pair_ = 2.0 * weights * us_per_flop;
  bound_us_per_expert_ = weights * format.weight_bytes * us_per_byte;
}

OperatorTime ExpertCurve::time(const ExpertWork& work) const {
  MOESIM_DCHECK(work.pairs >= 0.0 && work.experts_touched >= 0.0, "counts are not negative");
  if (work.pairs <= 0.0) return {};
  const double looked_through = std::max(work.looked_through, work.arrived);
  const double gathered = std::max((foreign_ ? work.arrived : looked_through) * topk_, work.pairs);
  const double filled = foreign_ ? gathered : 0.0;
  double rows = std::numeric_limits<double>::infinity();
  for (std::size_t t = 0; t < tile_cost_.size(); ++t) {
    const double own = work.padded[t];
    rows = std::min(rows, own * tile_cost_[t] + std::max(0.0, filled - own));
  }
  const double compute = rows * us_per_row_;

  double memory = work.experts_touched * us_per_expert_;
  if (caches_per_expert_ > 0.0) {
    const double caches = work.experts_touched * caches_per_expert_;
    const double square = caches * caches;
    memory *= 1.0 - kCacheSaves / (1.0 + square * square);
  }
  const double moved = work.pairs * us_per_pair_ + gathered * us_per_gathered_;
  const double busy = smooth_max(compute, memory, serial_) + moved;
  const double floor = floor_us_ + looked_through * us_per_token_ +
                       sort_us_ * looked_through / (looked_through + sort_half_);
  const double bound =
      std::max(work.pairs * bound_us_per_pair_, work.experts_touched * bound_us_per_expert_);
  const double us = std::max(overlapped(floor, busy, overlap_), bound);
  const Bound by = floor > busy                ? Bound::Launch
                   : compute >= memory + moved ? Bound::Compute
                                               : Bound::Memory;
  return {.time = us * 1.0_us, .bound = by};
}

Seconds ExpertCurve::data_sheet_bound(const ExpertWork& work) const {
  return std::max(work.pairs * bound_us_per_pair_, work.experts_touched * bound_us_per_expert_) *
         1.0_us;
}

}  // namespace moesim::operators
