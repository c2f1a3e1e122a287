// Links of a wiring at less than their rate, or down, and the NICs that take over.
//
// Internal to the folder.
// Layer: topology.
#pragma once

#include <vector>

#include "topology/cluster_check.h"
#include "topology/wiring.h"

namespace moesim::topology {

/// Lowers the links that `wiring.cluster.degraded` names, both directions. Returns what is wrong
/// with the names; the wiring may be used only if nothing is.
[[nodiscard]] std::vector<ClusterFault> degrade(Wiring& wiring);

/// The first GPU that cannot be reached, if there is one. Precondition: degrade() found nothing.
[[nodiscard]] std::vector<ClusterFault> unreachable(const Wiring& wiring);

}  // namespace moesim::topology
