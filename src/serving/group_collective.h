// A tensor-parallel collective of one group: on the engine's or library's curve where the group
// shares scale-up links, else from the links of the topology.
//
// Layer: serving.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "operators/collectives.h"
#include "operators/engine_all_reduce_curve.h"
#include "operators/nccl_curve.h"
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
                                                  std::span<const GpuId> group);
  /// Every rank gets all ranks' parts. Inside a scale-up domain NCCL's.
  [[nodiscard]] static GroupCollective all_gather(const Deployment& deployment, Kernels& kernels,
                                                  const topology::Topology& topology,
                                                  std::span<const GpuId> group);
  /// Adds the time for `bytes` (all-reduce: of each rank; all-gather: of all together).
  void add(Bytes bytes, LimitedTime& time) const;
  /// Share of the usable rate of the busiest link that the same takes.
  [[nodiscard]] double link_use(Bytes bytes) const;

 private:
  /// The link that a plain form is bound by.
  void set_plain(operators::CollectiveCost cost, const topology::Topology& topology);
  [[nodiscard]] Seconds time(Bytes bytes) const;

  operators::CollectiveCost plain_;
  std::optional<operators::EngineAllReduceTime> engine_;
  std::optional<operators::RampedTime> library_;
  Limit link_ = Limit::ScaleUp;
};

}  // namespace moesim::serving
