#include "report/fabric_drawing.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "report/fabric_report.h"
#include "report/number_text.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

using catalog::ScaleUpKind;
using topology::Cluster;
using topology::Topology;

constexpr std::size_t kColumn = 8;  ///< Width of a GPU.
constexpr std::size_t kMargin = 2;
constexpr std::size_t kLeafColumn = 16;
constexpr std::int64_t kWhole = 8;  ///< GPUs up to which all are drawn.

/// Lines of characters, written by column.
class Canvas {
 public:
  void line(std::string label = "") {
    lines_.emplace_back();
    labels_.push_back(std::move(label));
  }
  /// Puts `text` with its middle at `centre`.
  void put(std::size_t centre, std::string_view text) {
    std::string& row = lines_.back();
    const std::size_t start = centre - std::min(centre, text.size() / 2);
    if (row.size() < start + text.size()) row.resize(start + text.size(), ' ');
    row.replace(start, text.size(), text);
  }
  void fill(std::size_t first, std::size_t last, char with) {
    std::string& row = lines_.back();
    if (row.size() <= last) row.resize(last + 1, ' ');
    for (std::size_t x = first; x <= last; ++x) row[x] = with;
  }
  [[nodiscard]] std::string text() const {
    std::size_t width = 0;
    for (const std::string& row : lines_) width = std::max(width, row.size());
    std::string page;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      std::string row = lines_[i];
      if (!labels_[i].empty()) row = left(row, width + 3) + labels_[i];
      page += row + "\n";
    }
    return page;
  }

 private:
  std::vector<std::string> lines_;
  std::vector<std::string> labels_;
};

/// Numbers 0..count-1 in columns; beyond `whole` the first few, a gap, the last.
struct Columns {
  std::vector<std::int64_t> shown;  ///< -1 is the gap.
  std::size_t width;

  Columns(std::int64_t count, std::int64_t whole, std::size_t column) : width(column) {
    for (std::int64_t i = 0; i < (count > whole ? whole / 2 : count); ++i) shown.push_back(i);
    if (count > whole) shown.insert(shown.end(), {-1, count - 1});
  }
  [[nodiscard]] std::size_t at(std::size_t place) const {
    return kMargin + width / 2 + place * width;
  }
  [[nodiscard]] std::size_t last() const { return at(shown.size() - 1); }
};

/// A line of `text` for each number; dots in the gap.
template <class Text>
void put_each(Canvas& canvas, const Columns& columns, const Text& text) {
  for (std::size_t i = 0; i < columns.shown.size(); ++i) {
    canvas.put(columns.at(i), columns.shown[i] < 0 ? "..." : text(columns.shown[i]));
  }
}

void bars(Canvas& canvas, const Columns& columns, std::string label) {
  canvas.line(std::move(label));
  for (std::size_t i = 0; i < columns.shown.size(); ++i) {
    if (columns.shown[i] >= 0) canvas.put(columns.at(i), "|");
  }
}

void bus(Canvas& canvas, const Columns& columns, const std::string& name) {
  canvas.line();
  canvas.fill(columns.at(0) - 2, std::max(columns.last() + 2, columns.at(0) + name.size() + 4),
              '=');
  canvas.put((columns.at(0) + std::max(columns.last(), columns.at(0) + name.size())) / 2,
             " " + name + " ");
}

std::string range(std::int64_t first, std::int64_t last) {
  return first == last ? std::to_string(first) : fmt::format("{}-{}", first, last);
}

std::string usable(const catalog::Fabric& fabric) {
  return fmt::format("{}, {}", fabric.name, rate_text(fabric.bandwidth * fabric.efficiency));
}

/// Rate of the links between two GPUs that are joined directly.
std::string pair_words(const Topology& t) {
  const auto& links = t.links();
  const auto pair = std::find_if(links.begin(), links.end(), [](const topology::Link& l) {
    return l.kind == topology::LinkKind::ScaleUp;
  });
  return fmt::format("{}, {} a pair", t.cluster().scale_up.name, rate_text(pair->bandwidth));
}

