#include "serving/group_collective.h"

#include <algorithm>
#include <utility>

namespace moesim::serving {
namespace {

bool one_domain(const topology::Topology& topology, std::span<const GpuId> group) {
  return std::all_of(group.begin(), group.end(),
                     [&](GpuId gpu) { return topology.shares_scale_up(group.front(), gpu); });
}

/// Peers of a PCIe box meet at the host; the engines' kernels work there as well.
bool one_box(const topology::Topology& topology, std::span<const GpuId> group) {
  const topology::Cluster& cluster = topology.cluster();
  return cluster.scale_up.kind == catalog::FabricKind::Pcie &&
         cluster.node_of(group.front()) == cluster.node_of(group.back());
}

operators::CollectiveCurves curves_of(const Deployment& deployment,
                                      const topology::Topology& topology,
                                      std::span<const GpuId> group) {
  if (!deployment.curves || group.size() < 2) return {};
  return operators::measured_collectives(*deployment.curves, topology, group,
                                         deployment.engine.kernels);
}

}  // namespace

GroupCollective::GroupCollective(operators::CollectiveCost cost, operators::CollectiveCost plain,
                                 const topology::Topology& topology)
    : cost_(std::move(cost)), plain_(std::move(plain)) {
  if (plain_.seconds_per_byte <= 0.0) return;
  const auto link = static_cast<std::size_t>(plain_.busiest.value());
  const topology::LinkKind kind = topology.links()[link].kind;
  // Peers of a PCIe box have no other scale-up links than those to the host.
  const bool inside = kind == topology::LinkKind::ScaleUp ||
                      (kind == topology::LinkKind::Pcie &&
                       topology.cluster().scale_up.kind == catalog::FabricKind::Pcie);
  link_ = inside ? Limit::ScaleUp : Limit::ScaleOut;
}

GroupCollective GroupCollective::all_reduce(const Deployment& deployment, Kernels& kernels,
                                            const topology::Topology& topology,
                                            std::span<const GpuId> group, StepPart part) {
  const operators::CollectiveCurves curves = curves_of(deployment, topology, group);
  const bool own_kernel = one_domain(topology, group) || one_box(topology, group);
  const auto form = [&](const operators::CollectiveCurves& with) {
    return own_kernel && (one_domain(topology, group) || with.engine)
               ? operators::direct_all_reduce(topology, group, with)
               : operators::all_reduce(topology, group, with);
  };
  operators::CollectiveCost cost = form(curves);
  kernels.note_collective(part, own_kernel ? "engine_all_reduce" : "nccl",
                          cost.measured.empty() ? std::nullopt
                          : own_kernel          ? curves.engine_match
                                                : curves.library_match);
  return {std::move(cost), form({}), topology};
}

GroupCollective GroupCollective::all_gather(const Deployment& deployment, Kernels& kernels,
                                            const topology::Topology& topology,
                                            std::span<const GpuId> group, StepPart part) {
  const operators::CollectiveCurves curves = curves_of(deployment, topology, group);
  operators::CollectiveCost cost = operators::all_gather(topology, group, curves);
  kernels.note_collective(part, "nccl",
                          cost.measured.empty() ? std::nullopt : curves.library_match);
  return {std::move(cost), operators::all_gather(topology, group), topology};
}

GroupCollective GroupCollective::reduce_scatter(const Deployment& deployment, Kernels& kernels,
                                                const topology::Topology& topology,
                                                std::span<const GpuId> group, StepPart part) {
  const operators::CollectiveCurves curves = curves_of(deployment, topology, group);
  operators::CollectiveCost cost = operators::reduce_scatter(topology, group, curves);
  kernels.note_collective(part, "nccl",
                          cost.measured.empty() ? std::nullopt : curves.library_match);
  return {std::move(cost), operators::reduce_scatter(topology, group), topology};
}

double GroupCollective::link_use(Bytes bytes) const {
  const Seconds all = cost_.time(bytes);
  if (all <= Seconds{}) return 0.0;
  return std::min(1.0, bytes / kByte * plain_.seconds_per_byte * kSecond / all);
}

void GroupCollective::add(Bytes bytes, LimitedTime& time_by_limit) const {
  const Seconds all = cost_.time(bytes);
  const Seconds latency = std::min(all, cost_.time(Bytes{}));
  // The part that grows with the bytes is the links', the rest the messages'.
  time_by_limit[Limit::Latency] += latency;
  time_by_limit[link_] += all - latency;
}

}  // namespace moesim::serving
