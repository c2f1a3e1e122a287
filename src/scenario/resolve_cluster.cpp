// The cluster of a scenario: sizes, links and wiring, with the defaults of its GPU.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "scenario/quantity_field.h"
#include "scenario/resolver.h"

namespace moesim::scenario {
namespace {

// What a link is taken to do where the catalog has no fabric like it: three quarters of the peak
// and 2 us, the middle of the fabrics that are measured. Noted as an estimate in every report.
constexpr double kEstimatedEfficiency = 0.75;
constexpr Seconds kEstimatedLatency = Seconds::from_base(2e-6);

/// Links between leaves and spines of one cluster, each way.
constexpr std::int64_t kMaxTrunks = 262'144;

std::int64_t leaves_of(const topology::Cluster& c) {
  const bool rail = c.scale_out != topology::ScaleOut::LeafSpine;
  const std::int64_t group =
      rail ? c.leaf_ports
           : std::max<std::int64_t>(1, c.leaf_ports / std::max<std::int64_t>(1, c.nics_per_node));
  const std::int64_t rails = rail ? std::min(c.nics_per_node, c.gpus_per_node) : 1;
  return (c.nodes + group - 1) / group * rails;
}

bool is_near(BytesPerSecond a, BytesPerSecond b) { return std::abs(a / b - 1.0) < 0.02; }

/// First fabric of one of `kinds`, in their order, whose peak is that of the data sheet.
const catalog::Fabric* fabric_at(const catalog::Catalog& catalog,
                                 std::initializer_list<catalog::FabricKind> kinds,
                                 BytesPerSecond bandwidth) {
  for (const catalog::FabricKind kind : kinds) {
    for (const catalog::Fabric& fabric : catalog.fabrics) {
      if (fabric.kind == kind && is_near(fabric.bandwidth, bandwidth)) return &fabric;
    }
  }
  return nullptr;
}

using Kinds = std::initializer_list<catalog::FabricKind>;

bool is_one_of(catalog::FabricKind kind, Kinds kinds) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

/// "use A, B": the fabrics of these kinds.
std::string fitting_fabrics(const catalog::Catalog& catalog, Kinds kinds) {
  std::string names;
  for (const catalog::Fabric& fabric : catalog.fabrics) {
    if (is_one_of(fabric.kind, kinds)) names += (names.empty() ? "use " : ", ") + fabric.name;
  }
  return names;
}

catalog::Fabric estimated(std::string name, catalog::FabricKind kind, BytesPerSecond bandwidth) {
  catalog::Fabric fabric;
  fabric.name = std::move(name);
  fabric.kind = kind;
  fabric.bandwidth = bandwidth;
  fabric.efficiency = kEstimatedEfficiency;
  fabric.latency = kEstimatedLatency;
  fabric.source = "estimate";
  return fabric;
}

catalog::FabricKind kind_of(catalog::ScaleUpKind kind) {
  switch (kind) {
    case catalog::ScaleUpKind::NvSwitch:
    case catalog::ScaleUpKind::NvLinkBridge:
      return catalog::FabricKind::NvLink;
    case catalog::ScaleUpKind::XgmiMesh:
      return catalog::FabricKind::Xgmi;
    case catalog::ScaleUpKind::Pcie:
      return catalog::FabricKind::Pcie;
  }
  return catalog::FabricKind::NvLink;
}

/// Figures of the scenario over those of the fabric, and back into the message.
void apply_figures(proto::LinkFigures& figures, const std::string& path, catalog::Fabric& fabric,
                   Findings& findings) {
  if (!figures.has_bandwidth()) {
    if (fabric.bandwidth > BytesPerSecond{}) {
      figures.set_bandwidth(format_bandwidth(fabric.bandwidth));
    }
  } else if (const auto value = checked_quantity<BytesPerSecond>(
                 findings, path + ".bandwidth", figures.bandwidth(), parse_bandwidth,
                 kBandwidthRange)) {
    fabric.bandwidth = *value;
  }
  if (!figures.has_efficiency()) figures.set_efficiency(fabric.efficiency);
  fabric.efficiency = checked_real(findings, path + ".efficiency", figures.efficiency(),
                                   kLeastEfficiency, LowEnd::Included, 1.0);
  if (!figures.has_latency()) {
    figures.set_latency(format_seconds(fabric.latency));
  } else if (const auto value = checked_quantity<Seconds>(
                 findings, path + ".latency", figures.latency(), parse_seconds, kLatencyRange)) {
    fabric.latency = *value;
  }
}

}  // namespace

catalog::Fabric Resolver::default_scale_up() const {
  const catalog::Gpu& gpu = scenario_.deployment.cluster.gpu;
  const catalog::FabricKind kind = kind_of(gpu.scale_up);
  const catalog::Fabric* known = catalog_.find_fabric(gpu.scale_up_name);
  if (known == nullptr || !is_near(known->bandwidth, gpu.scale_up_bandwidth)) {
    known = fabric_at(catalog_, {kind}, gpu.scale_up_bandwidth);
  }
  if (known == nullptr) return estimated(gpu.scale_up_name, kind, gpu.scale_up_bandwidth);
  catalog::Fabric fabric = *known;
  fabric.bandwidth = gpu.scale_up_bandwidth;
  return fabric;
}

catalog::Fabric Resolver::default_pcie() const {
  const BytesPerSecond rate = scenario_.deployment.cluster.gpu.pcie_bandwidth;
  const catalog::Fabric* known = fabric_at(catalog_, {catalog::FabricKind::Pcie}, rate);
  if (known == nullptr) return estimated("PCIe", catalog::FabricKind::Pcie, rate);
  catalog::Fabric fabric = *known;
  fabric.bandwidth = rate;
  return fabric;
}

catalog::Fabric Resolver::default_nic() const {
  const BytesPerSecond rate = scenario_.deployment.cluster.gpu.nic_bandwidth;
  const catalog::Fabric* known =
      fabric_at(catalog_, {catalog::FabricKind::InfiniBand, catalog::FabricKind::Roce}, rate);
  if (known == nullptr) return estimated("NIC", catalog::FabricKind::InfiniBand, rate);
  catalog::Fabric fabric = *known;
  fabric.bandwidth = rate;
  return fabric;
}

void Resolver::resolve_cluster_size(proto::Cluster& cluster) {
  topology::Cluster& c = scenario_.deployment.cluster;
  const std::int64_t domain = c.gpu.scale_up_domain;
  if (!cluster.has_nodes()) cluster.set_nodes(1);
  if (!cluster.has_gpus_per_node()) cluster.set_gpus_per_node(has_gpu_ && domain > 8 ? 4 : 8);
  c.nodes = checked_count(findings_, "cluster.nodes", cluster.nodes(), 1, kMaxGpus);
  c.gpus_per_node =
      checked_count(findings_, "cluster.gpus_per_node", cluster.gpus_per_node(), 1, 72);
  if (c.gpus() > kMaxGpus) {
    error("cluster.nodes", fmt::format("{} nodes of {} GPUs are {} GPUs, at most {}", c.nodes,
                                       c.gpus_per_node, c.gpus(), kMaxGpus));
  }
  const std::int64_t whole = std::clamp<std::int64_t>(domain / c.gpus_per_node, 1, c.nodes);
  const bool switched = c.gpu.scale_up == catalog::ScaleUpKind::NvSwitch;
  if (!cluster.has_nodes_per_scale_up_domain()) {
    cluster.set_nodes_per_scale_up_domain(switched ? whole : 1);
  }
  const std::string path = "cluster.nodes_per_scale_up_domain";
  c.nodes_per_scale_up_domain =
      checked_count(findings_, path, cluster.nodes_per_scale_up_domain(), 1, c.nodes);
  const std::int64_t joined = c.nodes_per_scale_up_domain * c.gpus_per_node;
  if (!has_gpu_ || c.nodes_per_scale_up_domain == 1) return;
  if (!switched) {
    error(path, fmt::format("the links of {} do not leave a node", c.gpu.name), "use 1");
  } else if (joined > domain) {
    error(path,
          fmt::format("{} nodes of {} GPUs are {} GPUs, {} of {} reaches {}",
                      c.nodes_per_scale_up_domain, c.gpus_per_node, joined, c.gpu.scale_up_name,
                      c.gpu.name, domain),
          fmt::format("use at most {}", whole));
  }
}

void Resolver::resolve_links(proto::Cluster& cluster) {
  topology::Cluster& c = scenario_.deployment.cluster;
  std::vector<std::string> names;
  for (const catalog::Fabric& fabric : catalog_.fabrics) names.push_back(fabric.name);
  const auto choose = [&](bool given, const std::string& name, const std::string& path, Kinds kinds,
                          catalog::Fabric by_default) {
    if (!given) {
      if (by_default.source == "estimate") {
        note(
            fmt::format("{}: the catalog has no fabric of {}; its efficiency and latency are "
                        "estimates",
                        path, format_bandwidth(by_default.bandwidth)));
      }
      return by_default;
    }
    const catalog::Fabric* known = catalog_.find_fabric(name);
    if (known != nullptr) {
      if (!is_one_of(known->kind, kinds)) {
        error(path, known->name + " is no link of this place", fitting_fabrics(catalog_, kinds));
      }
      return *known;
    }
    const std::string nearest = did_you_mean(name, names);
    error(path, "is no fabric of the catalog, got " + shown(name),
          nearest.empty() ? "see moesim catalog list fabrics" : nearest);
    return by_default;
  };
  const auto positive = [&](const char* path, const catalog::Fabric& fabric) {
    if (fabric.bandwidth > BytesPerSecond{}) return;
    error(path, fmt::format("the data sheet of {} gives no bandwidth", c.gpu.name),
          "name a fabric of the catalog");
  };
  using enum catalog::FabricKind;
  c.scale_up = choose(cluster.has_scale_up(), cluster.scale_up(), "cluster.scale_up",
                      {NvLink, Xgmi, Pcie, ChipToChip}, default_scale_up());
  c.pcie = choose(cluster.has_pcie(), cluster.pcie(), "cluster.pcie", {Pcie, ChipToChip},
                  default_pcie());
  c.nic = choose(cluster.has_nic(), cluster.nic(), "cluster.nic", {InfiniBand, Roce, Efa},
                 default_nic());
  apply_figures(*cluster.mutable_scale_up_figures(), "cluster.scale_up_figures", c.scale_up,
                findings_);
  apply_figures(*cluster.mutable_pcie_figures(), "cluster.pcie_figures", c.pcie, findings_);
  apply_figures(*cluster.mutable_nic_figures(), "cluster.nic_figures", c.nic, findings_);
  positive("cluster.scale_up", c.scale_up);
  positive("cluster.pcie", c.pcie);
  if (c.scale_out != topology::ScaleOut::None) positive("cluster.nic", c.nic);
}

void Resolver::resolve_scale_out(proto::Cluster& cluster) {
  topology::Cluster& c = scenario_.deployment.cluster;
  const bool one_domain = c.nodes <= c.nodes_per_scale_up_domain;
  if (!cluster.has_scale_out()) {
    cluster.set_scale_out(one_domain ? proto::Cluster::NONE : proto::Cluster::RAIL);
  }
  switch (cluster.scale_out()) {
    case proto::Cluster::RAIL:
      c.scale_out = topology::ScaleOut::Rail;
      break;
    case proto::Cluster::LEAF_SPINE:
      c.scale_out = topology::ScaleOut::LeafSpine;
      break;
    case proto::Cluster::RAIL_ONLY:
      c.scale_out = topology::ScaleOut::RailOnly;
      break;
    default:
      c.scale_out = topology::ScaleOut::None;
      if (!one_domain) {
        error("cluster.scale_out",
              fmt::format("NONE leaves {} nodes without a way to each other", c.nodes),
              "use RAIL or LEAF_SPINE");
      }
  }
  resolve_leaves(cluster);
}

void Resolver::resolve_leaves(proto::Cluster& cluster) {
  topology::Cluster& c = scenario_.deployment.cluster;
  if (!cluster.has_nics_per_node()) cluster.set_nics_per_node(c.gpus_per_node);
  c.nics_per_node = checked_count(findings_, "cluster.nics_per_node", cluster.nics_per_node(),
                                  c.scale_out == topology::ScaleOut::None ? 0 : 1, 72);
  if (!cluster.has_leaf_ports()) cluster.set_leaf_ports(32);
  c.leaf_ports = checked_count(findings_, "cluster.leaf_ports", cluster.leaf_ports(), 1, 1024);
  if (!cluster.has_oversubscription()) cluster.set_oversubscription(1.0);
  c.oversubscription = checked_real(findings_, "cluster.oversubscription",
                                    cluster.oversubscription(), 1.0, LowEnd::Included, 64.0);
  if (!cluster.has_spine_switches()) cluster.set_spine_switches(1);
  c.spine_switches =
      checked_count(findings_, "cluster.spine_switches", cluster.spine_switches(), 1, 1024);
  if (c.spine_switches > 1 && c.scale_out == topology::ScaleOut::RailOnly) {
    error("cluster.spine_switches", "RAIL_ONLY has no spines", "leave it out or use RAIL");
  }
  const std::int64_t leaves = leaves_of(c);
  if (leaves * c.spine_switches > kMaxTrunks) {
    error("cluster.spine_switches",
          fmt::format("{} leaves by {} spines are {} trunks, at most {}", leaves, c.spine_switches,
                      leaves * c.spine_switches, kMaxTrunks),
          "use fewer spines or larger leaves");
  }
  if (!cluster.has_switch_latency()) cluster.set_switch_latency("300 ns");
  const auto latency =
      checked_quantity<Seconds>(findings_, "cluster.switch_latency", cluster.switch_latency(),
                                parse_seconds, {"0 s", LowEnd::Included, "1 ms"});
  if (latency) c.switch_latency = *latency;
}

void Resolver::resolve_cluster() {
  if (!message_.has_cluster()) {
    findings_.missing("cluster", "is missing", "write cluster { gpu: \"H200-SXM\" nodes: 1 }");
    return;
  }
  proto::Cluster& cluster = *message_.mutable_cluster();
  topology::Cluster& c = scenario_.deployment.cluster;
  if (!resolve_cluster_preset(cluster)) return;
  if (std::optional<catalog::Gpu> gpu = resolve_gpu()) {
    has_gpu_ = true;
    c.gpu = std::move(*gpu);
  }
  resolve_cluster_size(cluster);
  resolve_scale_out(cluster);
  if (has_gpu_) {
    resolve_links(cluster);
  }
  c.name = fmt::format("{} x {} {}", c.nodes, c.gpus_per_node, c.gpu.name);
  const bool can_be_wired = has_gpu_ && !findings_.any_at("cluster");
  resolve_degraded(cluster);
  if (can_be_wired) check_reach();
  has_cluster_ = has_gpu_ && !findings_.any_at("cluster");
}

}  // namespace moesim::scenario
