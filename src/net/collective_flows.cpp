#include "net/collective_flows.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace moesim::net {
namespace {

using topology::Topology;
using Group = std::vector<GpuId>;

/// See operators/collectives.cpp: a later step over scale-up links, as a share of the first.
constexpr double kLaterStep = 0.12;

void check_group(std::span<const GpuId> group, Bytes bytes) {
  MOESIM_CHECK(!group.empty(), "a group has ranks");
  MOESIM_CHECK(bytes > Bytes{}, "a collective moves bytes");
  Group sorted(group.begin(), group.end());
  std::sort(sorted.begin(), sorted.end());
  MOESIM_CHECK(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end(),
               "the GPUs of a group differ");
}

/// The group cut by scale-up domain, in order of appearance.
std::vector<Group> by_domain(const Topology& topology, std::span<const GpuId> group) {
  std::vector<Group> domains;
  std::vector<std::int64_t> ids;
  for (const GpuId g : group) {
    const std::int64_t id = topology.cluster().scale_up_domain_of(g);
    const auto at = static_cast<std::size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
    if (at == ids.size()) {
      ids.push_back(id);
      domains.emplace_back();
    }
    domains[at].push_back(g);
  }
  return domains;
}

bool even(const std::vector<Group>& domains) {
  return std::all_of(domains.begin(), domains.end(),
                     [&](const Group& d) { return d.size() == domains.front().size(); });
}

bool pair_links(const Topology& topology, std::span<const GpuId> group) {
  return group.size() > 1 &&
         std::all_of(group.begin(), group.end(),
                     [&](GpuId g) { return topology.shares_scale_up(group.front(), g); }) &&
         topology.summary(group[0], group[1]).hops == 1;
}

Phase phase_of(const Topology& topology, std::vector<Transfer> transfers, double steps) {
  const Seconds latency = steps_latency(topology, transfers, steps);
  return {.latency = latency, .transfers = std::move(transfers)};
}

/// `steps` steps around each ring, `bytes` of them all over each hop.
Phase ring_phase(const Topology& topology, const std::vector<Group>& rings, double steps,
                 Bytes bytes) {
  std::vector<Transfer> transfers;
  for (const Group& ring : rings) {
    for (std::size_t i = 0; i < ring.size(); ++i) {
      transfers.push_back({.from = ring[i], .to = ring[(i + 1) % ring.size()], .bytes = bytes});
    }
  }
  return phase_of(topology, std::move(transfers), steps);
}

/// Each rank to each other, `bytes` a pair.
Phase pairwise_phase(const Topology& topology, std::span<const GpuId> group, double steps,
                     Bytes bytes) {
  std::vector<Transfer> transfers;
  for (const GpuId from : group) {
    for (const GpuId to : group) {
      if (from != to) transfers.push_back({.from = from, .to = to, .bytes = bytes});
    }
  }
  return phase_of(topology, std::move(transfers), steps);
}

/// Gather or scatter of a part of the bytes among equal groups: one pass. All-reduce: two.
Phase gather_phase(const Topology& topology, const std::vector<Group>& groups, double passes,
                   Bytes bytes) {
  const auto n = static_cast<double>(groups.front().size());
  if (pair_links(topology, groups.front())) {
    return pairwise_phase(topology, groups.front(), passes, passes * bytes / n);
  }
  return ring_phase(topology, groups, passes * (n - 1.0), passes * bytes * (n - 1.0) / n);
}

bool hierarchical(const std::vector<Group>& domains) {
  return domains.size() > 1 && domains.front().size() > 1 && even(domains);
}

/// Ranks of equal position in their domains.
std::vector<Group> across(const std::vector<Group>& domains) {
  std::vector<Group> groups(domains.front().size());
  for (const Group& domain : domains) {
    for (std::size_t i = 0; i < domain.size(); ++i) groups[i].push_back(domain[i]);
  }
  return groups;
}

CollectiveFlows tree(const Topology& topology, std::span<const GpuId> group, Bytes bytes) {
  // Heap order: rank i under (i - 1) / 2. The second tree numbers the ranks backwards, so that the
  // leaves of one are, but for a few, the inner ranks of the other.
  const std::size_t n = group.size();
  std::vector<Transfer> transfers;
  double depth = 0.0;
  for (std::size_t reach = 1; reach < n; reach = 2 * reach + 1) depth += 1.0;
  for (std::size_t i = 1; i < n; ++i) {
    const std::size_t up = (i - 1) / 2;
    for (const auto& [a, b] : {std::pair{i, up}, std::pair{n - 1 - i, n - 1 - up}}) {
      transfers.push_back({.from = group[a], .to = group[b], .bytes = bytes / 2.0});
      transfers.push_back({.from = group[b], .to = group[a], .bytes = bytes / 2.0});
    }
  }
  return {.algorithm = "tree", .phases = {phase_of(topology, std::move(transfers), 2.0 * depth)}};
}

/// Each rank's own part is read from all by way of the switch and written to all: a rank sends its
/// bytes and its part of the sum, and gets its part and the whole. Flows between neighbours load
/// the links to and from the switch alike.
CollectiveFlows in_network(const Topology& topology, std::span<const GpuId> group, Bytes bytes) {
  const bool switched = std::all_of(group.begin(), group.end(), [&](GpuId g) {
    return g == group.front() || (topology.shares_scale_up(group.front(), g) &&
                                  topology.summary(group.front(), g).hops == 2);
  });
  MOESIM_CHECK(switched, "a scale-up switch joins the group");
  const auto n = static_cast<double>(group.size());
  return {.algorithm = "in network",
          .phases = {ring_phase(topology, {Group(group.begin(), group.end())}, 2.0,
                                bytes * (n + 1.0) / n)}};
}

CollectiveFlows gather_or_scatter(const Topology& topology, std::span<const GpuId> group,
                                  Bytes bytes, bool gather) {
  check_group(group, bytes);
  if (group.size() < 2) return {.algorithm = "none"};
  const std::vector<Group> domains = by_domain(topology, group);
  if (!hierarchical(domains)) {
    const std::vector<Group> whole{Group(group.begin(), group.end())};
    return {.algorithm = pair_links(topology, group) ? "direct" : "ring",
            .phases = {gather_phase(topology, whole, 1.0, bytes)}};
  }
  const auto local = static_cast<double>(domains.front().size());
  Phase inside = gather_phase(topology, domains, 1.0, bytes);
  Phase outside = gather_phase(topology, across(domains), 1.0, bytes / local);
  CollectiveFlows flows{.algorithm = "hierarchical ring"};
  if (gather) {
    flows.phases = {std::move(outside), std::move(inside)};
  } else {
    flows.phases = {std::move(inside), std::move(outside)};
  }
  return flows;
}

/// Scale-up domain and position in it of each rank; ranks of each domain.
struct Domains {
  std::vector<std::vector<std::size_t>> ranks;
  std::vector<std::size_t> domain, position;
};

Domains domains_of(const Topology& topology, std::span<const GpuId> group) {
  Domains d;
  std::vector<std::int64_t> ids;
  for (std::size_t r = 0; r < group.size(); ++r) {
    const std::int64_t id = topology.cluster().scale_up_domain_of(group[r]);
    const auto at = static_cast<std::size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
    if (at == ids.size()) {
      ids.push_back(id);
      d.ranks.emplace_back();
    }
    d.domain.push_back(at);
    d.position.push_back(d.ranks[at].size());
    d.ranks[at].push_back(r);
  }
  return d;
}

}  // namespace

