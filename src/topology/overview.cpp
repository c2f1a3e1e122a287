#include "topology/overview.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace moesim::topology {
namespace {

constexpr BytesPerSecond kNone{};
/// GPUs up to which every pair is looked at.
constexpr std::int64_t kSearched = 256;

class Survey {
 public:
  explicit Survey(const Topology& topology) : t_(topology), c_(topology.cluster()) {}

  Overview run() && {
    count();
    rate_leaves();
    if (o_.domains > 1) {
      cut_between_domains();
    } else {
      cut_inside_domain();
    }
    rate_gpu();
    find_longest();
    return o_;
  }

 private:
  const Link& link(LinkId id) const { return t_.links()[id.index()]; }
  VertexKind kind(std::int32_t vertex) const {
    return t_.vertices()[static_cast<std::size_t>(vertex)].kind;
  }

  void count() {
    o_.gpus = c_.gpus();
    o_.nodes = c_.nodes;
    o_.domains = (c_.nodes + c_.nodes_per_scale_up_domain - 1) / c_.nodes_per_scale_up_domain;
    o_.gpus_per_domain = std::min(c_.nodes_per_scale_up_domain, c_.nodes) * c_.gpus_per_node;
    for (const Vertex& v : t_.vertices()) {
      o_.nics += v.kind == VertexKind::Nic ? 1 : 0;
      o_.leaves += v.kind == VertexKind::Leaf ? 1 : 0;
      o_.spines += v.kind == VertexKind::Spine ? 1 : 0;
    }
    o_.ports = o_.nics > 0 ? c_.nodes * c_.nics_per_node : 0;
    o_.links = static_cast<std::int64_t>(t_.links().size());
    for (const Link& l : t_.links()) o_.down += l.bandwidth > kNone ? 0 : 1;
  }

  /// Rate of a NIC as far as the PCIe links of the GPUs behind it, or of its host, can feed it.
  BytesPerSecond fed(std::int32_t nic) const {
    BytesPerSecond pcie;
    BytesPerSecond port;
    for (const LinkId id : outgoing_[static_cast<std::size_t>(nic)]) {
      (link(id).kind == LinkKind::NicPort ? port : pcie) += link(id).bandwidth;
    }
    return std::min(pcie, port);
  }

  void rate_leaves() {
    outgoing_.resize(t_.vertices().size());
    for (std::size_t i = 0; i < t_.links().size(); ++i) {
      outgoing_[static_cast<std::size_t>(t_.links()[i].from)].emplace_back(
          static_cast<std::int64_t>(i));
    }
    for (std::size_t v = 0; v < t_.vertices().size(); ++v) {
      if (t_.vertices()[v].kind != VertexKind::Leaf) continue;
      BytesPerSecond down;
      BytesPerSecond up;
      for (const LinkId id : outgoing_[v]) {
        (link(id).kind == LinkKind::NicPort ? down : up) += link(id).bandwidth;
      }
      if (down > o_.leaf_down || (down >= o_.leaf_down && up > o_.leaf_up)) {
        o_.leaf_down = down;
        o_.leaf_up = up;
      }
    }
  }

  void cut_between_domains() {
    const std::int64_t half = o_.domains / 2 * c_.nodes_per_scale_up_domain;
    o_.bisection_gpus = half * c_.gpus_per_node;
    const std::size_t vertices = t_.vertices().size();
    // Per leaf vertex: NIC rates of the two sides. Each NIC has one port.
    std::vector<BytesPerSecond> first(vertices);
    std::vector<BytesPerSecond> rest(vertices);
    const std::int64_t per_node = o_.nics / c_.nodes;
    std::int64_t nic = 0;
    for (std::size_t v = 0; v < vertices; ++v) {
      if (t_.vertices()[v].kind != VertexKind::Nic) continue;
      const bool mine = nic++ / per_node < half;
      for (const LinkId id : outgoing_[v]) {
        if (link(id).kind != LinkKind::NicPort) continue;
        (mine ? first : rest)[static_cast<std::size_t>(link(id).to)] +=
            fed(static_cast<std::int32_t>(v));
      }
    }
    BytesPerSecond out;
    BytesPerSecond in;
    for (std::size_t v = 0; v < vertices; ++v) {
      if (t_.vertices()[v].kind != VertexKind::Leaf) continue;
      const BytesPerSecond inside = std::min(first[v], rest[v]);
      BytesPerSecond up;
      for (const LinkId id : outgoing_[v]) {
        if (link(id).kind == LinkKind::LeafSpine) up += link(id).bandwidth;
      }
      o_.bisection += inside;
      out += std::min(up, first[v] - inside);
      in += std::min(up, rest[v] - inside);
    }
    o_.bisection += std::min(out, in);
  }

