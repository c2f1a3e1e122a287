// The description of a cluster: what stands in each node and how nodes are joined.
//
// Layer: topology.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalog/fabric.h"
#include "catalog/gpu.h"
#include "core/ids.h"
#include "core/units.h"

namespace moesim::topology {

/// How node-to-node traffic is wired.
enum class ScaleOut {
  None,       ///< A single node, or a single NVLink domain.
  Rail,       ///< NIC i of every node ends in leaf switches of rail i; spines join the rails.
  LeafSpine,  ///< All NICs of a node end in one leaf; spines join the leaves.
  RailOnly,   ///< As Rail without spines: other rails are reached over scale-up links alone.
};

/// A physical link that gives less than its data sheet says, in both directions.
struct DegradedLink {
  /// Two vertices ("node0/nic2 - rail2/leaf0"), or one that stands for the links it hangs on: a GPU
  /// for its scale-up links (or slot), a NIC for its port, a leaf, spine, switch or host for all of
  /// its own.
  std::string link;
  double share = 1.0;  ///< Of its rate that is left; 0 is a link that is down.
};

/// `nodes` equal hosts. GPUs are numbered node-major.
struct Cluster {
  std::string name;
  catalog::Gpu gpu;
  std::int64_t nodes = 1;
  std::int64_t gpus_per_node = 8;
  /// Nodes that share one scale-up domain: 1 for boxes, 18 for an NVL72 rack of 4-GPU trays.
  std::int64_t nodes_per_scale_up_domain = 1;
  catalog::Fabric scale_up;  ///< NVLink, xGMI or PCIe between GPUs.
  catalog::Fabric pcie;      ///< GPU to NIC.
  catalog::Fabric nic;       ///< Per NIC port.
  std::int64_t nics_per_node = 8;
  ScaleOut scale_out = ScaleOut::Rail;
  std::int64_t leaf_ports = 32;   ///< Nodes (Rail) or NICs (LeafSpine) below one leaf switch.
  double oversubscription = 1.0;  ///< Downlink over uplink bandwidth of a leaf; 1 = non-blocking.
  /// Switches of the spine layer. A flow takes the one that the destination's port in its leaf
  /// selects (port modulo switches); 1 also stands for a layer that spreads flows perfectly.
  std::int64_t spine_switches = 1;
  Seconds switch_latency;  ///< Per switch crossed.
  std::vector<DegradedLink> degraded{};

  [[nodiscard]] std::int64_t gpus() const { return nodes * gpus_per_node; }
  [[nodiscard]] std::int64_t node_of(GpuId g) const { return g.value() / gpus_per_node; }
  [[nodiscard]] std::int64_t scale_up_domain_of(GpuId g) const {
    return node_of(g) / nodes_per_scale_up_domain;
  }
};

}  // namespace moesim::topology