Seconds steps_latency(const Topology& topology, std::span<const Transfer> transfers, double steps) {
  Seconds longest;
  bool inside = true;
  for (const Transfer& t : transfers) {
    longest = std::max(longest, topology.summary(t.from, t.to).latency);
    inside = inside && topology.shares_scale_up(t.from, t.to);
  }
  return longest * (inside ? 1.0 + (steps - 1.0) * kLaterStep : steps);
}

CollectiveFlows all_reduce_flows(const Topology& topology, std::span<const GpuId> group,
                                 Bytes bytes, AllReduceAlgorithm algorithm) {
  check_group(group, bytes);
  if (group.size() < 2) return {.algorithm = "none"};
  const std::vector<Group> domains = by_domain(topology, group);
  if (algorithm == AllReduceAlgorithm::Usual) {
    algorithm = pair_links(topology, group) ? AllReduceAlgorithm::Direct
                : hierarchical(domains)     ? AllReduceAlgorithm::Hierarchical
                                            : AllReduceAlgorithm::Ring;
  }
  const auto n = static_cast<double>(group.size());
  switch (algorithm) {
    case AllReduceAlgorithm::Tree:
      return tree(topology, group, bytes);
    case AllReduceAlgorithm::Direct:
      return {.algorithm = "direct",
              .phases = {pairwise_phase(topology, group, 2.0, 2.0 * bytes / n)}};
    case AllReduceAlgorithm::Hierarchical: {
      MOESIM_CHECK(hierarchical(domains), "domains of equally many ranks");
      const auto local = static_cast<double>(domains.front().size());
      const Phase inside = gather_phase(topology, domains, 1.0, bytes);
      return {
          .algorithm = "hierarchical ring",
          .phases = {inside, gather_phase(topology, across(domains), 2.0, bytes / local), inside}};
    }
    case AllReduceAlgorithm::InNetwork:
      return in_network(topology, group, bytes);
    case AllReduceAlgorithm::Usual:
    case AllReduceAlgorithm::Ring:
      break;
  }
  return {.algorithm = "ring",
          .phases = {ring_phase(topology, {Group(group.begin(), group.end())}, 2.0 * (n - 1.0),
                                2.0 * bytes * (n - 1.0) / n)}};
}

