// A fabric for Graphviz: the graph itself, or the graph with equal parts joined into boxes.
#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "report/fabric_report.h"
#include "report/number_text.h"

namespace moesim::report {
namespace {

using topology::Link;
using topology::LinkKind;
using topology::Topology;
using topology::Vertex;
using topology::VertexKind;

constexpr std::size_t kDetailedNodes = 8;

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

const char* colour_of(LinkKind kind) {
  switch (kind) {
    case LinkKind::ScaleUp:
      return "darkgreen";
    case LinkKind::Pcie:
      return "gray40";
    case LinkKind::NicPort:
      return "blue";
    case LinkKind::LeafSpine:
      return "darkorange";
  }
  return "black";
}

const char* shape_of(VertexKind kind) {
  return kind == VertexKind::Gpu || kind == VertexKind::Nic || kind == VertexKind::Host
             ? "box"
             : "box, style=rounded";
}

/// Height in the picture: spines on top, GPUs and their switches at the bottom.
int rank_of(VertexKind kind) {
  switch (kind) {
    case VertexKind::Spine:
      return 0;
    case VertexKind::Leaf:
      return 1;
    case VertexKind::Nic:
      return 2;
    case VertexKind::Host:
      return 3;
    case VertexKind::Gpu:
      return 4;
    case VertexKind::ScaleUpSwitch:
      return 5;
  }
  return 0;
}

/// Which box each vertex is drawn in, and the links between boxes.
class Drawing {
 public:
  Drawing(const Topology& topology, DotDetail detail) : t_(topology), detail_(detail) {
    for (const Vertex& v : t_.vertices()) names_.insert(v.name);
    find_detailed_nodes();
    place_vertices();
    join_links();
  }

  std::string text(const FabricSubject& subject) const {
    std::string page = "graph fabric {\n";
    page += fmt::format("  label={};\n  labelloc=t;\n",
                        quoted(subject.name + ": " + t_.cluster().name));
    page += "  node [fontname=\"sans-serif\", fontsize=10];\n";
    page += "  edge [fontname=\"sans-serif\", fontsize=8];\n";
    page += boxes() + edges();
    return page + "}\n";
  }

 private:
  struct Edge {
    std::int64_t count = 0;
    BytesPerSecond rate;
    bool down = false;
  };

  const Vertex& vertex(std::int32_t v) const { return t_.vertices()[static_cast<std::size_t>(v)]; }

  /// Number in "node3/...", or -1.
  static std::int64_t node_of(const Vertex& v) {
    return v.name.starts_with("node") ? std::stoll(v.name.substr(4)) : -1;
  }

  void find_detailed_nodes() {
    if (detail_ == DotDetail::Full) return;
    detailed_.insert(0);
    for (const topology::DegradedLink& d : t_.cluster().degraded) {
      const std::size_t at = d.link.find("node");
      if (at != std::string::npos && detailed_.size() < kDetailedNodes) {
        detailed_.insert(std::stoll(d.link.substr(at + 4)));
      }
    }
  }

  bool is_detailed(std::int64_t node) const {
    return detail_ == DotDetail::Full || detailed_.contains(node);
  }

  void place_vertices() {
    // Leaves and switches are drawn by themselves if a detailed node hangs on them.
    std::set<std::int32_t> near;
    for (const Link& l : t_.links()) {
      if (node_of(vertex(l.from)) >= 0 && is_detailed(node_of(vertex(l.from)))) near.insert(l.to);
    }
    std::int64_t spines = 0;
    for (const Vertex& v : t_.vertices()) spines += v.kind == VertexKind::Spine ? 1 : 0;
    box_of_.reserve(t_.vertices().size());
    for (std::size_t i = 0; i < t_.vertices().size(); ++i) {
      const Vertex& v = t_.vertices()[i];
      std::string box = v.name;
      if (detail_ == DotDetail::Collapsed) {
        const std::int64_t node = node_of(v);
        const bool below =
            node >= 0 ? !is_detailed(node)
                      : v.kind != VertexKind::Spine && !near.contains(static_cast<std::int32_t>(i));
        if (below) box = "rest";
        if (v.kind == VertexKind::Spine && spines > 1) box = "spines";
      }
      ++held_[box][v.kind];
      rank_of_[box] = box == "rest" ? rank_of(VertexKind::Nic) : rank_of(v.kind);
      if (box != v.name && node_of(v) >= 0) rest_nodes_.insert(node_of(v));
      box_of_.push_back(std::move(box));
    }
  }

