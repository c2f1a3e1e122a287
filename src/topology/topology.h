// The cluster as a graph of GPUs, switches, NICs and directed links, and paths through it.
//
// Vertices: GPU, NVLink switch (or direct mesh links), PCIe host, NIC, leaf, spine. Edges: directed
// links with usable bandwidth and latency. Paths: always of fewest hops; among those, rail
// affinity: traffic leaves by the NIC of its own GPU, except that inside one leaf group of a rail
// network it first crosses to the destination's rail in the source node (as PXN does), which spares
// the spine. A spine layer of one vertex spreads flows perfectly over its switches; one of several
// is routed by destination, so that flows can meet on a trunk. Links may run at a share of their
// rate or be down, and then a GPU uses another NIC of its node. Held as a Boost.Graph graph inside.
// Rules and examples: docs/models/topology.md.
// Layer: topology.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/units.h"
#include "topology/cluster.h"

namespace moesim::topology {

enum class LinkKind { ScaleUp, Pcie, NicPort, LeafSpine };
enum class VertexKind { Gpu, ScaleUpSwitch, Host, Nic, Leaf, Spine };

struct Link {
  LinkKind kind = LinkKind::ScaleUp;
  std::int32_t from = 0;  ///< Vertex.
  std::int32_t to = 0;
  BytesPerSecond bandwidth;  ///< Usable, this direction; 0 = down, and on no path.
  Seconds latency;
};

struct Vertex {
  VertexKind kind = VertexKind::Gpu;
  std::string name;  ///< "node3/gpu5", "rail2/leaf0"
};

struct PathSummary {
  Seconds latency;           ///< Sum over links.
  BytesPerSecond bandwidth;  ///< Of the narrowest link.
  LinkId bottleneck;
  std::size_t hops = 0;
};

/// How a GPU is joined to the scale-out network.
struct Attachment {
  std::int32_t nic = 0;   ///< Numbered node-major; GPUs that share a NIC have the same.
  std::int32_t leaf = 0;  ///< Numbered from 0.
  std::int32_t rail = 0;  ///< Place of the NIC in its node.
  LinkId port_out;        ///< NIC to leaf.
  LinkId port_in;         ///< Leaf to NIC.
  /// Leaf to spine: the one link where the spine layer is one vertex, else that of the spine which
  /// serves the NIC's port; none where no spine joins the leaves.
  std::optional<LinkId> uplink{};
  std::optional<LinkId> downlink{};
  BytesPerSecond leaf_rate{};  ///< All uplinks of the leaf together (downlinks alike).
};

/// Built once from a Cluster; immutable and safe to share between threads.
class Topology {
 public:
  explicit Topology(const Cluster& cluster);
  ~Topology();
  Topology(Topology&&) noexcept;
  Topology& operator=(Topology&&) noexcept;

  [[nodiscard]] const Cluster& cluster() const;
  [[nodiscard]] std::span<const Vertex> vertices() const;
  [[nodiscard]] std::span<const Link> links() const;
  /// Directed links from one GPU to another, in order; empty for from == to. Computed on first
  /// principles of the wiring for each call: O(hops), no allocation beyond the result. Where links
  /// are down, up to O(NICs of a node)^2 for a pair that lost its usual ways.
  [[nodiscard]] std::vector<LinkId> path(GpuId from, GpuId to) const;
  [[nodiscard]] PathSummary summary(GpuId from, GpuId to) const;
  /// The same question answered by Dijkstra's search over the whole graph (fewest hops, then least
  /// latency), knowing nothing of rails: a reference for tests, O(links log vertices).
  [[nodiscard]] std::vector<LinkId> searched_path(GpuId from, GpuId to) const;
  /// Of the NIC it uses, another one of the node if its own is down. Nothing where the cluster has
  /// no scale-out network, or no NIC is left.
  [[nodiscard]] std::optional<Attachment> attachment(GpuId gpu) const;
  /// Whether scale-up links join the two without passing a host's PCIe or a NIC.
  [[nodiscard]] bool shares_scale_up(GpuId a, GpuId b) const;

 private:
  struct Graph;
  std::unique_ptr<Graph> graph_;
};

}  // namespace moesim::topology
