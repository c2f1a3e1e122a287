#include "operators/decode_attention_curve.h"

#include <algorithm>
#include <array>

#include "core/check.h"
#include "core/math.h"
#include "operators/attention_kernel.h"
#include "operators/smooth_max.h"

namespace moesim::operators {
namespace {

enum Coefficient : std::size_t {
  kLaunch,
  kHeads,
  kToken,
  kSplit,
  kFar,
  kNear,
  kFarSize,
  kBlock,
  kArithmetic,
  kSerial,
  kSerialLatency,
  kHidden,
  kMostHidden,
};

constexpr std::array<CoefficientSpec, 13> kSpecs{{
    {"launch_us", 8.0, 1.0, 40.0},
    {"heads_us", 0.1, 0.001, 10.0},
    {"token_ns", 20.0, 0.1, 200.0},
    {"split_tokens", 256.0, 8.0, 1e7},
    {"far_memory", 1.2, 1.0, 10.0},
    {"near_share", 0.5, 0.05, 1.0},
    {"far_megabytes", 50.0, 5.0, 1000.0},
    {"block_us", 2.0, 0.01, 30.0},
    {"arithmetic", 2.0, 1.0, 400.0},
    {"serial", 0.3, 0.0, 1.0},
    {"serial_latency", 0.8, 0.0, 1.0},
    {"hidden_ns", 1.0, 0.001, 100.0},
    {"hidden_us", 1.0, 0.1, 100.0},
}};

/// Queries of more heads than this per key-value head do not fit the grouped kernel's tile.
constexpr std::int64_t kMostGrouped = 32;
/// Heads from which the launch takes all of heads_us.
constexpr double kManyHeads = 64.0;
/// Growth of a block's cost and of its time per key with the width of a head; between the widths
/// measured.
constexpr double kBlockGrowth = 0.4;
constexpr double kTokenGrowth = 0.8;
constexpr double kReferenceWidth = 128.0;

constexpr std::string_view kWide = "wide";

}  // namespace

std::span<const CoefficientSpec> DecodeAttentionCurve::coefficients() { return kSpecs; }

std::string DecodeAttentionCurve::variant(std::string_view engine, const AttentionHeads& heads) {
  if (engine.starts_with("trtllm")) {
    if (heads.heads == heads.kv_heads) return "mha";
    if (heads.heads > kMostGrouped * heads.kv_heads) return std::string(kWide);
  }
  return width_variant(heads.head_dim);
}

DecodeAttentionCurve::DecodeAttentionCurve(const catalog::Gpu& gpu, const AttentionHeads& heads,
                                           Bytes kv_element, catalog::MathFormat math,
                                           std::string_view kernel,
                                           std::span<const double> values) {
  MOESIM_CHECK(values.size() == kSpecs.size(), "a curve has all its coefficients");
  MOESIM_CHECK(heads.heads >= 1 && heads.kv_heads >= 1 && heads.head_dim >= 1,
               "attention has heads");
  constexpr double kMicro = 1e-6;
  constexpr double kNano = 1e-9;
  constexpr double kActivation = 2.0;
  const auto h = static_cast<double>(heads.heads);
  const double rate = gpu.peak(math) / (kFlop / kSecond);
  const double bandwidth = gpu.memory_bandwidth / (kByte / kSecond);
  const double width = static_cast<double>(heads.head_dim) / kReferenceWidth;
  const auto blocks = static_cast<double>(kernel == kWide ? heads.heads : heads.kv_heads);
  const auto sms = multiprocessors(gpu);

  launch_ = (values[kLaunch] + values[kHeads] * std::min(h / kManyHeads, 1.0)) * kMicro;
  per_serial_token_ = values[kToken] * kNano * math::pow(width, kTokenGrowth);
  per_split_token_ = 1.0 / values[kSplit];
  memory_ = NearFarMemory(gpu.memory_bandwidth, values[kFar], values[kNear],
                          values[kFarSize] * 1e6 * kByte);
  entry_bytes_ = heads.entry() * (kv_element / kByte);
  per_query_ = h * heads.width() * kActivation / bandwidth;
  per_block_ = blocks / sms * values[kBlock] * kMicro * math::pow(width, kBlockGrowth);
  roof_per_key_ = 2.0 * h * heads.width() / rate;
  per_key_ = roof_per_key_ * values[kArithmetic];
  serial_ = values[kSerial];
  serial_latency_ = values[kSerialLatency];
  per_hidden_token_ = blocks / sms * values[kHidden] * kNano;
  most_hidden_ = values[kMostHidden] * kMicro;
  roof_per_entry_ = entry_bytes_ / bandwidth;
}

OperatorTime DecodeAttentionCurve::time(const DecodeBatch& batch) const {
  MOESIM_DCHECK(batch.sequences >= 0 && batch.context_tokens >= 0 && batch.hidden_tokens >= 0,
                "counts are not negative");
  if (batch.sequences == 0) return {};
  const auto sequences = static_cast<double>(batch.sequences);
  const auto keys = static_cast<double>(batch.context_tokens);
  const double queries = sequences * static_cast<double>(batch.queries);
  const double pairs = keys * static_cast<double>(batch.queries);
  const double length = keys / sequences;
  const double latency = per_serial_token_ * length / (1.0 + length * per_split_token_);
  const double moved = memory_.seconds(keys * entry_bytes_) + queries * per_query_;
  const double spread = smooth_max(moved, sequences * per_block_, serial_);
  const double computed = pairs * per_key_;
  const double work = smooth_max(spread, computed, serial_);
  const double visited = static_cast<double>(batch.hidden_tokens) * per_hidden_token_;
  const double hidden = visited > 0.0 ? visited * most_hidden_ / (visited + most_hidden_) : 0.0;
  const double t = launch_ + smooth_max(latency, work, serial_latency_) + hidden;
  const double roof =
      std::max(pairs * roof_per_key_, keys * roof_per_entry_ + queries * per_query_);
  const Bound bound = 2.0 * work < t       ? Bound::Launch
                      : computed >= spread ? Bound::Compute
                                           : Bound::Memory;
  return {.time = std::max(t, roof) * kSecond, .bound = bound};
}

}  // namespace moesim::operators
