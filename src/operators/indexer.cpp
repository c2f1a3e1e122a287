#include "operators/indexer.h"

#include "operators/roofline.h"

namespace moesim::operators {
namespace {

constexpr Bytes kScore = Bytes::from_base(4.0);

}  // namespace

IndexerTimer::IndexerTimer(const catalog::Attention& attention, const catalog::Gpu& gpu,
                           const Efficiency& efficiency)
    : none_(attention.index_heads == 0), launch_(efficiency.launch) {
  const BytesPerSecond bandwidth = usable_bandwidth(gpu, efficiency);
  pair_compute_ = 2.0 * static_cast<double>(attention.index_heads * attention.index_dim) * kFlop /
                  usable_rate(gpu, catalog::MathFormat::Fp8, efficiency);
  pair_memory_ = kScore / bandwidth;
  entry_memory_ = static_cast<double>(attention.index_cache_bytes) * kByte / bandwidth;
}

OperatorTime IndexerTimer::time(double pairs, double entries) const {
  if (none_ || pairs <= 0.0) return {};
  OperatorTime time =
      roofline(launch_, pairs * pair_compute_, entries * entry_memory_ + pairs * pair_memory_);
  time.time += launch_ + pairs * pair_memory_;
  return time;
}

}  // namespace moesim::operators
