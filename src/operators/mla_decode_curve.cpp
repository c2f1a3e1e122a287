#include "operators/mla_decode_curve.h"

#include <algorithm>
#include <array>

#include "core/check.h"
#include "operators/smooth_max.h"

namespace moesim::operators {
namespace {

using namespace moesim::literals;

enum Coefficient : std::size_t {
  kFloor,
  kSequence,
  kSequenceHeads,
  kMemory,
  kCompute,
  kLeastHeads,
  kSecondTile,
  kResident,
  kResidentMb,
  kSerial,
  kSerialToken,
  kSerialHeads,
  kSerialShare,
  kCount
};

constexpr std::array<CoefficientSpec, kCount> kSpecs{{
    {"floor_us", 11.0, 1.0, 50.0},
    {"sequence_us", 0.04, 1e-4, 1.0},
    {"sequence_heads", 64.0, 2.0, 1e4},
    {"memory_share", 0.9, 0.02, 1.0},
    {"compute_share", 0.5, 0.02, 1.0},
    {"least_heads", 16.0, 1.0, 128.0},
    {"second_tile_share", 0.2, 0.0, 1.0},
    {"resident_share", 0.4, 0.0, 0.95},
    {"resident_mb", 50.0, 20.0, 400.0},
    {"serial_us", 6.0, 0.1, 1e6},
    {"serial_token_us", 0.005, 1e-5, 1.0},
    {"serial_heads", 100.0, 10.0, 1e5},
    {"serial_share", 0.7, 0.0, 1.0},
}};

/// How far the two roofs, and work blocks and reading, run one behind the other.
constexpr double kRoofs = 0.04;
constexpr double kBlocks = 0.16;
/// Queries and outputs are bf16 whatever the cache holds.
constexpr double kQueryBytes = 2.0;

}  // namespace

std::span<const CoefficientSpec> MlaDecodeCurve::coefficients() { return kSpecs; }

MlaDecodeCurve::MlaDecodeCurve(const catalog::Gpu& gpu, const KernelFormat& cache,
                               const MlaShape& shape, std::span<const double> values) {
  MOESIM_CHECK(values.size() == kCount, "a curve has all its coefficients");
  const auto heads = static_cast<double>(shape.heads);
  const double byte = 1_B / gpu.memory_bandwidth / 1_us;
  const double flop = kFlop / gpu.peak(cache.math) / 1_us;
  floor_ = values[kFloor];
  sequence_ = values[kSequence] * (1.0 + heads / values[kSequenceHeads]);
  entry_bytes_ = shape.latent() * cache.activation_bytes * byte;
  query_bytes_ = heads * shape.absorbed() * kQueryBytes * byte;
  entry_flops_ = 2.0 * heads * shape.absorbed() * flop;
  const double passes = shape.second_tile() ? 1.0 + values[kSecondTile] : 1.0;
  inverse_memory_ = passes / values[kMemory];
  inverse_compute_ =
      passes * smooth_max(1.0, values[kLeastHeads] / heads, kRoofs) / values[kCompute];
  resident_ = values[kResident];
  inverse_resident_ = 1.0 / (values[kResidentMb] * 1e6 * byte);
  const double widened = 1.0 + heads / values[kSerialHeads];
  serial_ = values[kSerial] * widened;
  serial_token_ = values[kSerialToken] * widened;
  serial_share_ = values[kSerialShare];
}

OperatorTime MlaDecodeCurve::time(const DecodeBatch& batch) const {
  MOESIM_DCHECK(batch.sequences >= 0 && batch.context_tokens >= 0, "counts are not negative");
  if (batch.sequences == 0) return {};
  const auto sequences = static_cast<double>(batch.sequences);
  const auto entries = static_cast<double>(batch.context_tokens);
  const double bytes = entries * entry_bytes_ + sequences * query_bytes_;
  const double flops = entries * entry_flops_;
  const double beyond = bytes * inverse_resident_;
  const double beyond2 = beyond * beyond;
  const double memory = bytes * inverse_memory_ * (1.0 - resident_ / (1.0 + beyond2 * beyond2));
  const double compute = flops * inverse_compute_;
  const double length = entries / sequences * serial_token_;
  const double serial = length * serial_ / (length + serial_);
  const double stream = smooth_max(serial, smooth_max(memory, compute, kRoofs), serial_share_);
  const double blocks = sequences * sequence_;
  const double time = floor_ + smooth_max(blocks, stream, kBlocks);
  return {.time = std::max({time, bytes, flops}) * 1_us,
          .bound = larger_part(floor_ + serial + blocks, compute, memory)};
}

}  // namespace moesim::operators
