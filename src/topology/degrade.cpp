#include "topology/degrade.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "core/index.h"
#include "topology/routes.h"

namespace moesim::topology {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// Links that one vertex stands for: of a GPU those to its peers, of a NIC its port.
bool stands_for(const Wiring& w, VertexKind kind, LinkKind link) {
  switch (kind) {
    case VertexKind::Gpu:
      return link == (w.switched || w.island > 1 ? LinkKind::ScaleUp : LinkKind::Pcie);
    case VertexKind::Nic:
      return link == LinkKind::NicPort;
    case VertexKind::Leaf:
    case VertexKind::Spine:
      return link == LinkKind::LeafSpine;
    case VertexKind::ScaleUpSwitch:
    case VertexKind::Host:
      return true;
  }
  return false;
}

/// Lowers the rates of links by name.
class Degrader {
 public:
  explicit Degrader(Wiring& wiring) : w_(wiring) {
    w_.degraded_by.assign(w_.links.size(), -1);
    for (std::size_t i = 0; i < w_.vertices.size(); ++i) {
      vertices_.emplace(w_.vertices[i].name, static_cast<std::int32_t>(i));
    }
  }

  std::vector<ClusterFault> run() && {
    for (std::size_t i = 0; i < w_.cluster.degraded.size(); ++i) lower(i);
    return std::move(faults_);
  }

 private:
  void fault(std::size_t entry, std::string message, std::string hint) {
    faults_.push_back({.degraded = entry, .message = std::move(message), .hint = std::move(hint)});
  }

  /// -1, with a fault, if there is no such vertex.
  std::int32_t vertex(std::size_t entry, std::string_view name) {
    const auto found = vertices_.find(name);
    if (found != vertices_.end()) return found->second;
    std::map<VertexKind, std::string> last;  // of each kind
    for (const Vertex& v : w_.vertices) last[v.kind] = v.name;
    std::string known;
    for (const auto& [kind, example] : last) known += (known.empty() ? "" : ", ") + example;
    fault(entry, "there is no \"" + std::string(name) + "\" in this cluster",
          "names go up to " + known);
    return -1;
  }

  void lower(std::size_t entry) {
    const std::string_view text = w_.cluster.degraded[entry].link;
    const std::size_t dash = text.find('-');
    const std::int32_t one = vertex(entry, trimmed(text.substr(0, dash)));
    if (one < 0) return;
    if (dash == std::string_view::npos) {
      const VertexKind kind = w_.vertices[as_index(one)].kind;
      const auto takes = [&](const Link& l) {
        return (l.from == one || l.to == one) && stands_for(w_, kind, l.kind);
      };
      lower_links(entry, takes,
                  w_.vertices[as_index(one)].name + " has no link of its own to lower");
      return;
    }
    const std::int32_t two = vertex(entry, trimmed(text.substr(dash + 1)));
    if (two < 0) return;
    if (one == two) {
      fault(entry, "joins " + w_.vertices[as_index(one)].name + " with itself",
            "name both ends of a link, or one vertex alone");
      return;
    }
    const auto takes = [&](const Link& l) {
      return (l.from == one && l.to == two) || (l.from == two && l.to == one);
    };
    lower_links(entry, takes,
                "no link joins " + w_.vertices[as_index(one)].name + " and " +
                    w_.vertices[as_index(two)].name);
  }

  template <class Takes>
  void lower_links(std::size_t entry, const Takes& takes, std::string if_none) {
    bool any = false;
    for (std::size_t i = 0; i < w_.links.size(); ++i) {
      if (!takes(w_.links[i])) continue;
      any = true;
      if (w_.degraded_by[i] >= 0) {
        fault(entry,
              "names a link that degraded[" + std::to_string(w_.degraded_by[i]) + "] names as well",
              "say once what is left of a link");
        return;
      }
      w_.degraded_by[i] = static_cast<std::int32_t>(entry);
      w_.links[i].bandwidth *= w_.cluster.degraded[entry].share;
    }
    if (!any) fault(entry, std::move(if_none), "see moesim fabric for the links of this cluster");
  }

