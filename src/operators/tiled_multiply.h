// Time of tiled matrix multiplies on one GPU: waves of tiles beside a stream of bytes.
//
// C[m,n] = A[m,k] * B[k,n], `batch` of them at once. The library may cut C into tiles of 64, 128 or
// 256 a side and k into 2..32 parts; it is taken to pick what is fastest:
//     step  = max(2 tm tn / rate * (1/compute + load * 128 (1/tm + 1/tn)), step latency)
//     tile  = prologue + k/parts * step + store * tm tn * 2 B / (bandwidth / sms)
//     x     = batch ceil(m/tm) ceil(n/tn) parts / sms
//     tiles = (x + rounding * (max(1, ceil x) - x)) * tile + [parts > 1] (split + parts m n 8 B /
//     bandwidth)
// rate: peak of one multiprocessor. Bytes y stream at `memory` of the bandwidth, `gain` times
// faster while they fit the L2 cache:
//     read(y, share, gain) = y / (bandwidth share) * (1 - (1 - 1/gain) / (1 + (y/cache)^4))
//     t0 = (min tiles^4 + (read(weights, inputs, outputs) + stream)^4)^(1/4)
//     t  = launch + t0 * (1 + slowdown t0 / (t0 + settle)) + read(2 B per input to quantise)
// and never below max(flops / peak, bytes / bandwidth). The slowdown is that of clocks which fall
// when the GPU runs hot. Outputs are 2 B each; inputs of 16 bit need no quantising.
// Monotone in batch, m, n and k: each choice of tiles is, and growth only takes choices away.
// Source: fitted, docs/models/gemm.md. Waves: NVIDIA, "Matrix Multiplication Background", 2023.
// Omits: kernels for odd sides, sides that are no multiple of the alignment, sparsity.
// Layer: operators.
#pragma once

#include <array>
#include <cstdint>

#include "catalog/gpu.h"
#include "operators/kernel_format.h"
#include "operators/operator_time.h"

namespace moesim::operators {

/// Coefficients of the formula above; times in us, rates as shares of the data sheet.
struct TileCoefficients {
  double launch_us = 0;
  double prologue_us = 0;
  double compute = 1;
  double load = 0;
  double step_ns = 0;
  double rounding = 1;
  double memory = 1;
  double stream_us = 0;
  double cache_mb = 1;
  double cache_gain = 1;
  double store = 0;
  bool may_split = true;
  double split_us = 0;
  double slowdown = 0;
  double settle_us = 1;
  double quantise = 1;
  double quantise_gain = 1;
};

/// Multiprocessors assumed where the catalog has no number: what data-centre GPUs have.
inline constexpr std::int64_t kUsualMultiprocessors = 128;

class TiledMultiply {
 public:
  TiledMultiply(const catalog::Gpu& gpu, const KernelFormat& format,
                const TileCoefficients& coefficients);
  /// Preconditions: sides are not negative. An empty one takes no time. Pure, allocates nothing.
  [[nodiscard]] OperatorTime time(double batch, double m, double n, double k) const;
  /// max(flops / peak, bytes / bandwidth).
  [[nodiscard]] Seconds data_sheet_bound(double batch, double m, double n, double k) const;

 private:
  /// Tiles of one size, rows by columns; times in us.
  struct Tile {
    double step = 0;      ///< Per unit of k.
    double overhead = 0;  ///< Prologue and store.
  };
  [[nodiscard]] double tiles_us(double batch, double m, double n, double k) const;
  [[nodiscard]] double bytes(double batch, double m, double n, double k) const;
  /// read() above; `us_per_byte` without the cache.
  [[nodiscard]] double read_us(double bytes, double us_per_byte, double saved) const;

  static constexpr std::size_t kTiles = 9;
  std::array<Tile, kTiles> tiles_{};
  double per_multiprocessor_ = 0;  ///< 1 / sms
  double rounding_ = 0;
  bool may_split_ = true;
  double split_us_ = 0;
  double sum_us_ = 0;  ///< Per element of a partial product.
  double weight_bytes_ = 0;
  double input_bytes_ = 0;
  double us_per_flop_ = 0;         ///< Peak.
  double us_per_byte_ = 0;         ///< Peak.
  double stream_us_per_byte_ = 0;  ///< At the usable share.
  double stream_us_ = 0;
  double per_cache_ = 0;  ///< 1 / bytes of the cache
  double saved_ = 0;      ///< 1 - 1/gain
  double slowdown_ = 0;
  double settle_us_ = 1;
  double quantise_us_per_input_ = 0;  ///< 0 for inputs of 16 bit.
  double quantise_saved_ = 0;
  double launch_us_ = 0;
};

}  // namespace moesim::operators
