// Tokens that go to every rank of an expert group, and sums that come back: all-gather before the
// experts, reduce-scatter or all-reduce behind them, the way of engines without an all-to-all
// library, and of experts that several ranks split.
//
// Bytes: T tokens of all ranks together, each hidden numbers of 2 B and a router logit of 2 B for
// each expert there (each rank routes what it got), hidden numbers of 2 B back; whatever the
// number of experts a token picks. A rank's own part is not sent: (n - 1) / n of them pass its
// links; an all-reduce brings twice as much. Source: vLLM's allgather_reducescatter and naive
// backends; docs/models/collectives.md.
// Layer: serving.
#pragma once

#include <cstdint>
#include <span>

#include "placement/dispatch.h"
#include "serving/group_collective.h"

namespace moesim::serving {

class GatheredTokens {
 public:
  GatheredTokens(const Deployment& deployment, Kernels& kernels, const topology::Topology& topology,
                 std::span<const GpuId> group, std::int64_t hidden, std::int64_t experts);

  /// Of one token, there and back.
  [[nodiscard]] Bytes dispatch_copy() const { return dispatch_copy_; }
  [[nodiscard]] Bytes combine_copy() const { return combine_copy_; }
  void add(std::int64_t tokens, LimitedTime& dispatch, LimitedTime& combine) const;

  /// The copies that links carry, in place of those of picks; the experts' tokens stay.
  /// `domain_of_rank`: ranks of equal domains lie one domain behind the other, and a token enters
  /// each other domain once, at the rank of its own place.
  static void count(std::span<const std::int32_t> domain_of_rank,
                    std::span<const std::int32_t> tokens_of_rank, placement::LayerTraffic& traffic);

 private:
  GroupCollective gather_;
  GroupCollective sum_;
  Bytes dispatch_copy_;
  Bytes sum_of_token_;
  Bytes combine_copy_;
};

}  // namespace moesim::serving
