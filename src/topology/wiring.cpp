#include "topology/wiring.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/check.h"

namespace moesim::topology {
namespace {

using catalog::ScaleUpKind;

BytesPerSecond usable(const catalog::Fabric& fabric) {
  return fabric.bandwidth * fabric.efficiency;
}

void check(const Cluster& c) {
  MOESIM_CHECK(c.nodes >= 1 && c.gpus_per_node >= 1, "a cluster has GPUs");
  MOESIM_CHECK(c.nodes_per_scale_up_domain >= 1, "a scale-up domain has nodes");
  MOESIM_CHECK(c.nodes_per_scale_up_domain == 1 || c.gpu.scale_up == ScaleUpKind::NvSwitch,
               "only switched scale-up fabrics join nodes");
  MOESIM_CHECK(usable(c.scale_up) > BytesPerSecond{}, "scale-up links carry bytes");
  if (c.scale_out == ScaleOut::None) {
    MOESIM_CHECK(c.nodes <= c.nodes_per_scale_up_domain, "nodes apart need a network");
    return;
  }
  MOESIM_CHECK(c.nics_per_node >= 1 && c.leaf_ports >= 1, "a network has NICs and ports");
  MOESIM_CHECK(usable(c.nic) > BytesPerSecond{}, "NICs carry bytes");
  MOESIM_CHECK(usable(c.pcie) > BytesPerSecond{}, "PCIe carries bytes");
  MOESIM_CHECK(c.oversubscription > 0.0 && c.spine_switches >= 1, "leaves have uplinks");
}

class Builder {
 public:
  explicit Builder(const Cluster& cluster) {
    w_.cluster = cluster;
    const ScaleUpKind kind = cluster.gpu.scale_up;
    w_.switched = kind == ScaleUpKind::NvSwitch;
    if (kind == ScaleUpKind::XgmiMesh) w_.island = cluster.gpus_per_node;
    if (kind == ScaleUpKind::NvLinkBridge) {
      w_.island = std::clamp<std::int64_t>(cluster.gpu.scale_up_domain, 1, cluster.gpus_per_node);
    }
    w_.hosted = kind == ScaleUpKind::Pcie || kind == ScaleUpKind::NvLinkBridge;
  }

  Wiring build() && {
    const Cluster& c = w_.cluster;
    for (std::int64_t g = 0; g < c.gpus(); ++g) {
      vertex(VertexKind::Gpu,
             node_name(g / c.gpus_per_node) + "/gpu" + std::to_string(g % c.gpus_per_node));
    }
    if (w_.switched) add_switches();
    if (w_.island > 1) add_mesh();
    if (w_.hosted) add_hosts();
    if (c.scale_out != ScaleOut::None) {
      add_nics();
      add_leaves();
    }
    return std::move(w_);
  }

 private:
  static std::string node_name(std::int64_t node) { return "node" + std::to_string(node); }

  std::int32_t vertex(VertexKind kind, std::string name) {
    w_.vertices.push_back({.kind = kind, .name = std::move(name)});
    return static_cast<std::int32_t>(w_.vertices.size() - 1);
  }
  LinkId link(LinkKind kind, std::int32_t from, std::int32_t to, BytesPerSecond bandwidth,
              Seconds latency) {
    w_.links.push_back(
        {.kind = kind, .from = from, .to = to, .bandwidth = bandwidth, .latency = latency});
    return LinkId{static_cast<std::int64_t>(w_.links.size()) - 1};
  }

  void add_switches() {
    const Cluster& c = w_.cluster;
    const std::int64_t per_domain = c.nodes_per_scale_up_domain * c.gpus_per_node;
    std::int32_t fabric = 0;
    for (std::int32_t g = 0; g < c.gpus(); ++g) {
      if (g % per_domain == 0) {
        fabric = vertex(VertexKind::ScaleUpSwitch, "domain" + std::to_string(g / per_domain));
      }
      const Seconds half = c.scale_up.latency / 2.0;
      w_.scale_up_out.push_back(link(LinkKind::ScaleUp, g, fabric, usable(c.scale_up), half));
      w_.scale_up_in.push_back(link(LinkKind::ScaleUp, fabric, g, usable(c.scale_up), half));
    }
  }

  /// One link each way between every two GPUs of an island. The catalog gives the rate of a pair; a
  /// fabric faster or slower than the data sheet's has pairs faster or slower by as much.
  void add_mesh() {
    const Cluster& c = w_.cluster;
    const double pace = c.gpu.scale_up_bandwidth > BytesPerSecond{}
                            ? c.scale_up.bandwidth / c.gpu.scale_up_bandwidth
                            : 1.0;
    const BytesPerSecond pair = c.gpu.scale_up_pair_bandwidth * pace * c.scale_up.efficiency;
    MOESIM_CHECK(pair > BytesPerSecond{}, "pair links carry bytes");
    w_.mesh.resize(static_cast<std::size_t>(c.gpus() * w_.island));
    for (std::int32_t g = 0; g < c.gpus(); ++g) {
      const std::int64_t node = g / c.gpus_per_node;
      const std::int64_t place = (g % c.gpus_per_node) / w_.island * w_.island;
      for (std::int64_t peer = 0; peer < w_.island; ++peer) {
        const std::int64_t to = node * c.gpus_per_node + place + peer;
        if (to == g || place + peer >= c.gpus_per_node) continue;
        w_.mesh[static_cast<std::size_t>(g * w_.island + peer)] =
            link(LinkKind::ScaleUp, g, static_cast<std::int32_t>(to), pair, c.scale_up.latency);
      }
    }
  }

