#include "serving/joint_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace moesim::serving {
namespace {

using topology::Cluster;
using topology::ScaleOut;

BytesPerSecond usable_rate(const catalog::Fabric& fabric) {
  return fabric.bandwidth * fabric.efficiency;
}

bool same_link(const catalog::Fabric& a, const catalog::Fabric& b) {
  return a.bandwidth == b.bandwidth && a.efficiency == b.efficiency && a.latency == b.latency;
}

/// The faster of two, at its usable rate, with the longer latency.
catalog::Fabric faster(const catalog::Fabric& a, const catalog::Fabric& b) {
  catalog::Fabric fabric = usable_rate(a) < usable_rate(b) ? b : a;
  fabric.bandwidth = usable_rate(fabric);
  fabric.efficiency = 1.0;
  fabric.latency = std::max(a.latency, b.latency);
  return fabric;
}

ScaleOut wiring_of_both(const Cluster& a, const Cluster& b) {
  if (a.scale_out != ScaleOut::None) return a.scale_out;
  return b.scale_out != ScaleOut::None ? b.scale_out : ScaleOut::Rail;
}

/// Leaves links of `nodes` nodes from `first` on the rates of their kind.
void slow_down(const Cluster& kind, std::int64_t first, std::int64_t nodes, Cluster& joint) {
  const double nic = usable_rate(kind.nic) / usable_rate(joint.nic);
  const double scale_up = usable_rate(kind.scale_up) / usable_rate(joint.scale_up);
  const std::int64_t nics = std::min(kind.nics_per_node, kind.gpus_per_node);
  for (std::int64_t node = first; node < first + nodes; ++node) {
    for (std::int64_t i = 0; i < nics && nic < 1.0; ++i) {
      joint.degraded.push_back({.link = fmt::format("node{}/nic{}", node, i), .share = nic});
    }
    for (std::int64_t i = 0; i < kind.gpus_per_node && scale_up < 1.0; ++i) {
      joint.degraded.push_back({.link = fmt::format("node{}/gpu{}", node, i), .share = scale_up});
    }
  }
}

}  // namespace

std::vector<HandoverProblem> check_joint(const Cluster& prefill, const Cluster& decode) {
  std::vector<HandoverProblem> problems;
  const auto add = [&](std::string field, std::string message, std::string hint) {
    problems.push_back({std::move(field), std::move(message), std::move(hint)});
  };
  const auto equal = [&](const char* field, auto ours, auto theirs) {
    if (ours == theirs) return;
    add(field,
        fmt::format("{} is not that of the prefill pool's nodes, {}, and one network joins both",
                    ours, theirs),
        "use one value in both pools");
  };
  for (const Cluster* c : {&prefill, &decode}) {
    if (c->gpu.scale_up != catalog::ScaleUpKind::NvSwitch) {
      add("gpu",
          fmt::format("the GPUs of {} nodes do not meet in a switch: pools of such kinds are not "
                      "modelled",
                      c->gpu.name),
          "use GPUs behind NVSwitch in both pools, or one cluster for both");
    }
    if (c->nics_per_node < 1 || !(usable_rate(c->nic) > BytesPerSecond{})) {
      add("nics_per_node", fmt::format("{} nodes have no way to the other pool", c->gpu.name),
          "give the nodes of both pools NICs");
    }
    if (!c->degraded.empty()) {
      add("degraded", "is not modelled in pools with nodes of their own", "leave it out");
    }
    if (c->scale_out == ScaleOut::RailOnly) {
      add("scale_out", "RAIL_ONLY is not modelled between pools with nodes of their own",
          "use RAIL or LEAF_SPINE");
    }
  }
  equal("gpus_per_node", decode.gpus_per_node, prefill.gpus_per_node);
  equal("nics_per_node", decode.nics_per_node, prefill.nics_per_node);
  equal("nodes_per_scale_up_domain", decode.nodes_per_scale_up_domain,
        prefill.nodes_per_scale_up_domain);
  equal("leaf_ports", decode.leaf_ports, prefill.leaf_ports);
  equal("oversubscription", decode.oversubscription, prefill.oversubscription);
  equal("spine_switches", decode.spine_switches, prefill.spine_switches);
  equal("switch_latency", decode.switch_latency / 1.0_s, prefill.switch_latency / 1.0_s);
  if (prefill.scale_out != decode.scale_out && prefill.scale_out != ScaleOut::None &&
      decode.scale_out != ScaleOut::None) {
    add("scale_out", "is not that of the prefill pool's nodes, and one network joins both",
        "use one wiring in both pools");
  }
  if (prefill.nodes % prefill.nodes_per_scale_up_domain != 0) {
    add("nodes_per_scale_up_domain",
        fmt::format("{} does not divide the {} nodes of the prefill pool, so that the pools would "
                    "share a scale-up domain",
                    prefill.nodes_per_scale_up_domain, prefill.nodes),
        "give the prefill pool whole domains");
  }
  return problems;
}

void join_nodes(Deployment& prefill, Deployment& decode) {
  const ScaleOut wiring = wiring_of_both(prefill.cluster, decode.cluster);
  decode.first_gpu = prefill.cluster.gpus();
  const std::int64_t nodes = prefill.cluster.nodes + decode.cluster.nodes;
  for (Cluster* c : {&prefill.cluster, &decode.cluster}) {
    c->nodes = nodes;
    c->scale_out = wiring;
  }
}

bool has_kinds(const Fleet& fleet) {
  const Cluster& a = fleet.pools.front().cluster;
  const Cluster& b = fleet.pools.back().cluster;
  return a.gpu.name != b.gpu.name || !same_link(a.scale_up, b.scale_up) ||
         !same_link(a.pcie, b.pcie) || !same_link(a.nic, b.nic);
}

Cluster joint_cluster(const Fleet& fleet) {
  const Cluster& prefill = fleet.pools.front().cluster;
  if (!has_kinds(fleet)) return prefill;
  const Cluster& decode = fleet.pools.back().cluster;
  Cluster joint = prefill;
  joint.scale_up = faster(prefill.scale_up, decode.scale_up);
  joint.nic = faster(prefill.nic, decode.nic);
  joint.pcie = usable_rate(prefill.pcie) < usable_rate(decode.pcie) ? prefill.pcie : decode.pcie;
  const std::int64_t border = fleet.pools.back().first_gpu / prefill.gpus_per_node;
  slow_down(prefill, 0, border, joint);
  slow_down(decode, border, decode.nodes - border, joint);
  return joint;
}

}  // namespace moesim::serving