  Wiring& w_;
  std::map<std::string, std::int32_t, std::less<>> vertices_;
  std::vector<ClusterFault> faults_;
};

void find_carriers(Wiring& w) {
  w.carrier.assign(w.port_out.size(), -1);
  for (std::int64_t g = 0; w.nics > 0 && g < w.cluster.gpus(); ++g) {
    const std::int64_t nic = w.nic_of(GpuId{g});
    if (!w.up(w.port_out[as_index(nic)]) || w.carrier[as_index(nic)] >= 0) continue;
    if (!w.up(w.nic_pcie_out[as_index(w.hosted ? nic : g)])) continue;
    w.carrier[as_index(nic)] = static_cast<std::int32_t>(g);
  }
  w.home.resize(as_index(w.cluster.nodes));
  const std::int64_t joint = w.switched ? w.cluster.nodes_per_scale_up_domain : 1;
  const auto has_exit = [&](std::int64_t node) {
    const auto first = w.carrier.begin() + node * w.nics;
    return std::any_of(first, first + w.nics, [](std::int32_t gpu) { return gpu >= 0; });
  };
  for (std::int64_t node = 0; node < w.cluster.nodes; ++node) {
    w.home[as_index(node)] = static_cast<std::int32_t>(node);
    const std::int64_t first = node / joint * joint;
    for (std::int64_t i = 0; i < joint; ++i) {
      const std::int64_t other = first + (node - first + i) % joint;
      if (other >= w.cluster.nodes || !has_exit(other)) continue;
      w.home[as_index(node)] = static_cast<std::int32_t>(other);
      break;
    }
  }
}

/// Looks for the first GPU that cannot be reached.
class Reach {
 public:
  explicit Reach(const Wiring& wiring) : w_(wiring) {}

  std::optional<ClusterFault> inside_nodes() const {
    const Cluster& c = w_.cluster;
    const bool alone = w_.switched && c.nodes_per_scale_up_domain * c.gpus_per_node == 1;
    for (std::int64_t g = 0; g < c.gpus(); ++g) {
      const GpuId gpu{g};
      const bool cut = (w_.switched && !alone && !w_.up(w_.scale_up_out[gpu.index()])) ||
                       (w_.hosted && !w_.up(w_.host_out[gpu.index()]));
      if (cut) {
        return fault_of(gpu, "its only link to the other GPUs is down",
                        "take the node out of the cluster, or give the link a share of its rate");
      }
      if (w_.hosted || w_.island == 1) continue;
      for (std::int64_t peer = 0; peer < w_.island; ++peer) {
        const GpuId to{c.node_of(gpu) * c.gpus_per_node + w_.local(gpu) / w_.island * w_.island +
                       peer};
        if (c.node_of(to) != c.node_of(gpu) || scale_up_joins(w_, gpu, to)) continue;
        return fault_of(gpu, "no links of the mesh are left between it and " + name(to),
                        "take the node out of the cluster, or leave it more links");
      }
    }
    return std::nullopt;
  }

  std::optional<ClusterFault> between_nodes() const {
    if (w_.nics == 0 || has_hub()) return std::nullopt;
    for (std::int64_t a = 0; a < w_.cluster.nodes; ++a) {
      for (std::int64_t b = a + 1; b < w_.cluster.nodes; ++b) {
        if (domain(a) == domain(b) || nodes_joined(a, b)) continue;
        return apart(a, b);
      }
    }
    return std::nullopt;
  }

 private:
  std::int64_t domain(std::int64_t node) const {
    return node / w_.cluster.nodes_per_scale_up_domain;
  }
  const std::string& name(GpuId gpu) const { return w_.vertices[gpu.index()].name; }

  std::vector<std::int64_t> exits(std::int64_t node) const {
    std::vector<std::int64_t> nics;
    const std::int64_t home = w_.broken ? w_.home[as_index(node)] : node;
    for (std::int64_t nic = home * w_.nics; nic < (home + 1) * w_.nics; ++nic) {
      if (!w_.broken || w_.carrier[as_index(nic)] >= 0) nics.push_back(nic);
    }
    return nics;
  }

  bool nodes_joined(std::int64_t a, std::int64_t b) const {
    for (const std::int64_t from : exits(a)) {
      for (const std::int64_t to : exits(b)) {
        if (joined(w_, from, to)) return true;
      }
    }
    return false;
  }

