// A tensor-parallel collective of one group: on the engine's or library's curve where the group
// shares a switch or a box, else from the links of the topology.
//
// Layer: serving.
#pragma once

#include <span>

#include "operators/collectives.h"
#include "serving/deployment.h"
#include "serving/kernels.h"
#include "serving/step_time.h"
#include "topology/topology.h"

namespace moesim::serving {

class GroupCollective {
 public:
  GroupCollective() = default;
  /// Sum over the ranks of a group, left on each. Inside a scale-up domain the engine's own kernel.
  [[nodiscard]] static GroupCollective all_reduce(const Deployment& deployment, Kernels& kernels,
                                                  const topology::Topology& topology,
                                                  std::span<const GpuId> group,
                                                  StepPart part = StepPart::AllReduce);
  /// Every rank gets all ranks' parts. Inside a scale-up domain NCCL's. `part`: of the iteration.
  [[nodiscard]] static GroupCollective all_gather(const Deployment& deployment, Kernels& kernels,
                                                  const topology::Topology& topology,
                                                  std::span<const GpuId> group,
                                                  StepPart part = StepPart::AllReduce);
  /// Every rank gets its part of the sum over the ranks.
  [[nodiscard]] static GroupCollective reduce_scatter(const Deployment& deployment,
                                                      Kernels& kernels,
                                                      const topology::Topology& topology,
                                                      std::span<const GpuId> group, StepPart part);
  /// Adds the time for `bytes` (all-reduce: of each rank; all-gather, reduce-scatter: of all
  /// together).
  void add(Bytes bytes, LimitedTime& time) const;
  /// Share of the usable rate of the busiest link that the same takes.
  [[nodiscard]] double link_use(Bytes bytes) const;

 private:
  GroupCollective(operators::CollectiveCost cost, operators::CollectiveCost plain,
                  const topology::Topology& topology);

  operators::CollectiveCost cost_;
  operators::CollectiveCost plain_;  ///< The same without curves: what the links must carry.
  Limit link_ = Limit::ScaleUp;      ///< Kind of the link that binds the plain form.
};

}  // namespace moesim::serving
