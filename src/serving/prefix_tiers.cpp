#include "serving/prefix_tiers.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace moesim::serving {

PrefixTiers::PrefixTiers(const Deployment& deployment, const plan::MemoryReport& memory,
                         std::int64_t hash_tokens, const AssumedReuse& assumed)
    : deployment_(&deployment), memory_(&memory), hash_tokens_(hash_tokens), assumed_(assumed) {
  if (hash_tokens_ == 0) hash_tokens_ = deployment.scheduler.block_size;
  if (const auto& disk = deployment.scheduler.prefix_cache.disk) {
    disk_.emplace(tier(*disk, memory.kv_bytes_per_token));
  }
}

LowerTier PrefixTiers::tier(const TierSettings& settings, BytesPerToken moved) const {
  const auto tokens = static_cast<double>(deployment_->scheduler.block_size) * kToken;
  // A model may keep nothing that grows with the prompt.
  const Bytes block = std::max(tokens * memory_->kv_bytes_per_token, 1.0 * kByte);
  return LowerTier(static_cast<std::int64_t>(settings.capacity / block),
                   tokens * moved / settings.bandwidth, settings.latency);
}

void PrefixTiers::attach(std::span<Instance> instances) {
  const PrefixCacheSettings& settings = deployment_->scheduler.prefix_cache;
  if (!settings.enabled) return;
  for (Instance& instance : instances) {
    for (RankScheduler& rank : instance.ranks()) {
      std::unique_ptr<LowerTier> host;
      if (settings.host) {
        host =
            std::make_unique<LowerTier>(tier(*settings.host, memory_->kv_bytes_per_token_per_gpu));
      }
      rank.kv().cache_prefixes(hash_tokens_, std::move(host), disk_ ? &*disk_ : nullptr);
    }
  }
}

void PrefixTiers::describe(SequencePool& pool, SequenceIndex index,
                           std::span<const std::uint64_t> ids) const {
  if (!deployment_->scheduler.prefix_cache.enabled) return;
  Sequence& s = pool[index];
  pool.set_prompt(index, ids);
  s.assumed_hit = static_cast<std::int32_t>(assumed_.share * s.input_tokens);
  s.assumed_tier = assumed_.tier;
}

std::optional<PrefixCounts> PrefixTiers::summary(std::span<const Instance> instances) const {
  if (!deployment_->scheduler.prefix_cache.enabled) return std::nullopt;
  PrefixCounts sum;
  for (const Instance& instance : instances) {
    for (const RankScheduler& rank : instance.ranks()) sum.add(rank.kv().counts());
  }
  return sum;
}

}  // namespace moesim::serving
