// Pools on nodes of kinds of their own, joined by one network.
//
// Nodes are numbered through both pools, prefill first. Each pool prices its kernels and exchanges
// on a cluster of its own kind alone; KV caches travel on the joint one. Model:   every scale-up
// link and NIC port has the usable rate of its node's kind, so that a cache
//          moves no faster than the slower NIC and a faster NIC may serve several slower ones.
// Omits:   PCIe and latencies of the faster kind in transfers: both take the slower kind's.
// Layer:   serving.
#pragma once

#include <vector>

#include "serving/fleet.h"
#include "serving/kv_transfer.h"

namespace moesim::serving {

/// Why no one network joins the nodes of two pools, each still numbered from 0; empty: one does.
/// Fields are those of a cluster.
[[nodiscard]] std::vector<HandoverProblem> check_joint(const topology::Cluster& prefill,
                                                       const topology::Cluster& decode);

/// Numbers the nodes through both pools. Precondition: check_joint finds nothing.
void join_nodes(Deployment& prefill, Deployment& decode);

/// Pools of one fleet have nodes of different kinds.
[[nodiscard]] bool has_kinds(const Fleet& fleet);

/// The cluster of all nodes. Of pools of one kind: the one they share.
[[nodiscard]] topology::Cluster joint_cluster(const Fleet& fleet);

}  // namespace moesim::serving