/// What joins the GPUs from above: a switch, pair links, or nothing.
void draw_scale_up(Canvas& canvas, const Topology& t, const Columns& gpus) {
  const Cluster& c = t.cluster();
  if (c.gpu.scale_up == ScaleUpKind::NvSwitch) {
    const std::int64_t nodes = std::min(c.nodes, c.nodes_per_scale_up_domain);
    bus(canvas, gpus,
        nodes == 1 ? "domain0: NVSwitch"
                   : fmt::format("domain0: NVSwitch of nodes 0-{}", nodes - 1));
    bars(canvas, gpus, usable(c.scale_up));
    return;
  }
  if (c.gpu.scale_up == ScaleUpKind::Pcie || c.gpus_per_node < 2) return;
  const std::int64_t island = c.gpu.scale_up == ScaleUpKind::XgmiMesh
                                  ? c.gpus_per_node
                                  : std::max<std::int64_t>(1, c.gpu.scale_up_domain);
  if (island < 2) return;
  canvas.line(pair_words(t));
  for (std::size_t i = 0; i < gpus.shown.size(); ++i) {
    const bool starts = gpus.shown[i] % island == 0;
    if (i > 0 && !starts) canvas.fill(gpus.at(i - 1) + 1, gpus.at(i) - 1, '-');
    canvas.put(gpus.at(i), gpus.shown[i] < 0 ? "-" : "+");
  }
  bars(canvas, gpus,
       c.gpu.scale_up == ScaleUpKind::XgmiMesh ? "every pair has a link of its own" : "bridges");
}

/// Where a NIC of node 0 stands.
struct NicPlace {
  std::size_t centre;
  std::int64_t nic;  ///< -1 is the gap.
};

/// NICs by name and, where some give less than the others, what is left of those.
void put_nics(Canvas& canvas, const Topology& t, const std::vector<NicPlace>& places) {
  const Cluster& c = t.cluster();
  const bool bonded = c.nics_per_node > c.gpus_per_node;
  canvas.line(usable(c.nic) + (bonded ? fmt::format(", {} ports a node", c.nics_per_node) : ""));
  for (const NicPlace& place : places) {
    canvas.put(place.centre, place.nic < 0 ? "..." : fmt::format("nic{}", place.nic));
  }
  std::vector<BytesPerSecond> ports;  // In order of the NICs.
  for (const topology::Link& l : t.links()) {
    const bool out =
        t.vertices()[static_cast<std::size_t>(l.from)].kind == topology::VertexKind::Nic;
    if (l.kind == topology::LinkKind::NicPort && out) ports.push_back(l.bandwidth);
  }
  const BytesPerSecond whole = *std::max_element(ports.begin(), ports.end());
  bool first = true;
  for (const NicPlace& place : places) {
    if (place.nic < 0 || !(ports[static_cast<std::size_t>(place.nic)] < whole)) continue;
    if (first) canvas.line("left of the port");
    first = false;
    const double share = ports[static_cast<std::size_t>(place.nic)] / whole;
    canvas.put(place.centre, share > 0.0 ? percent_text(share) : "down");
  }
}

/// NICs of a node below its GPUs, those of several GPUs below their middle.
void draw_nics(Canvas& canvas, const Topology& t, const Columns& gpus) {
  const Cluster& c = t.cluster();
  const std::int64_t nics = std::min(c.nics_per_node, c.gpus_per_node);
  std::vector<NicPlace> places;
  bars(canvas, gpus, usable(c.pcie));
  const bool all_shown = gpus.shown.size() == static_cast<std::size_t>(c.gpus_per_node);
  if (nics == c.gpus_per_node || !all_shown) {
    for (std::size_t i = 0; i < gpus.shown.size(); ++i) {
      const std::int64_t g = gpus.shown[i];
      places.push_back({.centre = gpus.at(i), .nic = g < 0 ? g : g * nics / c.gpus_per_node});
    }
    put_nics(canvas, t, places);
    return;
  }
  canvas.line();
  std::size_t first = 0;
  for (std::size_t g = 0; g < gpus.shown.size(); ++g) {
    canvas.put(gpus.at(g), "+");
    const auto nic_of = [&](std::size_t gpu) {
      return static_cast<std::int64_t>(gpu) * nics / c.gpus_per_node;
    };
    if (g + 1 < gpus.shown.size() && nic_of(g + 1) == nic_of(g)) {
      canvas.fill(gpus.at(g) + 1, gpus.at(g + 1) - 1, '-');
      continue;
    }
    places.push_back({.centre = (gpus.at(first) + gpus.at(g)) / 2, .nic = nic_of(g)});
    first = g + 1;
  }
  put_nics(canvas, t, places);
}

}  // namespace

