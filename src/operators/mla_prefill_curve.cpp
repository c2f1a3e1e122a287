#include "operators/mla_prefill_curve.h"

#include <array>

#include "core/check.h"
#include "operators/smooth_max.h"

namespace moesim::operators {
namespace {

using namespace moesim::literals;

enum Coefficient : std::size_t {
  kFloor,
  kCompute,
  kMemory,
  kToken,
  kTile,
  kSerialToken,
  kSerialShare,
  kCount
};

constexpr std::array<CoefficientSpec, kCount> kSpecs{{
    {"floor_us", 12.0, 1.0, 50.0},
    {"compute_share", 0.5, 0.02, 1.0},
    {"memory_share", 0.6, 0.02, 1.0},
    {"token_us", 1e-3, 1e-7, 0.1},
    {"tile_us", 0.01, 1e-6, 1.0},
    {"serial_token_us", 0.015, 1e-5, 1.0},
    {"serial_share", 0.3, 0.0, 1.0},
}};

/// Queries, outputs and expanded keys and values are bf16 whatever the cache holds.
constexpr double kElement = 2.0;

}  // namespace

std::span<const CoefficientSpec> MlaPrefillCurve::coefficients() { return kSpecs; }

MlaPrefillCurve::MlaPrefillCurve(const catalog::Gpu& gpu, const KernelFormat& cache,
                                 const MlaShape& shape, std::span<const double> values) {
  MOESIM_CHECK(values.size() == kCount, "a curve has all its coefficients");
  const auto heads = static_cast<double>(shape.heads);
  const double token_bytes = heads * shape.expanded() * kElement;
  const double byte = 1_B / gpu.memory_bandwidth / 1_us / values[kMemory];
  const double flop = kFlop / gpu.peak(cache.math) / 1_us / values[kCompute];
  floor_ = values[kFloor];
  pair_ = 2.0 * heads * shape.expanded() * flop;
  new_bytes_ = token_bytes * byte;
  context_bytes_ = token_bytes * byte;
  new_token_ = values[kToken];
  sequence_ = heads * values[kTile];
  serial_token_ = values[kSerialToken];
  serial_share_ = values[kSerialShare];
}

OperatorTime MlaPrefillCurve::time(const MlaPrefillBatch& batch) const {
  MOESIM_DCHECK(batch.new_tokens >= 0 && batch.context_tokens >= 0 && batch.pairs >= 0.0,
                "counts are not negative");
  if (batch.new_tokens == 0 || batch.sequences == 0) return {};
  const auto sequences = static_cast<double>(batch.sequences);
  const auto queries = static_cast<double>(batch.new_tokens);
  const auto context = static_cast<double>(batch.context_tokens);
  const double compute = batch.pairs * pair_;
  const double memory = queries * new_bytes_ + context * context_bytes_;
  const double fixed = queries * new_token_ + sequences * sequence_;
  const double serial = serial_token_ * context / sequences;
  const double work = smooth_max(serial, compute + memory + fixed, serial_share_);
  return {.time = (floor_ + work) * 1_us,
          .bound = larger_part(floor_ + serial + fixed, compute, memory)};
}

}  // namespace moesim::operators