  void join_links() {
    for (const Link& l : t_.links()) {
      const std::string& from = box_of_[static_cast<std::size_t>(l.from)];
      const std::string& to = box_of_[static_cast<std::size_t>(l.to)];
      // Every link has its twin the other way: the one down the picture is drawn.
      const auto place = [&](const std::string& box) { return std::pair(rank_of_.at(box), box); };
      if (from == to || place(from) > place(to)) continue;
      Edge& edge = edges_[{from, to, l.kind}];
      ++edge.count;
      edge.rate += l.bandwidth;
      edge.down = edge.down || !(l.bandwidth > BytesPerSecond{});
    }
  }

  std::string label_of(const std::string& box) const {
    if (names_.contains(box)) {
      // Inside a node the node's name stands above.
      return box.starts_with("node") ? box.substr(box.find('/') + 1) : box;
    }
    std::string label;
    const auto add = [&](std::int64_t count, const char* one, const char* many) {
      if (count == 0) return;
      label += fmt::format("{}{} {}", label.empty() ? "" : "\\n", count_text(count),
                           count == 1 ? one : many);
    };
    const auto& held = held_.at(box);
    const auto of = [&](VertexKind kind) {
      const auto found = held.find(kind);
      return found == held.end() ? std::int64_t{0} : found->second;
    };
    if (box == "rest") {
      add(static_cast<std::int64_t>(rest_nodes_.size()), "more node", "more nodes");
    }
    add(of(VertexKind::Gpu), "GPU", "GPUs");
    add(of(VertexKind::ScaleUpSwitch), "scale-up domain", "scale-up domains");
    add(of(VertexKind::Nic), "NIC", "NICs");
    add(of(VertexKind::Leaf), "leaf", "leaves");
    add(of(VertexKind::Spine), "spine", "spines");
    return label;
  }

  std::string boxes() const {
    std::map<std::int64_t, std::string> nodes;  // by host
    std::string others;
    std::set<std::string> done;
    for (std::size_t i = 0; i < t_.vertices().size(); ++i) {
      const std::string& box = box_of_[i];
      if (!done.insert(box).second) continue;
      const Vertex& v = t_.vertices()[i];
      const bool joint = !names_.contains(box);
      const std::string line = fmt::format("{} [label=\"{}\", shape={}];\n", quoted(box),
                                           label_of(box), joint ? "box3d" : shape_of(v.kind));
      const std::int64_t node = joint ? -1 : node_of(v);
      (node >= 0 ? nodes[node] : others) += (node >= 0 ? "    " : "  ") + line;
    }
    std::string page;
    for (const auto& [node, lines] : nodes) {
      page += fmt::format("  subgraph cluster_node{} {{\n    label=\"node{}\";\n{}  }}\n", node,
                          node, lines);
    }
    return page + others;
  }

  std::string edges() const {
    std::string page;
    for (const auto& [key, edge] : edges_) {
      const auto& [from, to, kind] = key;
      std::string label;
      if (edge.count > 1) {
        label =
            fmt::format(", label=\"{} links, {}\"", count_text(edge.count), rate_text(edge.rate));
      } else {
        label = fmt::format(", tooltip=\"{}\"", rate_text(edge.rate));
      }
      page += fmt::format("  {} -- {} [color={}{}{}{}];\n", quoted(from), quoted(to),
                          edge.down ? "red, style=dashed" : colour_of(kind), label,
                          edge.count > 1 ? ", penwidth=2" : "",
                          rank_of_.at(from) == rank_of_.at(to) ? ", constraint=false" : "");
    }
    return page;
  }

  const Topology& t_;
  DotDetail detail_;
  std::set<std::int64_t> detailed_;
  std::set<std::string> names_;
  std::vector<std::string> box_of_;  ///< [vertex]
  std::map<std::string, std::map<VertexKind, std::int64_t>> held_;
  std::map<std::string, int> rank_of_;
  std::set<std::int64_t> rest_nodes_;
  std::map<std::tuple<std::string, std::string, LinkKind>, Edge> edges_;
};

}  // namespace

std::string fabric_dot(const FabricSubject& subject, const Topology& topology, DotDetail detail) {
  return Drawing(topology, detail).text(subject);
}

}  // namespace moesim::report
