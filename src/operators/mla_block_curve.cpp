#include "operators/mla_block_curve.h"

#include <algorithm>

#include "core/check.h"
#include "operators/smooth_max.h"

namespace moesim::operators {
namespace {

using namespace moesim::literals;

enum Coefficient : std::size_t {
  kMultiplyMemory,
  kMultiplyCompute,
  kAbsorbMemory,
  kDecodeBase,
  kDecodeRow,
  kDecodeMemory,
  kDecodeCompute,
  kDecodeSecondTile,
  kDecodeSerial,
  kDecodeSerialToken,
  kPrefillBase,
  kPrefillRow,
  kPrefillCompute,
  kPrefillMemory,
  kPrefillTile,
  kPrefillSerialToken,
  kPrefillSerialShare,
  kCount
};

/// What the best multiplies reach of the data-sheet rate, 0.73 (GB200) to 0.80 (H100) by the
/// measured ceilings of scenarios/catalog/gpus.txtpb; what a fit would put above it is per row.
constexpr double kBestMultiply = 0.8;

constexpr std::array<CoefficientSpec, kCount> kSpecs{{
    {"multiply_memory_share", 0.8, 0.05, 1.0},
    {"multiply_compute_share", 0.6, 0.02, kBestMultiply, Carried::ShareOfPeak},
    {"absorb_memory_share", 0.5, 0.02, 1.0},
    {"decode_base_us", 30.0, 1.0, 100.0},
    {"decode_row_us", 0.04, 1e-5, 1.0},
    {"decode_memory_share", 0.8, 0.02, 1.0},
    {"decode_compute_share", 0.6, 0.02, 1.0, Carried::ShareOfPeak},
    {"decode_second_tile_share", 0.2, 0.0, 1.0},
    {"decode_serial_us", 10.0, 0.1, 1000.0},
    {"decode_serial_token_us", 0.005, 1e-5, 1.0},
    {"prefill_base_us", 40.0, 1.0, 100.0},
    {"prefill_row_us", 0.01, 1e-7, 0.1},
    {"prefill_compute_share", 0.5, 0.02, 1.0, Carried::ShareOfPeak},
    {"prefill_memory_share", 0.4, 0.02, 1.0},
    {"prefill_tile_us", 0.02, 1e-6, 1.0},
    {"prefill_serial_token_us", 0.012, 1e-5, 1.0},
    {"prefill_serial_share", 0.3, 0.0, 1.0},
}};

/// What the kernels pass to each other is bf16, whatever weights and cache hold.
constexpr double kElement = 2.0;
/// How far the two roofs run one behind the other.
constexpr double kRoofs = 0.04;
/// The decode kernels fill a tile of so many heads.
constexpr double kLeastHeads = 16.0;

/// Formats narrower than a byte are not used for the absorbed weights.
KernelFormat absorbing_format(const KernelFormat& weights) {
  if (weights.weight_bytes >= 1.0) return weights;
  return {.dtype = "bf16",
          .weight_bytes = kElement,
          .activation_bytes = kElement,
          .math = catalog::MathFormat::Bf16};
}

}  // namespace

std::span<const CoefficientSpec> MlaBlockCurve::coefficients() { return kSpecs; }

void MlaBlockCurve::Sum::add(const Multiply& multiply, double rows) {
  const double bytes = multiply.fixed + rows * multiply.memory_row;
  const double flops = rows * multiply.compute_row;
  time += smooth_max(bytes, flops, kRoofs);
  memory += bytes;
  compute += flops;
}

void MlaBlockCurve::fold_multiplies(const catalog::Gpu& gpu, const KernelFormat& weights,
                                    const MlaShape& shape, std::span<const double> values) {
  const double byte = 1_B / gpu.memory_bandwidth / 1_us;
  // `count` multiplies of rows x k by k x n in one launch.
  const auto multiply = [&](double n, double k, double count, const KernelFormat& format,
                            double memory_share) {
    const double flop = kFlop / gpu.peak(format.math) / 1_us / values[kMultiplyCompute];
    const double moved = count * byte / memory_share;
    return Multiply{.fixed = n * k * format.weight_bytes * moved,
                    .memory_row = (k * format.activation_bytes + n * kElement) * moved,
                    .compute_row = 2.0 * n * k * count * flop};
  };
  const auto hidden = static_cast<double>(shape.hidden);
  const auto heads = static_cast<double>(shape.heads);
  const auto query_rank = static_cast<double>(shape.q_lora_rank);
  const auto rank = static_cast<double>(shape.kv_lora_rank);
  const auto nope = static_cast<double>(shape.qk_nope_dim);
  const auto value = static_cast<double>(shape.v_head_dim);
  const double queries = heads * (nope + static_cast<double>(shape.qk_rope_dim));
  const double share = values[kMultiplyMemory];

  if (shape.q_lora_rank > 0) {
    shared_[0] = multiply(query_rank + shape.latent(), hidden, 1.0, weights, share);
    shared_[1] = multiply(queries, query_rank, 1.0, weights, share);
  } else {
    shared_[0] = multiply(queries + shape.latent(), hidden, 1.0, weights, share);
  }
  shared_[2] = multiply(hidden, heads * value, 1.0, weights, share);
  const KernelFormat absorbing = absorbing_format(weights);
  absorbing_[0] = multiply(rank, nope, heads, absorbing, values[kAbsorbMemory]);
  absorbing_[1] = multiply(value, rank, heads, absorbing, values[kAbsorbMemory]);
  expanding_ = multiply(heads * (nope + value), rank, 1.0, weights, share);
}

MlaBlockCurve::MlaBlockCurve(const catalog::Gpu& gpu, const KernelFormat& weights,
                             const KernelFormat& cache, const MlaShape& shape,
                             std::span<const double> values) {
  MOESIM_CHECK(values.size() == kCount, "a curve has all its coefficients");
  MOESIM_CHECK(shape.hidden >= 1 && shape.heads >= 1 && shape.kv_lora_rank >= 1,
               "an MLA block has sides");
  fold_multiplies(gpu, weights, shape, values);
  const auto heads = static_cast<double>(shape.heads);
  const double byte = 1_B / gpu.memory_bandwidth / 1_us;
  const double flop = kFlop / gpu.peak(cache.math) / 1_us;

  const double passes = shape.second_tile() ? 1.0 + values[kDecodeSecondTile] : 1.0;
  heads_ = heads;
  decode_base_ = values[kDecodeBase];
  decode_row_ = values[kDecodeRow];
  decode_entry_memory_ =
      passes * shape.latent() * cache.activation_bytes * byte / values[kDecodeMemory];
  decode_query_memory_ = heads * shape.absorbed() * kElement * byte / values[kDecodeMemory];
  decode_entry_compute_ = passes * 2.0 * smooth_max(heads, kLeastHeads, kRoofs) * shape.absorbed() *
                          flop / values[kDecodeCompute];
  decode_serial_ = values[kDecodeSerial];
  decode_serial_token_ = values[kDecodeSerialToken];

  prefill_base_ = values[kPrefillBase];
  prefill_row_ = values[kPrefillRow];
  prefill_pair_ = 2.0 * heads * shape.expanded() * flop / values[kPrefillCompute];
  prefill_token_memory_ = heads * shape.expanded() * kElement * byte / values[kPrefillMemory];
  prefill_sequence_ = heads * values[kPrefillTile];
  prefill_serial_token_ = values[kPrefillSerialToken];
  prefill_serial_share_ = values[kPrefillSerialShare];
}

OperatorTime MlaBlockCurve::decode(const DecodeBatch& batch) const {
  MOESIM_DCHECK(batch.sequences >= 0 && batch.context_tokens >= 0, "counts are not negative");
  if (batch.sequences == 0) return {};
  const auto sequences = static_cast<double>(batch.sequences);
  const double rows = sequences * static_cast<double>(batch.queries);
  const auto entries = static_cast<double>(batch.context_tokens);
  const double length = entries / sequences * decode_serial_token_;
  const double fixed =
      decode_base_ + rows * decode_row_ + length * decode_serial_ / (length + decode_serial_);
  Sum sum{.time = fixed};
  for (const Multiply& multiply : shared_) sum.add(multiply, rows);
  for (const Multiply& multiply : absorbing_) sum.add(multiply, rows);
  // Queries of one sequence fill tiles of heads together.
  const double tiles = batch.queries == 1 ? 1.0
                                          : smooth_max(heads_ * static_cast<double>(batch.queries),
                                                       kLeastHeads, kRoofs) /
                                                smooth_max(heads_, kLeastHeads, kRoofs);
  sum.add({.fixed = entries * decode_entry_memory_ + rows * decode_query_memory_,
           .memory_row = 0.0,
           .compute_row = entries / sequences * tiles * decode_entry_compute_},
          sequences);
  return {.time = sum.time * 1_us, .bound = larger_part(fixed, sum.compute, sum.memory)};
}

Seconds MlaBlockCurve::decode_before_core(const DecodeBatch& batch) const {
  if (batch.sequences == 0) return {};
  const auto rows = static_cast<double>(batch.sequences * batch.queries);
  Sum sum{.time = 0.5 * (decode_base_ + rows * decode_row_)};
  sum.add(shared_[0], rows);
  sum.add(shared_[1], rows);
  sum.add(absorbing_[0], rows);
  return sum.time * 1_us;
}

OperatorTime MlaBlockCurve::prefill(const MlaPrefillBatch& batch) const {
  MOESIM_DCHECK(batch.new_tokens >= 0 && batch.context_tokens >= 0 && batch.pairs >= 0.0,
                "counts are not negative");
  if (batch.new_tokens == 0 || batch.sequences == 0) return {};
  const auto sequences = static_cast<double>(batch.sequences);
  const auto queries = static_cast<double>(batch.new_tokens);
  const auto context = static_cast<double>(batch.context_tokens);
  const double fixed = prefill_base_ + queries * prefill_row_;
  Sum sum{.time = fixed};
  for (const Multiply& multiply : shared_) sum.add(multiply, queries);
  sum.add(expanding_, context);
  const double compute = batch.pairs * prefill_pair_;
  const double memory = (queries + context) * prefill_token_memory_;
  const double tiles = sequences * prefill_sequence_;
  const double serial = prefill_serial_token_ * context / sequences;
  sum.time += smooth_max(serial, compute + memory + tiles, prefill_serial_share_);
  return {.time = sum.time * 1_us,
          .bound = larger_part(fixed + serial + tiles, sum.compute + compute, sum.memory + memory)};
}

}  // namespace moesim::operators
