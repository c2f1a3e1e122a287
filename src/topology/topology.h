// The cluster as a graph of GPUs, switches, NICs and directed links, and paths through it.
//
// Vertices: GPU, NVLink/xGMI/PCIe switch (or direct mesh links), NIC, leaf, spine. Edges: directed
// links with bandwidth and latency. Paths: fewest hops (then least latency, then lowest ids), rail
// affinity first: traffic leaves by the NIC of its own GPU. Held as a Boost.Graph graph inside.
// Layer: topology.
#pragma once

#include <cstdint>
#include <memory>
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
  BytesPerSecond bandwidth;  ///< Usable, this direction.
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
  /// principles of the wiring for each call: O(hops), no allocation beyond the result.
  [[nodiscard]] std::vector<LinkId> path(GpuId from, GpuId to) const;
  [[nodiscard]] PathSummary summary(GpuId from, GpuId to) const;

 private:
  struct Graph;
  std::unique_ptr<Graph> graph_;
};

}  // namespace moesim::topology