std::string node_drawing(const Topology& t) {
  const Cluster& c = t.cluster();
  const bool hosted =
      c.gpu.scale_up == ScaleUpKind::Pcie || c.gpu.scale_up == ScaleUpKind::NvLinkBridge;
  const Columns gpus(c.gpus_per_node, kWhole, kColumn);
  Canvas canvas;
  draw_scale_up(canvas, t, gpus);
  canvas.line(c.gpu.name);
  put_each(canvas, gpus, [](std::int64_t g) { return "gpu" + std::to_string(g); });
  const bool network = c.scale_out != topology::ScaleOut::None;
  if (hosted) {
    bars(canvas, gpus, usable(c.gpu.scale_up == ScaleUpKind::Pcie ? c.scale_up : c.pcie));
    bus(canvas, gpus, "host");
    if (network) {
      const Columns nics(std::min(c.nics_per_node, c.gpus_per_node), kWhole, kColumn);
      bars(canvas, nics, usable(c.pcie));
      std::vector<NicPlace> places;
      for (std::size_t i = 0; i < nics.shown.size(); ++i) {
        places.push_back({.centre = nics.at(i), .nic = nics.shown[i]});
      }
      put_nics(canvas, t, places);
    }
  } else if (network) {
    draw_nics(canvas, t, gpus);
  }
  return (c.nodes == 1 ? "The node\n"
                       : fmt::format("One node of {}, node0\n", count_text(c.nodes))) +
         canvas.text();
}

std::string network_drawing(const Topology& t) {
  const Cluster& c = t.cluster();
  if (c.scale_out == topology::ScaleOut::None) return "";
  std::vector<std::string> leaves;
  std::vector<std::string> spines;
  for (const topology::Vertex& v : t.vertices()) {
    if (v.kind == topology::VertexKind::Leaf) leaves.push_back(v.name);
    if (v.kind == topology::VertexKind::Spine) spines.push_back(v.name);
  }
  const auto count = static_cast<std::int64_t>(leaves.size());
  const bool rails = c.scale_out != topology::ScaleOut::LeafSpine;
  const std::int64_t per_group = rails ? std::min(c.nics_per_node, c.gpus_per_node) : 1;
  const std::int64_t group =
      rails ? c.leaf_ports : std::max<std::int64_t>(1, c.leaf_ports / c.nics_per_node);
  const Columns columns(count, 4, kLeafColumn);
  Canvas canvas;
  if (!spines.empty()) {
    bus(canvas, columns,
        spines.size() == 1 ? spines[0] : fmt::format("{} .. {}", spines.front(), spines.back()));
    BytesPerSecond fastest;  // Of a full leaf, none of it degraded.
    for (const topology::Link& l : t.links()) {
      if (l.kind != topology::LinkKind::LeafSpine) continue;
      fastest = std::max(fastest, l.bandwidth);
    }
    const std::string label = spines.size() == 1
                                  ? rate_text(fastest)
                                  : fmt::format("{} x {}", spines.size(), rate_text(fastest));
    bars(canvas, columns, label);
  }
  canvas.line();
  put_each(canvas, columns, [&](std::int64_t i) { return leaves[static_cast<std::size_t>(i)]; });
  bars(canvas, columns, usable(c.nic));
  canvas.line();
  put_each(canvas, columns, [&](std::int64_t i) {
    return rails ? fmt::format("nic{} of", i % per_group) : std::string("all NICs of");
  });
  canvas.line();
  put_each(canvas, columns, [&](std::int64_t i) {
    const std::int64_t first = i / per_group * group;
    const std::int64_t last = std::min(first + group, c.nodes) - 1;
    return fmt::format("{} {}", first == last ? "node" : "nodes", range(first, last));
  });
  return fmt::format("\nThe network, {}\n", wiring_words(c.scale_out)) + canvas.text();
}

}  // namespace moesim::report