CollectiveFlows all_gather_flows(const Topology& topology, std::span<const GpuId> group,
                                 Bytes bytes) {
  return gather_or_scatter(topology, group, bytes, true);
}

CollectiveFlows reduce_scatter_flows(const Topology& topology, std::span<const GpuId> group,
                                     Bytes bytes) {
  return gather_or_scatter(topology, group, bytes, false);
}

CollectiveFlows broadcast_flows(const Topology& topology, std::span<const GpuId> group,
                                Bytes bytes) {
  check_group(group, bytes);
  if (group.size() < 2) return {.algorithm = "none"};
  std::vector<Transfer> transfers;
  for (std::size_t i = 1; i < group.size(); ++i) {
    transfers.push_back({.from = group[i - 1], .to = group[i], .bytes = bytes});
  }
  const auto steps = static_cast<double>(transfers.size());
  return {.algorithm = "chain", .phases = {phase_of(topology, std::move(transfers), steps)}};
}

CollectiveFlows transfer_flows(const Topology& topology, std::span<const Transfer> transfers) {
  std::vector<Transfer> moved;
  for (const Transfer& t : transfers) {
    if (t.from != t.to && t.bytes > Bytes{}) moved.push_back(t);
  }
  if (moved.empty()) return {.algorithm = "none"};
  return {.algorithm = "point to point", .phases = {phase_of(topology, std::move(moved), 1.0)}};
}

CollectiveFlows all_to_all_flows(const Topology& topology, std::span<const GpuId> group,
                                 const CopyMatrix& copies, Bytes bytes_per_copy) {
  check_group(group, bytes_per_copy);
  const Domains d = domains_of(topology, group);
  const auto domains = static_cast<std::size_t>(copies.domains);
  const auto peers = static_cast<std::size_t>(copies.peers);
  MOESIM_CHECK(domains == d.ranks.size() && copies.to_domain.size() == group.size() * domains &&
                   copies.inside.size() == group.size() * peers,
               "the copies are those of this group");
  std::vector<Transfer> transfers;
  Seconds out;
  Seconds up;
  const auto add = [&](std::size_t from, std::size_t to, std::int32_t count, Seconds& longest) {
    if (from == to) return;
    // The latency is due without copies as well: ranks meet.
    longest = std::max(longest, topology.summary(group[from], group[to]).latency);
    if (count == 0) return;
    transfers.push_back({.from = group[from], .to = group[to], .bytes = bytes_per_copy * count});
  };
  for (std::size_t r = 0; r < group.size(); ++r) {
    for (std::size_t x = 0; x < domains; ++x) {
      if (x == d.domain[r]) continue;
      const auto& there = d.ranks[x];
      add(r, there[d.position[r] % there.size()], copies.to_domain[r * domains + x], out);
    }
    const auto& own = d.ranks[d.domain[r]];
    for (std::size_t p = 0; p < own.size(); ++p) add(r, own[p], copies.inside[r * peers + p], up);
  }
  return {.algorithm = "hierarchical all-to-all",
          .phases = {{.latency = out + up, .transfers = std::move(transfers)}}};
}

CollectiveFlows direct_all_to_all_flows(const Topology& topology, std::span<const GpuId> group,
                                        std::span<const std::int32_t> copies,
                                        Bytes bytes_per_copy) {
  check_group(group, bytes_per_copy);
  MOESIM_CHECK(copies.size() == group.size() * group.size(), "a count for each pair of ranks");
  std::vector<Transfer> transfers;
  Seconds longest;
  for (std::size_t r = 0; r < group.size(); ++r) {
    for (std::size_t q = 0; q < group.size(); ++q) {
      if (r == q) continue;
      longest = std::max(longest, topology.summary(group[r], group[q]).latency);
      const std::int32_t count = copies[r * group.size() + q];
      if (count == 0) continue;
      transfers.push_back({.from = group[r], .to = group[q], .bytes = bytes_per_copy * count});
    }
  }
  return {.algorithm = "direct all-to-all",
          .phases = {{.latency = longest, .transfers = std::move(transfers)}}};
}

}  // namespace moesim::net
