#include "operators/tiled_multiply.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"

namespace moesim::operators {
namespace {

using namespace moesim::literals;

constexpr std::array<double, 3> kSides = {64.0, 128.0, 256.0};
constexpr double kReferenceSide = 128.0;
constexpr double kMostParts = 32.0;
constexpr double kOutputBytes = 2.0;
constexpr double kUnquantisedBytes = 2.0;  ///< Of an input, before a narrow format.
constexpr double kPartialBytes = 8.0;      ///< A partial sum of 32 bit is written and read.
constexpr double kUsPerNs = 1e-3;
constexpr double kBytesPerMegabyte = 1e6;

double square(double x) { return x * x; }

/// The next whole number of a count. Precondition: 0 <= x < 2^63. Without a call where the machine
/// has no instruction for it.
double round_up(double x) {
  const auto whole = static_cast<double>(static_cast<std::int64_t>(x));
  return whole < x ? whole + 1.0 : whole;
}

}  // namespace

TiledMultiply::TiledMultiply(const catalog::Gpu& gpu, const KernelFormat& format,
                             const TileCoefficients& c) {
  const FlopsPerSecond peak = gpu.peak(format.math);
  MOESIM_CHECK(peak > FlopsPerSecond{} && gpu.memory_bandwidth > BytesPerSecond{},
               "a GPU of the catalog has both rates");
  const auto sms = static_cast<double>(gpu.sms > 0 ? gpu.sms : kUsualMultiprocessors);
  us_per_flop_ = kFlop / peak / 1.0_us;
  us_per_byte_ = kByte / gpu.memory_bandwidth / 1.0_us;
  per_multiprocessor_ = 1.0 / sms;
  std::size_t i = 0;
  for (const double rows : kSides) {
    for (const double columns : kSides) {
      const double flop_us = 2.0 * rows * columns * us_per_flop_ * sms;
      const double inefficiency =
          1.0 / c.compute + c.load * kReferenceSide * (1.0 / rows + 1.0 / columns);
      tiles_[i++] = {
          .step = std::max(flop_us * inefficiency, c.step_ns * kUsPerNs),
          .overhead = c.prologue_us + c.store * rows * columns * kOutputBytes * us_per_byte_ * sms};
    }
  }
  rounding_ = c.rounding;
  may_split_ = c.may_split;
  split_us_ = c.split_us;
  sum_us_ = kPartialBytes * us_per_byte_;
  weight_bytes_ = format.weight_bytes;
  input_bytes_ = format.activation_bytes;
  stream_us_per_byte_ = us_per_byte_ / c.memory;
  stream_us_ = c.stream_us;
  per_cache_ = 1.0 / (c.cache_mb * kBytesPerMegabyte);
  saved_ = 1.0 - 1.0 / c.cache_gain;
  slowdown_ = c.slowdown;
  settle_us_ = c.settle_us;
  const bool quantises = format.activation_bytes < kUnquantisedBytes;
  quantise_us_per_input_ = quantises ? us_per_byte_ / c.quantise : 0.0;
  quantise_saved_ = 1.0 - 1.0 / c.quantise_gain;
  launch_us_ = c.launch_us;
}

double TiledMultiply::tiles_us(double batch, double m, double n, double k) const {
  const double sums = batch * m * n * sum_us_;
  std::array<double, kSides.size()> down{};
  std::array<double, kSides.size()> across{};
  for (std::size_t i = 0; i < kSides.size(); ++i) {
    down[i] = batch * round_up(m / kSides[i]) * per_multiprocessor_;
    across[i] = round_up(n / kSides[i]);
  }
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < tiles_.size(); ++i) {
    const Tile& tile = tiles_[i];
    const double unsplit = down[i / kSides.size()] * across[i % kSides.size()];
    // Splitting pays only while tiles leave multiprocessors idle.
    for (double parts = 1.0; parts <= kMostParts; parts *= 2.0) {
      const double x = unsplit * parts;
      const double waves = x + rounding_ * (std::max(1.0, round_up(x)) - x);
      const double added = parts > 1.0 ? split_us_ + parts * sums : 0.0;
      best = std::min(best, waves * (k / parts * tile.step + tile.overhead) + added);
      if (!may_split_ || x >= 1.0) break;
    }
  }
  return best;
}

double TiledMultiply::bytes(double batch, double m, double n, double k) const {
  return batch * (n * k * weight_bytes_ + m * k * input_bytes_ + m * n * kOutputBytes);
}

double TiledMultiply::read_us(double bytes, double us_per_byte, double saved) const {
  const double filled = square(square(bytes * per_cache_));
  return bytes * us_per_byte * (1.0 - saved / (1.0 + filled));
}

OperatorTime TiledMultiply::time(double batch, double m, double n, double k) const {
  MOESIM_DCHECK(batch >= 0.0 && m >= 0.0 && n >= 0.0 && k >= 0.0, "a matrix has no negative side");
  if (batch == 0.0 || m == 0.0 || n == 0.0 || k == 0.0) return {};
  const double tiles = tiles_us(batch, m, n, k);
  const double all_bytes = bytes(batch, m, n, k);
  const double stream = read_us(all_bytes, stream_us_per_byte_, saved_) + stream_us_;
  const double cold = std::sqrt(std::sqrt(square(square(tiles)) + square(square(stream))));
  const double warm = cold * (1.0 + slowdown_ * cold / (cold + settle_us_));
  const double quantise =
      quantise_us_per_input_ > 0.0
          ? read_us(batch * m * k * kUnquantisedBytes, quantise_us_per_input_, quantise_saved_)
          : 0.0;
  const double flops_us = 2.0 * batch * m * n * k * us_per_flop_;
  const double bytes_us = all_bytes * us_per_byte_;
  const double total = std::max({launch_us_ + warm + quantise, flops_us, bytes_us});
  Bound bound = tiles >= stream + quantise ? Bound::Compute : Bound::Memory;
  if (launch_us_ > warm + quantise) bound = Bound::Launch;
  return {.time = total * 1.0_us, .bound = bound};
}

Seconds TiledMultiply::data_sheet_bound(double batch, double m, double n, double k) const {
  return std::max(2.0 * batch * m * n * k * us_per_flop_, bytes(batch, m, n, k) * us_per_byte_) *
         1.0_us;
}

}  // namespace moesim::operators
