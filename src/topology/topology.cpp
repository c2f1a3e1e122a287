#include "topology/topology.h"

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/dijkstra_shortest_paths.hpp>
#include <boost/graph/strong_components.hpp>
#include <boost/property_map/function_property_map.hpp>
#include <boost/property_map/property_map.hpp>

#include <algorithm>
#include <functional>
#include <limits>

#include "core/check.h"
#include "topology/degrade.h"
#include "topology/routes.h"
#include "topology/wiring.h"

namespace moesim::topology {
namespace {

struct EdgeOfLink {
  std::int32_t link = 0;
};
using LinkGraph = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS,
                                        boost::no_property, EdgeOfLink>;

/// Cost of a path: hops first, latency among equals.
struct PathCost {
  std::int64_t hops = 0;
  double latency = 0.0;
  friend auto operator<=>(const PathCost&, const PathCost&) = default;
};

LinkGraph graph_of(const Wiring& wiring) {
  LinkGraph graph(wiring.vertices.size());
  for (std::size_t i = 0; i < wiring.links.size(); ++i) {
    const Link& link = wiring.links[i];
    if (!(link.bandwidth > BytesPerSecond{})) continue;
    boost::add_edge(static_cast<std::size_t>(link.from), static_cast<std::size_t>(link.to),
                    EdgeOfLink{static_cast<std::int32_t>(i)}, graph);
  }
  return graph;
}

/// Every GPU reaches every other: they lie in one strongly connected component.
bool all_gpus_connected(const LinkGraph& graph, std::int64_t gpus) {
  std::vector<int> component(boost::num_vertices(graph));
  boost::strong_components(graph, boost::make_iterator_property_map(
                                      component.begin(), boost::get(boost::vertex_index, graph)));
  return std::all_of(component.begin(), component.begin() + gpus,
                     [&](int c) { return c == component.front(); });
}

}  // namespace

struct Topology::Graph {
  Wiring wiring;
  LinkGraph graph;
};

Topology::Topology(const Cluster& cluster) : graph_(std::make_unique<Graph>()) {
  graph_->wiring = wire(cluster);
  MOESIM_CHECK(degrade(graph_->wiring).empty(), "degraded links are named rightly");
  MOESIM_CHECK(unreachable(graph_->wiring).empty(), "every GPU reaches every other");
  graph_->graph = graph_of(graph_->wiring);
  MOESIM_CHECK(all_gpus_connected(graph_->graph, cluster.gpus()), "every GPU reaches every other");
}

Topology::~Topology() = default;
Topology::Topology(Topology&&) noexcept = default;
Topology& Topology::operator=(Topology&&) noexcept = default;

const Cluster& Topology::cluster() const { return graph_->wiring.cluster; }
std::span<const Vertex> Topology::vertices() const { return graph_->wiring.vertices; }
std::span<const Link> Topology::links() const { return graph_->wiring.links; }

std::vector<LinkId> Topology::path(GpuId from, GpuId to) const {
  const Route route = route_between(graph_->wiring, from, to);
  return {route.links().begin(), route.links().end()};
}

PathSummary Topology::summary(GpuId from, GpuId to) const {
  PathSummary summary;
  const Route route = route_between(graph_->wiring, from, to);
  for (const LinkId id : route.links()) {
    const Link& link = graph_->wiring.links[id.index()];
    summary.latency += link.latency;
    if (summary.hops == 0 || link.bandwidth < summary.bandwidth) {
      summary.bandwidth = link.bandwidth;
      summary.bottleneck = id;
    }
    ++summary.hops;
  }
  return summary;
}

std::vector<LinkId> Topology::searched_path(GpuId from, GpuId to) const {
  const LinkGraph& graph = graph_->graph;
  const auto& links = graph_->wiring.links;
  const auto index = boost::get(boost::vertex_index, graph);
  std::vector<std::size_t> before(boost::num_vertices(graph));
  std::vector<PathCost> cost(boost::num_vertices(graph));
  std::vector<boost::default_color_type> colour(boost::num_vertices(graph));
  const auto weight = boost::make_function_property_map<LinkGraph::edge_descriptor>(
      [&](const LinkGraph::edge_descriptor& e) {
        const Link& link = links[static_cast<std::size_t>(graph[e].link)];
        return PathCost{.hops = 1, .latency = link.latency / kSecond};
      });
  constexpr PathCost kUnreached{.hops = std::numeric_limits<std::int64_t>::max() / 2,
                                .latency = 0.0};
  const auto add = [](const PathCost& a, const PathCost& b) {
    return PathCost{.hops = a.hops + b.hops, .latency = a.latency + b.latency};
  };
  boost::dijkstra_shortest_paths(
      graph, from.index(), boost::make_iterator_property_map(before.begin(), index),
      boost::make_iterator_property_map(cost.begin(), index), weight, index, std::less<PathCost>{},
      add, kUnreached, PathCost{}, boost::default_dijkstra_visitor{},
      boost::make_iterator_property_map(colour.begin(), index));
  std::vector<LinkId> path;
  for (std::size_t at = to.index(); at != from.index(); at = before[at]) {
    const auto [edge, found] = boost::edge(before[at], at, graph);
    MOESIM_CHECK(found, "the search follows links");
    path.emplace_back(graph[edge].link);
  }
  std::reverse(path.begin(), path.end());
  return path;
}

std::optional<Attachment> Topology::attachment(GpuId gpu) const {
  const Wiring& w = graph_->wiring;
  if (w.nics == 0) return std::nullopt;
  const std::optional<Exit> exit = exit_of(w, gpu);
  if (!exit) return std::nullopt;
  const auto nic = static_cast<std::size_t>(exit->nic);
  Attachment a{.nic = static_cast<std::int32_t>(nic),
               .leaf = w.leaf_of_nic[nic],
               .rail = static_cast<std::int32_t>(exit->nic % w.nics),
               .port_out = w.port_out[nic],
               .port_in = w.port_in[nic]};
  for (std::int64_t i = 0; i < w.spines; ++i) {
    const std::int64_t spine = (w.port_of_nic[nic] + i) % w.spines;
    const auto trunk = static_cast<std::size_t>(a.leaf * w.spines + spine);
    if (!w.up(w.uplink[trunk])) continue;
    if (!a.uplink) {
      a.uplink = w.uplink[trunk];
      a.downlink = w.downlink[trunk];
    }
    a.leaf_rate += w.links[w.uplink[trunk].index()].bandwidth;
  }
  return a;
}

bool Topology::shares_scale_up(GpuId a, GpuId b) const {
  const Wiring& w = graph_->wiring;
  return a == b || (w.same_island(a, b) && (!w.broken || scale_up_joins(w, a, b)));
}

}  // namespace moesim::topology
