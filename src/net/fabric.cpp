#include "net/fabric.h"

#include <cstddef>

#include "core/check.h"
#include "core/index.h"

namespace moesim::net {
namespace {

using topology::Link;
using topology::Topology;

/// The only link of `candidates` that does not lead back to where `link` comes from, if so.
const Link* only_other(std::span<const Link> links, const std::vector<std::int32_t>& candidates,
                       const Link& link) {
  const Link* found = nullptr;
  for (const std::int32_t id : candidates) {
    const Link& other = links[as_index(id)];
    if (other.from == link.to && other.to == link.from) continue;
    if (found != nullptr) return nullptr;
    found = &other;
  }
  return found;
}

}  // namespace

std::vector<BytesPerSecond> link_capacities(const Topology& topology) {
  std::vector<BytesPerSecond> capacity;
  for (const Link& link : topology.links()) capacity.push_back(link.bandwidth);
  return capacity;
}

std::vector<std::uint8_t> dominated_links(const Topology& topology) {
  const auto links = topology.links();
  const auto vertices = topology.vertices();
  std::vector<std::vector<std::int32_t>> out(vertices.size());
  std::vector<std::vector<std::int32_t>> in(vertices.size());
  const auto down = [&](std::size_t l) { return links[l].bandwidth == BytesPerSecond{}; };
  for (std::size_t l = 0; l < links.size(); ++l) {
    if (down(l)) continue;
    out[as_index(links[l].from)].push_back(static_cast<std::int32_t>(l));
    in[as_index(links[l].to)].push_back(static_cast<std::int32_t>(l));
  }
  const auto is_end = [&](std::int32_t vertex) {
    return vertices[as_index(vertex)].kind == topology::VertexKind::Gpu;
  };
  std::vector<std::uint8_t> dominated(links.size(), 0);
  for (std::size_t l = 0; l < links.size(); ++l) {
    if (down(l)) continue;
    const Link& link = links[l];
    const Link* after = is_end(link.to) ? nullptr : only_other(links, out[as_index(link.to)], link);
    const Link* before =
        is_end(link.from) ? nullptr : only_other(links, in[as_index(link.from)], link);
    // Of two equal links in a row the first stays.
    const bool narrower_after = after != nullptr && after->bandwidth < link.bandwidth;
    const bool narrower_before = before != nullptr && before->bandwidth <= link.bandwidth;
    dominated[l] = narrower_after || narrower_before ? 1 : 0;
  }
  return dominated;
}

Fabric::Fabric(const Topology& topology)
    : topology_(&topology),
      network_(link_capacities(topology), dominated_links(topology)),
      path_(static_cast<std::size_t>(topology.cluster().gpus())) {}

PathId Fabric::path(GpuId from, GpuId to) {
  MOESIM_CHECK(from != to, "a path joins two GPUs");
  auto& row = path_[from.index()];
  if (row.empty()) row.assign(path_.size(), -1);
  std::int32_t& known = row[to.index()];
  if (known < 0) known = network_.add_path(topology_->path(from, to)).value();
  return PathId{known};
}

}  // namespace moesim::net
