#include "serving/group_collective.h"

#include <algorithm>
#include <utility>

namespace moesim::serving {
namespace {

bool one_domain(const topology::Topology& topology, std::span<const GpuId> group) {
  return std::all_of(group.begin(), group.end(),
                     [&](GpuId gpu) { return topology.shares_scale_up(group.front(), gpu); });
}

operators::ScaleUpLink link_of(const topology::Cluster& cluster) {
  operators::ScaleUpLink link = operators::scale_up_link(cluster.gpu);
  link.bandwidth = cluster.scale_up.bandwidth;
  return link;
}

/// Curves are of groups behind one switch, or inside one PCIe box. GPUs joined by pair links reach
/// each other at a rate that depends on the size of the group: they take the plain form.
bool has_curve(const Deployment& d, const topology::Topology& topology,
               std::span<const GpuId> group) {
  const catalog::ScaleUpKind kind = d.cluster.gpu.scale_up;
  const bool box = kind == catalog::ScaleUpKind::Pcie &&
                   d.cluster.node_of(group.front()) == d.cluster.node_of(group.back());
  const bool switched = kind == catalog::ScaleUpKind::NvSwitch && one_domain(topology, group);
  return group.size() > 1 && d.curves && (box || switched);
}

}  // namespace

void GroupCollective::set_plain(operators::CollectiveCost cost,
                                const topology::Topology& topology) {
  plain_ = std::move(cost);
  if (plain_.seconds_per_byte <= 0.0) return;
  const auto link = static_cast<std::size_t>(plain_.busiest.value());
  link_ =
      topology.links()[link].kind == topology::LinkKind::ScaleUp ? Limit::ScaleUp : Limit::ScaleOut;
}

GroupCollective GroupCollective::all_reduce(const Deployment& deployment, Kernels& kernels,
                                            const topology::Topology& topology,
                                            std::span<const GpuId> group) {
  GroupCollective collective;
  collective.set_plain(one_domain(topology, group) ? operators::direct_all_reduce(topology, group)
                                                   : operators::all_reduce(topology, group),
                       topology);
  if (!has_curve(deployment, topology, group)) return collective;
  const std::string& engine = deployment.engine.kernels;
  if (const auto match =
          kernels.communication(StepPart::AllReduce, "engine_all_reduce", engine, "")) {
    const operators::EngineAllReduceCurve curve(
        link_of(deployment.cluster), engine,
        values_of(*match->curve, operators::EngineAllReduceCurve::coefficients()));
    collective.engine_ = curve.at(static_cast<std::int64_t>(group.size()));
  }
  return collective;
}

GroupCollective GroupCollective::all_gather(const Deployment& deployment, Kernels& kernels,
                                            const topology::Topology& topology,
                                            std::span<const GpuId> group) {
  GroupCollective collective;
  collective.set_plain(operators::all_gather(topology, group), topology);
  if (!has_curve(deployment, topology, group)) return collective;
  if (const auto match = kernels.communication(StepPart::AllReduce, "nccl", "nccl", "")) {
    const operators::NcclCurve curve(
        link_of(deployment.cluster),
        values_of(*match->curve, operators::NcclCurve::coefficients()));
    collective.library_ =
        curve.at(operators::CollectiveOp::AllGather, static_cast<std::int64_t>(group.size()));
  }
  return collective;
}

Seconds GroupCollective::time(Bytes bytes) const {
  if (engine_) return engine_->time(bytes);
  if (library_) return library_->time(bytes);
  return plain_.time(bytes);
}

double GroupCollective::link_use(Bytes bytes) const {
  const Seconds all = time(bytes);
  if (all <= Seconds{}) return 0.0;
  return std::min(1.0, bytes / kByte * plain_.seconds_per_byte * kSecond / all);
}

void GroupCollective::add(Bytes bytes, LimitedTime& time_by_limit) const {
  const Seconds all = time(bytes);
  const Seconds latency = std::min(all, time(Bytes{}));
  // The part that grows with the bytes is the links', the rest the messages'.
  time_by_limit[Limit::Latency] += latency;
  time_by_limit[link_] += all - latency;
}

}  // namespace moesim::serving