  /// The slot of every GPU to its host. In a PCIe box that is the scale-up fabric itself.
  void add_hosts() {
    const Cluster& c = w_.cluster;
    const catalog::Fabric& slot = c.gpu.scale_up == ScaleUpKind::Pcie ? c.scale_up : c.pcie;
    MOESIM_CHECK(usable(slot) > BytesPerSecond{}, "PCIe carries bytes");
    std::int32_t host = 0;
    for (std::int32_t g = 0; g < c.gpus(); ++g) {
      if (g % c.gpus_per_node == 0) {
        host = vertex(VertexKind::Host, node_name(g / c.gpus_per_node) + "/host");
        hosts_.push_back(host);
      }
      const Seconds half = slot.latency / 2.0;
      w_.host_out.push_back(link(LinkKind::Pcie, g, host, usable(slot), half));
      w_.host_in.push_back(link(LinkKind::Pcie, host, g, usable(slot), half));
    }
  }

  /// At most one NIC vertex per GPU: more ports than GPUs are bonded, their rates added.
  void add_nics() {
    const Cluster& c = w_.cluster;
    w_.nics = std::min(c.nics_per_node, c.gpus_per_node);
    for (std::int64_t node = 0; node < c.nodes; ++node) {
      for (std::int64_t i = 0; i < w_.nics; ++i) {
        nics_.push_back(vertex(VertexKind::Nic, node_name(node) + "/nic" + std::to_string(i)));
      }
    }
    // The NIC's end-to-end latency counts its PCIe crossing; these links add none.
    const Seconds none{};
    if (w_.hosted) {
      for (std::size_t n = 0; n < nics_.size(); ++n) {
        const std::int32_t host = hosts_[n / static_cast<std::size_t>(w_.nics)];
        w_.nic_pcie_out.push_back(link(LinkKind::Pcie, host, nics_[n], usable(c.pcie), none));
        w_.nic_pcie_in.push_back(link(LinkKind::Pcie, nics_[n], host, usable(c.pcie), none));
      }
      return;
    }
    for (std::int32_t g = 0; g < c.gpus(); ++g) {
      const std::int32_t nic = nics_[static_cast<std::size_t>(w_.nic_of(GpuId{g}))];
      w_.nic_pcie_out.push_back(link(LinkKind::Pcie, g, nic, usable(c.pcie), none));
      w_.nic_pcie_in.push_back(link(LinkKind::Pcie, nic, g, usable(c.pcie), none));
    }
  }

  void add_leaves() {
    const Cluster& c = w_.cluster;
    const bool rail = w_.is_rails();
    w_.leaf_group = rail ? c.leaf_ports : std::max<std::int64_t>(1, c.leaf_ports / c.nics_per_node);
    const std::int64_t groups = (c.nodes + w_.leaf_group - 1) / w_.leaf_group;
    const std::int64_t rails = rail ? w_.nics : 1;
    for (std::int64_t i = 0; i < groups * rails; ++i) {
      const std::string prefix = rail ? "rail" + std::to_string(i % rails) + "/" : "";
      leaves_.push_back(vertex(VertexKind::Leaf, prefix + "leaf" + std::to_string(i / rails)));
    }
    const double ports = static_cast<double>(c.nics_per_node) / static_cast<double>(w_.nics);
    const BytesPerSecond port = usable(c.nic) * ports;
    std::vector<std::int32_t> attached(leaves_.size(), 0);
    for (std::size_t n = 0; n < nics_.size(); ++n) {
      const auto nic = static_cast<std::int64_t>(n);
      const std::int64_t group = nic / w_.nics / w_.leaf_group;
      const auto leaf = static_cast<std::size_t>(group * rails + (rail ? nic % w_.nics : 0));
      const Seconds half = c.nic.latency / 2.0;
      w_.leaf_of_nic.push_back(static_cast<std::int32_t>(leaf));
      w_.port_of_nic.push_back(attached[leaf]++);
      w_.port_out.push_back(
          link(LinkKind::NicPort, nics_[n], leaves_[leaf], port, half + c.switch_latency));
      w_.port_in.push_back(link(LinkKind::NicPort, leaves_[leaf], nics_[n], port, half));
    }
    if (leaves_.size() > 1 && c.scale_out != ScaleOut::RailOnly) add_spines(port, attached);
  }

  /// Every leaf has as many uplinks as its wired NICs ask for, spread evenly over the spines.
  void add_spines(BytesPerSecond port, const std::vector<std::int32_t>& attached) {
    const Cluster& c = w_.cluster;
    w_.spines = c.spine_switches;
    std::vector<std::int32_t> spines;
    for (std::int64_t s = 0; s < w_.spines; ++s) {
      spines.push_back(
          vertex(VertexKind::Spine, w_.spines == 1 ? "spine" : "spine" + std::to_string(s)));
    }
    for (std::size_t i = 0; i < leaves_.size(); ++i) {
      const BytesPerSecond up =
          port * attached[i] / c.oversubscription / static_cast<double>(w_.spines);
      for (const std::int32_t spine : spines) {
        w_.uplink.push_back(link(LinkKind::LeafSpine, leaves_[i], spine, up, c.switch_latency));
        w_.downlink.push_back(link(LinkKind::LeafSpine, spine, leaves_[i], up, c.switch_latency));
      }
    }
  }

  Wiring w_;
  std::vector<std::int32_t> hosts_;   ///< Vertices, per node.
  std::vector<std::int32_t> nics_;    ///< Vertices, node-major.
  std::vector<std::int32_t> leaves_;  ///< Vertices.
};

}  // namespace

Wiring wire(const Cluster& cluster) {
  check(cluster);
  return Builder(cluster).build();
}

}  // namespace moesim::topology
