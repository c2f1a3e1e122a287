#include "serving/nic_sharing.h"

#include <algorithm>
#include <cmath>

#include "core/index.h"

namespace moesim::serving {
namespace {

/// Change of a port's free share that flows are told of.
constexpr double kNoticed = 0.02;

}  // namespace

NicSharing::NicSharing(const topology::Topology& topology, net::FlowRuns& runs)
    : topology_(topology), runs_(runs), port_(topology.links().size()) {
  const auto links = topology.links();
  // PCIe to and from each NIC, by the NIC's vertex.
  std::vector<std::vector<std::size_t>> beside(topology.vertices().size());
  for (std::size_t l = 0; l < links.size(); ++l) {
    if (links[l].kind != topology::LinkKind::Pcie) continue;
    beside[as_index(links[l].from)].push_back(l);
    beside[as_index(links[l].to)].push_back(l);
  }
  for (std::size_t l = 0; l < links.size(); ++l) {
    if (links[l].kind != topology::LinkKind::NicPort) continue;
    port_[l].links.emplace_back(static_cast<std::int64_t>(l));
    const bool out = topology.vertices()[as_index(links[l].from)].kind == topology::VertexKind::Nic;
    const std::int32_t nic = out ? links[l].from : links[l].to;
    for (const std::size_t pcie : beside[as_index(nic)]) {
      const bool in_a_row = out ? links[pcie].to == nic : links[pcie].from == nic;
      if (in_a_row && links[pcie].bandwidth <= links[l].bandwidth &&
          links[pcie].bandwidth > BytesPerSecond{}) {
        port_[l].links.emplace_back(static_cast<std::int64_t>(pcie));
      }
    }
  }
}

std::vector<LinkId> NicSharing::ports_of(std::span<const GpuId> gpus) const {
  std::vector<LinkId> ports;
  for (const GpuId gpu : gpus) {
    const auto attachment = topology_.attachment(gpu);
    if (!attachment) continue;
    for (const LinkId port : {attachment->port_out, attachment->port_in}) {
      if (std::find(ports.begin(), ports.end(), port) == ports.end()) ports.push_back(port);
    }
  }
  return ports;
}

void NicSharing::add(const Instance& instance) {
  Span& span = groups_of_unit_.emplace_back(Span{.first = groups_.size()});
  if (!instance.cost().exchanges_on_network()) return;
  span.count = instance.cost().stages();
  for (std::size_t s = 0; s < span.count; ++s) {
    const std::size_t number = groups_.size();
    Group& group = groups_.emplace_back();
    group.ports = ports_of(instance.cost().gpus(s));
    group.with_caches = {static_cast<std::int32_t>(group.ports.size())};
    for (const LinkId port : group.ports) port_[port.index()].groups.push_back(number);
  }
}

void NicSharing::find_ports(GpuId from, GpuId to, std::vector<LinkId>& ports) const {
  if (groups_.empty()) return;
  for (const LinkId link : topology_.path(from, to)) {
    if (topology_.links()[link.index()].kind == topology::LinkKind::NicPort) ports.push_back(link);
  }
}

/// Adds the time since the last change to the mean.
void NicSharing::count(Group& group, SimTime now) {
  if (group.runs) {
    const auto passed = static_cast<double>((now - group.since).picoseconds());
    group.sum += passed * static_cast<double>(group.most);
    group.time += passed;
  }
  group.since = now;
}

void NicSharing::change(LinkId link, std::int32_t by, SimTime now) {
  Port& port = port_[link.index()];
  const auto before = static_cast<std::size_t>(port.caches);
  port.caches += by;
  const auto after = static_cast<std::size_t>(port.caches);
  for (const std::size_t number : port.groups) {
    Group& group = groups_[number];
    count(group, now);
    if (group.with_caches.size() <= after) group.with_caches.resize(after + 1);
    --group.with_caches[before];
    ++group.with_caches[after];
    group.most = std::max(group.most, after);
    while (group.most > 0 && group.with_caches[group.most] == 0) --group.most;
  }
  if (!port.groups.empty()) set_rate(link);
}

void NicSharing::begin(std::span<const LinkId> ports, SimTime now) {
  for (const LinkId port : ports) change(port, 1, now);
}

void NicSharing::end(std::span<const LinkId> ports, SimTime now) {
  for (const LinkId port : ports) change(port, -1, now);
}

void NicSharing::set_rate(LinkId link) {
  Port& port = port_[link.index()];
  const double caches = std::max(1, port.caches);
  double taken = 0.0;
  double flows = 0.0;
  for (const std::size_t number : port.groups) {
    const Group& group = groups_[number];
    taken += group.share * group.flows / (group.flows + caches);
    flows += group.flows;
  }
  // Groups that share a port never exchange so much that a fair share is not left.
  const double free = std::max(1.0 - taken, caches / (flows + caches));
  if (std::abs(free - port.free) <= kNoticed && (free < 1.0 || port.free == 1.0)) return;
  port.free = free;
  for (const LinkId each : port.links) {
    runs_.set_capacity(each, free * topology_.links()[each.index()].bandwidth);
  }
}

void NicSharing::before(std::size_t unit, Instance& instance, SimTime now) const {
  const Span& span = groups_of_unit_[unit];
  for (std::size_t s = 0; s < span.count; ++s) {
    const Group& group = groups_[span.first + s];
    const double last = group.runs ? static_cast<double>((now - group.since).picoseconds()) : 0.0;
    const double time = group.time + last;
    if (time <= 0.0) continue;
    instance.meet_caches(s, (group.sum + last * static_cast<double>(group.most)) / time);
  }
}

void NicSharing::after(std::size_t unit, const Instance& instance, bool started, SimTime now) {
  const Span& span = groups_of_unit_[unit];
  if (!started && !instance.is_idle()) return;
  for (std::size_t s = 0; s < span.count; ++s) {
    Group& group = groups_[span.first + s];
    count(group, now);
    group.runs = started;
    group.share = 0.0;
    if (started) {
      group.sum = 0.0;
      group.time = 0.0;
      const NetworkShare share = instance.cost().network_share(s);
      group.share = share.of_time;
      group.flows = share.flows;
    }
    for (const LinkId port : group.ports) set_rate(port);
  }
}

}  // namespace moesim::serving