  void cut_inside_domain() {
    const std::int64_t half = o_.gpus / 2;
    o_.bisection_gpus = half;
    BytesPerSecond pairs;
    BytesPerSecond shared_first;
    BytesPerSecond shared_rest;
    for (const Link& l : t_.links()) {
      if (kind(l.from) != VertexKind::Gpu) continue;
      const bool from_first = l.from < half;
      if (kind(l.to) == VertexKind::Gpu) {
        if (from_first && l.to >= half) pairs += l.bandwidth;
      } else if (kind(l.to) == VertexKind::ScaleUpSwitch || kind(l.to) == VertexKind::Host) {
        (from_first ? shared_first : shared_rest) += l.bandwidth;
      }
    }
    o_.bisection = pairs + std::min(shared_first, shared_rest);
  }

  void rate_gpu() {
    const GpuId first{0};
    for (std::int64_t g = 1; g < o_.gpus_per_domain; ++g) {
      if (!t_.shares_scale_up(first, GpuId{g}) && c_.node_of(GpuId{g}) != 0) break;
      const PathSummary path = t_.summary(first, GpuId{g});
      o_.scale_up_pair = std::max(o_.scale_up_pair, path.bandwidth);
      if (path.hops == 1) {
        o_.scale_up_all += path.bandwidth;
      } else if (o_.scale_up_all == kNone) {
        o_.scale_up_all = path.bandwidth;
      }
      if (c_.node_of(GpuId{g}) == 0) o_.near = std::max(o_.near, path.latency);
    }
    if (o_.nics == 0) return;
    const auto place = t_.attachment(first);
    if (!place) return;
    o_.nic = link(place->port_out).bandwidth;
    BytesPerSecond node;
    for (std::size_t v = 0, seen = 0; v < t_.vertices().size(); ++v) {
      if (t_.vertices()[v].kind != VertexKind::Nic) continue;
      if (seen++ >= static_cast<std::size_t>(o_.nics / c_.nodes)) break;
      node += fed(static_cast<std::int32_t>(v));
    }
    o_.scale_out = node / static_cast<double>(c_.gpus_per_node);
  }

  std::set<std::int64_t> nodes_to_search() const {
    std::set<std::int64_t> nodes{0, c_.nodes - 1};
    for (const Link& l : t_.links()) {
      if (l.bandwidth > kNone) continue;
      for (const std::int32_t v : {l.from, l.to}) {
        const std::string& name = t_.vertices()[static_cast<std::size_t>(v)].name;
        if (name.starts_with("node") && nodes.size() < 16) nodes.insert(std::stoll(name.substr(4)));
      }
    }
    return nodes;
  }

  void find_longest() {
    const std::set<std::int64_t> nodes = nodes_to_search();
    for (std::int64_t from = 0; from < o_.gpus; ++from) {
      if (o_.gpus > kSearched && !nodes.contains(c_.node_of(GpuId{from}))) continue;
      for (std::int64_t to = 0; to < o_.gpus; ++to) {
        if (to == from) continue;
        const PathSummary path = t_.summary(GpuId{from}, GpuId{to});
        if (o_.longest.hops > 0 && path.latency <= o_.longest.latency) continue;
        o_.longest = path;
        o_.longest_from = GpuId{from};
        o_.longest_to = GpuId{to};
      }
    }
  }

  const Topology& t_;
  const Cluster& c_;
  Overview o_;
  std::vector<std::vector<LinkId>> outgoing_;  ///< [vertex]
};

}  // namespace

Overview overview(const Topology& topology) { return Survey(topology).run(); }

}  // namespace moesim::topology
