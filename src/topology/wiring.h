// The wiring of a cluster written out: vertices, directed links, and which link is where.
//
// Internal to the folder: routes.cpp finds the paths, topology.cpp puts the Boost.Graph graph on
// top. Rates are usable ones (peak times the fabric's efficiency). A fabric's latency is that of
// one small message end to end, so each of the two links it crosses carries half; the switch
// latency is on the link that enters a leaf or a spine. Rules: docs/models/topology.md.
// Layer: topology.
#pragma once

#include <cstdint>
#include <vector>

#include "topology/topology.h"

namespace moesim::topology {

struct Wiring {
  Cluster cluster;
  std::vector<Vertex> vertices;  ///< GPUs first, so that a GPU's vertex is its id.
  std::vector<Link> links;

  bool switched = false;        ///< Scale-up through a switch of the domain.
  bool hosted = false;          ///< GPUs and NICs hang below the host's PCIe root.
  std::int64_t island = 1;      ///< Consecutive GPUs of a node joined pairwise (mesh, bridge).
  std::int64_t nics = 0;        ///< Per node; 0 without a scale-out network.
  std::int64_t leaf_group = 1;  ///< Nodes whose NICs of one rail (or all) share a leaf.
  std::int64_t spines = 0;      ///< Switches of the spine layer; 0 where leaves are not joined.

  std::vector<LinkId> scale_up_out, scale_up_in;  ///< [gpu] to and from the domain's switch.
  std::vector<LinkId> mesh;                       ///< [gpu * island + peer's place in the island]
  std::vector<LinkId> host_out, host_in;          ///< [gpu] to and from the host.
  /// GPU's own PCIe link to and from its NIC; where hosted, the host's link, indexed by NIC.
  std::vector<LinkId> nic_pcie_out, nic_pcie_in;
  std::vector<LinkId> port_out, port_in;  ///< [nic]
  std::vector<LinkId> uplink, downlink;   ///< [leaf * spines + spine]
  std::vector<std::int32_t> leaf_of_nic;  ///< [nic]
  std::vector<std::int32_t> port_of_nic;  ///< [nic] Place among the ports of its leaf.

  std::vector<std::int32_t> degraded_by;  ///< [link] Entry of cluster.degraded, -1: none. Or empty.
  /// Some link is down: the usual ways may not exist. The two below are then filled.
  bool broken = false;
  std::vector<std::int32_t> carrier;  ///< [nic] First GPU that reaches it itself; -1 = unusable.
  std::vector<std::int32_t> home;     ///< [node] Node of its scale-up domain whose NICs it uses.

  [[nodiscard]] std::int64_t local(GpuId g) const { return g.value() % cluster.gpus_per_node; }
  /// NIC that GPU uses: NICs are spread evenly over the GPUs of a node.
  [[nodiscard]] std::int64_t rail_of(GpuId g) const {
    return local(g) * nics / cluster.gpus_per_node;
  }
  [[nodiscard]] std::int64_t nic_of(GpuId g) const {
    return cluster.node_of(g) * nics + rail_of(g);
  }
  [[nodiscard]] bool is_rails() const {
    return cluster.scale_out == ScaleOut::Rail || cluster.scale_out == ScaleOut::RailOnly;
  }
  [[nodiscard]] bool up(LinkId id) const { return links[id.index()].bandwidth > BytesPerSecond{}; }
  [[nodiscard]] LinkId mesh_link(GpuId from, GpuId to) const {
    return mesh[static_cast<std::size_t>(from.value() * island + local(to) % island)];
  }
  /// Joined by scale-up links without passing the host, were all of them up.
  [[nodiscard]] bool same_island(GpuId a, GpuId b) const {
    if (switched) return cluster.scale_up_domain_of(a) == cluster.scale_up_domain_of(b);
    return cluster.node_of(a) == cluster.node_of(b) && local(a) / island == local(b) / island;
  }
};

/// All links at their full rates, `cluster.degraded` not yet applied. Checks (not diagnoses:
/// `scenario` has refused such input) that the cluster can be wired.
[[nodiscard]] Wiring wire(const Cluster& cluster);

}  // namespace moesim::topology
