// The prefix caches of one pool of instances: set up, fed with prompts, summed up.
//
// Layer: serving.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "plan/memory.h"
#include "serving/deployment.h"
#include "serving/instance.h"
#include "serving/run_result.h"

namespace moesim::serving {

class PrefixTiers {
 public:
  /// `hash_tokens`: tokens of one prefix block of the workload; 0: it names none. Both arguments
  /// must outlive it.
  PrefixTiers(const Deployment& deployment, const plan::MemoryReport& memory,
              std::int64_t hash_tokens, const AssumedReuse& assumed);

  /// Gives the ranks their caches. The tiers must outlive the instances.
  void attach(std::span<Instance> instances);
  /// Notes what of a new request may be cached.
  void describe(SequencePool& pool, SequenceIndex index, std::span<const std::uint64_t> ids) const;
  /// What the ranks found.
  [[nodiscard]] std::optional<PrefixCounts> summary(std::span<const Instance> instances) const;

 private:
  [[nodiscard]] LowerTier tier(const TierSettings& settings, BytesPerToken moved) const;

  const Deployment* deployment_;
  const plan::MemoryReport* memory_;
  std::int64_t hash_tokens_;
  AssumedReuse assumed_;
  std::optional<LowerTier> disk_;
};

}  // namespace moesim::serving
