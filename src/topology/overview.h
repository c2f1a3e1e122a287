// The figures of a cluster as a whole: counts, rates per GPU, bisection, the longest path.
//
// Formula: bisection = least rate at which half of the scale-up domains (by number, the first half)
//          can send to the rest: below each leaf min(ports of one side, ports of the other), and
//          over the spines what is left of the ports, at most the uplinks; inside a single domain,
//          its links between the first half of the GPUs and the rest. A NIC gives min(port, PCIe of
//          its GPUs).
// Source:  max-flow min-cut on two levels of switches (Leiserson, "Fat-trees", IEEE Trans.
// Computers
//          C-34(10), 1985); held against a max-flow search over the graph in the tests.
// Omits:   cuts across domains; spines chosen by destination (trunks of a leaf are summed).
// Layer:   topology.
#pragma once

#include <cstdint>

#include "core/ids.h"
#include "core/units.h"
#include "topology/topology.h"

namespace moesim::topology {

/// Rates are usable ones, per direction.
struct Overview {
  std::int64_t gpus = 0;
  std::int64_t nodes = 0;
  std::int64_t domains = 0;          ///< Scale-up domains: nodes, or racks.
  std::int64_t gpus_per_domain = 0;  ///< Of the largest.
  std::int64_t nics = 0;             ///< Vertices; bonded ports are one.
  std::int64_t ports = 0;            ///< Cables from nodes to leaves.
  std::int64_t leaves = 0;
  std::int64_t spines = 0;
  std::int64_t links = 0;  ///< Directed.
  std::int64_t down = 0;   ///< Directed links that are down.

  BytesPerSecond scale_up_all;   ///< Of a GPU to all others of its domain at once.
  BytesPerSecond scale_up_pair;  ///< To one of them.
  BytesPerSecond scale_out;      ///< Of a GPU to other nodes while all of its node send.
  BytesPerSecond nic;            ///< One NIC vertex.
  BytesPerSecond leaf_down;      ///< All ports of the fullest leaf.
  BytesPerSecond leaf_up;        ///< All uplinks of that leaf; 0 without spines.

  BytesPerSecond bisection;
  std::int64_t bisection_gpus = 0;  ///< On the smaller side of it.

  Seconds near;  ///< Between two GPUs of a node.
  GpuId longest_from;
  GpuId longest_to;
  PathSummary longest;  ///< Most latency, fewest hops among equals.

  /// Down over up bandwidth of the fullest leaf; 0 without spines.
  [[nodiscard]] double oversubscription() const {
    return leaf_up > BytesPerSecond{} ? leaf_down / leaf_up : 0.0;
  }
};

/// O(links), and O(GPUs) paths from each GPU of the first and last node and of nodes with links
/// that are down (from all, up to 256 GPUs): degraded clusters of more GPUs may have a longer path.
[[nodiscard]] Overview overview(const Topology& topology);

}  // namespace moesim::topology