  /// A leaf or a spine that every node still reaches: then no pair needs to be looked at.
  bool has_hub() const {
    const std::size_t leaves =
        as_index(*std::max_element(w_.leaf_of_nic.begin(), w_.leaf_of_nic.end()));
    std::vector<std::int64_t> nodes_of_leaf(leaves + 1, 0);
    std::vector<std::int64_t> nodes_of_spine(as_index(w_.spines), 0);
    for (std::int64_t node = 0; node < w_.cluster.nodes; ++node) {
      std::vector<bool> spine(as_index(w_.spines), false);
      std::vector<std::int32_t> seen;
      for (const std::int64_t nic : exits(node)) {
        const std::int32_t leaf = w_.leaf_of_nic[as_index(nic)];
        if (std::find(seen.begin(), seen.end(), leaf) != seen.end()) continue;
        seen.push_back(leaf);
        ++nodes_of_leaf[as_index(leaf)];
        for (std::int64_t s = 0; s < w_.spines; ++s) {
          spine[as_index(s)] =
              spine[as_index(s)] || w_.up(w_.uplink[as_index(leaf * w_.spines + s)]);
        }
      }
      for (std::size_t s = 0; s < spine.size(); ++s) nodes_of_spine[s] += spine[s] ? 1 : 0;
    }
    const auto full = [&](std::int64_t count) { return count == w_.cluster.nodes; };
    return std::any_of(nodes_of_leaf.begin(), nodes_of_leaf.end(), full) ||
           std::any_of(nodes_of_spine.begin(), nodes_of_spine.end(), full);
  }

  ClusterFault apart(std::int64_t a, std::int64_t b) const {
    const std::int64_t lost = exits(a).empty() ? a : b;
    const GpuId gpu{lost * w_.cluster.gpus_per_node};
    const GpuId other{(lost == a ? b : a) * w_.cluster.gpus_per_node};
    const std::string from = " from " + name(other);
    if (exits(lost).empty()) {
      return fault_of(gpu, "no NIC of node" + std::to_string(lost) + " is up",
                      "take the node out of the cluster, or leave it a NIC", from);
    }
    if (w_.spines == 0) {
      return fault_of(
          gpu, "no leaf joins them and rails have no spine",
          "use scale_out: RAIL, or leaf_ports of at least " + std::to_string(w_.cluster.nodes),
          from);
    }
    return fault_of(gpu, "no leaf or spine joins them", "leave the leaves more uplinks", from);
  }

  ClusterFault fault_of(GpuId gpu, const std::string& reason, std::string hint,
                        const std::string& from = "") const {
    return {.degraded = culprit(gpu),
            .message = name(gpu) + " cannot be reached" + from + ": " + reason,
            .hint = std::move(hint)};
  }

  /// The last entry that took down a link of the GPU's node or of its leaves.
  std::optional<std::size_t> culprit(GpuId gpu) const {
    const std::int64_t node = w_.cluster.node_of(gpu);
    const std::string prefix = "node" + std::to_string(node) + "/";
    std::vector<bool> near(w_.vertices.size(), false);
    for (std::size_t v = 0; v < near.size(); ++v) {
      near[v] = w_.vertices[v].name.compare(0, prefix.size(), prefix) == 0;
    }
    for (std::int64_t nic = node * w_.nics; nic < (node + 1) * w_.nics; ++nic) {
      near[as_index(w_.links[w_.port_out[as_index(nic)].index()].to)] = true;
    }
    std::int32_t last = -1;
    for (std::size_t i = 0; i < w_.degraded_by.size(); ++i) {
      const Link& link = w_.links[i];
      if (w_.up(LinkId{static_cast<std::int64_t>(i)})) continue;
      if (near[as_index(link.from)] || near[as_index(link.to)])
        last = std::max(last, w_.degraded_by[i]);
    }
    if (last < 0) return std::nullopt;
    return as_index(last);
  }

  const Wiring& w_;
};

}  // namespace

std::vector<ClusterFault> degrade(Wiring& wiring) {
  if (wiring.cluster.degraded.empty()) return {};
  std::vector<ClusterFault> faults = Degrader(wiring).run();
  wiring.broken = std::any_of(wiring.links.begin(), wiring.links.end(), [](const Link& link) {
    return !(link.bandwidth > BytesPerSecond{});
  });
  if (wiring.broken) find_carriers(wiring);
  return faults;
}

std::vector<ClusterFault> unreachable(const Wiring& wiring) {
  const Reach reach(wiring);
  std::optional<ClusterFault> fault;
  if (wiring.broken) fault = reach.inside_nodes();
  if (!fault && (wiring.broken || wiring.cluster.scale_out == ScaleOut::RailOnly)) {
    fault = reach.between_nodes();
  }
  if (!fault) return {};
  return {std::move(*fault)};
}

std::vector<ClusterFault> faults_of(const Cluster& cluster) {
  if (cluster.degraded.empty() && cluster.scale_out != ScaleOut::RailOnly) return {};
  Wiring wiring = wire(cluster);
  std::vector<ClusterFault> faults = degrade(wiring);
  if (faults.empty()) faults = unreachable(wiring);
  return faults;
}

}  // namespace moesim::topology
