#include "operators/prefill_attention_curve.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/check.h"
#include "core/math.h"
#include "operators/attention_kernel.h"
#include "operators/smooth_max.h"

namespace moesim::operators {
namespace {

enum Coefficient : std::size_t {
  kLaunch,
  kFar,
  kNear,
  kFarSize,
  kArithmetic,
  kDiagonal,
  kTile,
  kKey,
  kSerial,
  kHidden,
};

constexpr std::array<CoefficientSpec, 10> kSpecs{{
    {"launch_us", 10.0, 2.0, 40.0},
    {"far_memory", 1.0, 0.05, 20.0},
    {"near_share", 0.7, 0.05, 1.0},
    {"far_megabytes", 100.0, 5.0, 10000.0},
    {"arithmetic", 1.5, 1.0, 50.0, Carried::TimesPeak},
    {"diagonal", 1.0, 0.01, 100.0},
    {"tile_us", 1.0, 0.001, 20.0},
    {"key_ns", 10.0, 0.5, 500.0},
    {"serial", 0.5, 0.0, 1.0},
    {"hidden_share", 0.0, 0.0, 1.0},
}};

constexpr double kTileQueries = 128.0;
/// Growth of a tile's cost and of its time per key with the width of a head.
constexpr double kTileGrowth = 0.5;
constexpr double kKeyGrowth = 0.7;
constexpr double kReferenceWidth = 128.0;
/// Windows from here on run like full attention.
constexpr std::int64_t kWideWindow = 4096;

}  // namespace

std::span<const CoefficientSpec> PrefillAttentionCurve::coefficients() { return kSpecs; }

std::string PrefillAttentionCurve::variant(const AttentionHeads& heads) {
  const bool windowed = heads.window > 0 && heads.window < kWideWindow;
  return width_variant(heads.head_dim) + (windowed ? "-window" : "");
}

PrefillAttentionCurve::PrefillAttentionCurve(const catalog::Gpu& gpu, const AttentionHeads& heads,
                                             Bytes kv_element, catalog::MathFormat math,
                                             std::span<const double> values) {
  MOESIM_CHECK(values.size() == kSpecs.size(), "a curve has all its coefficients");
  MOESIM_CHECK(heads.heads >= 1 && heads.kv_heads >= 1 && heads.head_dim >= 1,
               "attention has heads");
  constexpr double kMicro = 1e-6;
  constexpr double kNano = 1e-9;
  constexpr double kActivation = 2.0;
  const auto h = static_cast<double>(heads.heads);
  const double width = static_cast<double>(heads.head_dim) / kReferenceWidth;

  launch_ = values[kLaunch] * kMicro;
  memory_ = NearFarMemory(gpu.memory_bandwidth, values[kFar], values[kNear],
                          values[kFarSize] * 1e6 * kByte);
  bytes_per_cached_ = heads.entry() * (kv_element / kByte);
  bytes_per_token_ = (h * heads.width() + heads.entry()) * kActivation + bytes_per_cached_;
  roof_per_pair_ = 2.0 * h * heads.width() / (gpu.peak(math) / (kFlop / kSecond));
  per_pair_ = roof_per_pair_ * values[kArithmetic];
  per_masked_pair_ = roof_per_pair_ * values[kDiagonal];
  per_tile_ = h / multiprocessors(gpu) * values[kTile] * kMicro * math::pow(width, kTileGrowth);
  per_key_ = values[kKey] * kNano * math::pow(width, kKeyGrowth);
  serial_ = values[kSerial];
  hidden_share_ = heads.window > 0 ? values[kHidden] : 0.0;
  window_ = static_cast<double>(heads.window);
  roof_per_byte_ = kByte / gpu.memory_bandwidth / kSecond;
}

double PrefillAttentionCurve::chunks(double tokens, double keys, double pairs) const {
  // Equal chunks of n tokens after p cached ones: keys / tokens = (p + n) / n and pairs / tokens =
  // p + (n + 1) / 2, hence n. Windows that every chunk fills leave keys / window of them.
  double count = 1.0;
  const double ratio = keys / tokens - 0.5;
  const double reach = pairs / tokens - 0.5;
  if (ratio > 0.0 && reach > 0.0) count = tokens * ratio / reach;
  if (window_ > 0.0) count = std::max(count, keys / window_);
  return std::clamp(count, 1.0, tokens);
}

OperatorTime PrefillAttentionCurve::time(const PrefillBatch& batch) const {
  MOESIM_DCHECK(batch.new_tokens >= 0 && batch.context_tokens >= 0 && batch.pairs >= 0.0,
                "counts are not negative");
  if (batch.new_tokens == 0) return {};
  const auto tokens = static_cast<double>(batch.new_tokens);
  const auto keys = static_cast<double>(batch.context_tokens);
  const double count = chunks(tokens, keys, batch.pairs);
  const double each = tokens / count;
  // Rounding must not begin another tile.
  constexpr double kSlack = 1e-6;
  const double tiles = count * std::ceil(each / kTileQueries - kSlack);
  const double masked = tokens * std::min(each, kTileQueries) / 2.0;
  const double bytes = tokens * bytes_per_token_ + std::max(keys - tokens, 0.0) * bytes_per_cached_;
  const double moved = memory_.seconds(bytes);
  // Pairs and keys outside the window, of chunks without a past.
  const double hidden_pairs = std::max(tokens * (each + 1.0) / 2.0 - batch.pairs, 0.0);
  const double hidden_keys = std::max(each - keys / count, 0.0);
  const double pairs = batch.pairs + hidden_share_ * hidden_pairs;
  const double computed = pairs * per_pair_ + masked * per_masked_pair_ + tiles * per_tile_;
  const double latency = (keys / count + hidden_share_ * hidden_keys) * per_key_;
  const double t = launch_ + moved + smooth_max(computed, latency, serial_);
  const double roof = std::max(batch.pairs * roof_per_pair_, bytes * roof_per_byte_);
  const Bound bound = 2.0 * (moved + computed) < t ? Bound::Launch
                      : computed >= moved          ? Bound::Compute
                                                   : Bound::Memory;
  return {.time = std::max(t, roof) * kSecond, .bound = bound};
}

}  // namespace moesim::operators
