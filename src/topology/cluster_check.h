// What keeps a cluster from being used: links named wrongly, GPUs that cannot be reached.
//
// A GPU is reached over scale-up links, over its host, or out by a NIC of its own node (of its
// scale-up domain, where its node has none left) and in by one of the other node; never through a
// third node. For the reader of scenarios, which turns faults into diagnostics.
// Layer: topology.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "topology/cluster.h"

namespace moesim::topology {

struct ClusterFault {
  /// Entry of Cluster::degraded that is at fault; none: the way nodes are joined.
  std::optional<std::size_t> degraded{};
  std::string message;
  std::string hint;
};

/// Everything wrong with the names of `degraded`, else the first GPU that cannot be reached; empty
/// for a sound cluster. Precondition: sizes and rates are in range (as for Topology). Time of
/// building a Topology; where links between switches are down, up to O(nodes^2) besides.
[[nodiscard]] std::vector<ClusterFault> faults_of(const Cluster& cluster);

}  // namespace moesim::topology
