// Gives each request to one attention-DP rank of one instance.
//
// Layer: serving.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "serving/autoscaler.h"
#include "serving/deployment.h"
#include "serving/instance.h"

namespace moesim::serving {

struct Target {
  std::size_t instance = 0;
  std::size_t rank = 0;
};

/// Round robin over all ranks; or the rank with the least load (rank_load.h; the next after the
/// last choice, in rank order, when several have as little); or, prefix-aware, the rank that has
/// the fewest tokens to compute until the request's first token, those of its own prompt that are
/// not cached there included (as Mooncake's scheduler estimates TTFT: Qin et al., FAST 2025), among
/// the ranks whose requests would be at most 1.25 times the mean (bounded loads: Mirrokni et al.,
/// SODA 2018).
class Router {
 public:
  Router(RouterPolicy policy, std::size_t ranks_per_instance)
      : policy_(policy), ranks_per_instance_(ranks_per_instance) {}
  /// `prompt`, `input_tokens`: of the request. `units`: whose serving ones may be chosen; null:
  /// any.
  [[nodiscard]] Target choose(const std::vector<Instance>& instances, const Autoscaler* units,
                              std::span<const std::uint64_t> prompt, std::int64_t input_tokens);

 private:
  [[nodiscard]] std::size_t next_in_turn(const std::vector<Instance>& instances,
                                         const Autoscaler* units) const;
  [[nodiscard]] std::size_t least_load(const std::vector<Instance>& instances,
                                       const Autoscaler* units) const;
  [[nodiscard]] std::size_t longest_prefix(const std::vector<Instance>& instances,
                                           const Autoscaler* units,
                                           std::span<const std::uint64_t> prompt,
                                           std::int64_t input_tokens) const;
  [[nodiscard]] const RankScheduler& rank(const std::vector<Instance>& instances,
                                          std::size_t candidate) const {
    return instances[candidate / ranks_per_instance_].ranks()[candidate % ranks_per_instance_];
  }

  [[nodiscard]] bool takes(const Autoscaler* units, std::size_t candidate) const {
    return units == nullptr || units->takes(candidate / ranks_per_instance_);
  }

  RouterPolicy policy_;
  std::size_t ranks_per_instance_;
  std::size_t next_ = 0;
};

}  // namespace moesim::serving
