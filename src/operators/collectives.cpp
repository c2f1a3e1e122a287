#include "operators/collectives.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/check.h"

namespace moesim::operators {
namespace {

using topology::Topology;
using Group = std::vector<GpuId>;

/// Steps after the first over scale-up links cost this share of a message's latency: they are taken
/// by the same running kernel, software included once. NCCL all-reduce of 512 B over 2, 4 and 8
/// ranks grows by 0.78 us a step on H100 (message: 6.5 us), 1.05 on A100 (10.5), 1.23 on B200
/// (9.2): 0.10 to 0.13. Source: docs/models/collectives.md.
constexpr double kLaterStep = 0.12;

/// One step that every ring or pair of a phase takes at once.
struct Step {
  Seconds latency;              ///< Of the longest path.
  double seconds_per_byte = 0;  ///< Of the link most paths share, each path carrying a byte.
  LinkId busiest;
  bool inside = true;  ///< All paths stay on scale-up links.

  [[nodiscard]] Seconds latency_of(double steps) const {
    return inside ? latency * (1.0 + (steps - 1.0) * kLaterStep) : latency * steps;
  }
};

/// Adds paths and remembers how many of them use each link.
class StepBuilder {
 public:
  explicit StepBuilder(const Topology& topology)
      : topology_(topology), uses_(topology.links().size(), 0.0) {}

  void add(GpuId from, GpuId to) {
    Seconds latency;
    step_.inside = step_.inside && topology_.shares_scale_up(from, to);
    for (const LinkId id : topology_.path(from, to)) {
      const topology::Link& link = topology_.links()[id.index()];
      latency += link.latency;
      const double seconds = ++uses_[id.index()] * (kByte / link.bandwidth / kSecond);
      if (seconds > step_.seconds_per_byte) {
        step_.seconds_per_byte = seconds;
        step_.busiest = id;
      }
    }
    step_.latency = std::max(step_.latency, latency);
  }
  [[nodiscard]] Step step() const { return step_; }

 private:
  const Topology& topology_;
  std::vector<double> uses_;
  Step step_;
};

Step ring_step(const Topology& topology, const std::vector<Group>& rings) {
  StepBuilder builder(topology);
  for (const Group& ring : rings) {
    for (std::size_t i = 0; i < ring.size(); ++i) builder.add(ring[i], ring[(i + 1) % ring.size()]);
  }
  return builder.step();
}

Step pairwise_step(const Topology& topology, std::span<const GpuId> group) {
  StepBuilder builder(topology);
  for (const GpuId from : group) {
    for (const GpuId to : group) {
      if (from != to) builder.add(from, to);
    }
  }
  return builder.step();
}

bool shares_scale_up(const Topology& topology, std::span<const GpuId> group) {
  return std::all_of(group.begin(), group.end(),
                     [&](GpuId g) { return topology.shares_scale_up(group.front(), g); });
}

/// Every two of the group joined by a link of their own.
bool pair_links(const Topology& topology, std::span<const GpuId> group) {
  return group.size() > 1 && shares_scale_up(topology, group) &&
         topology.summary(group[0], group[1]).hops == 1;
}

/// The group cut by scale-up domain, in order of appearance.
std::vector<Group> by_domain(const Topology& topology, std::span<const GpuId> group) {
  std::vector<Group> domains;
  std::vector<std::int64_t> ids;
  for (const GpuId g : group) {
    const std::int64_t id = topology.cluster().scale_up_domain_of(g);
    const auto at = std::find(ids.begin(), ids.end(), id);
    if (at == ids.end()) {
      ids.push_back(id);
      domains.push_back({g});
    } else {
      domains[static_cast<std::size_t>(at - ids.begin())].push_back(g);
    }
  }
  return domains;
}

void check_distinct(std::span<const GpuId> group) {
  Group sorted(group.begin(), group.end());
  std::sort(sorted.begin(), sorted.end());
  MOESIM_CHECK(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end(),
               "the GPUs of a group differ");
}

/// A phase moves `share` of the message over each path, in `steps` steps.
struct Phase {
  Step step;
  double steps = 0;
  double share = 0;
};

CollectiveCost sum(const std::vector<Phase>& phases, double passes, std::string algorithm) {
  CollectiveCost cost{.algorithm = std::move(algorithm)};
  double longest = 0.0;
  for (const Phase& phase : phases) {
    cost.latency += phase.step.latency_of(passes * phase.steps);
    const double seconds = passes * phase.share * phase.step.seconds_per_byte;
    cost.seconds_per_byte += seconds;
    if (seconds > longest) {
      longest = seconds;
      cost.busiest = phase.step.busiest;
    }
  }
  return cost;
}

/// A phase among the equal groups `rings`, whose ranks together hold `part` of the message.
Phase ring_phase(const Topology& topology, const std::vector<Group>& rings, double part) {
  const auto n = static_cast<double>(rings.front().size());
  if (pair_links(topology, rings.front())) {
    // One step, a different share to each peer; groups do not share pair links.
    return {.step = pairwise_step(topology, rings.front()), .steps = 1, .share = part / n};
  }
  return {.step = ring_step(topology, rings), .steps = n - 1.0, .share = part * (n - 1.0) / n};
}

/// Gather or scatter (one pass), or both (two passes).
CollectiveCost collective(const Topology& topology, std::span<const GpuId> group, double passes) {
  check_distinct(group);
  if (group.size() < 2) return {.algorithm = "none"};
  const std::vector<Group> domains = by_domain(topology, group);
  const std::size_t local = domains.front().size();
  const bool even = std::all_of(domains.begin(), domains.end(),
                                [&](const Group& d) { return d.size() == local; });
  if (domains.size() == 1 || local == 1 || !even) {
    const std::string name = pair_links(topology, group) ? "direct" : "ring";
    return sum({ring_phase(topology, {Group(group.begin(), group.end())}, 1.0)}, passes, name);
  }
  std::vector<Group> across(local);
  for (const Group& domain : domains) {
    for (std::size_t i = 0; i < local; ++i) across[i].push_back(domain[i]);
  }
  return sum({ring_phase(topology, domains, 1.0),
              ring_phase(topology, across, 1.0 / static_cast<double>(local))},
             passes, "hierarchical ring");
}

}  // namespace

CollectiveCost all_reduce(const Topology& topology, std::span<const GpuId> group) {
  return collective(topology, group, 2.0);
}

CollectiveCost all_gather(const Topology& topology, std::span<const GpuId> group) {
  return collective(topology, group, 1.0);
}

CollectiveCost reduce_scatter(const Topology& topology, std::span<const GpuId> group) {
  return collective(topology, group, 1.0);
}

CollectiveCost direct_all_reduce(const Topology& topology, std::span<const GpuId> group) {
  check_distinct(group);
  if (group.size() < 2) return {.algorithm = "none"};
  MOESIM_CHECK(shares_scale_up(topology, group), "a direct all-reduce stays on scale-up links");
  const auto n = static_cast<double>(group.size());
  return sum({{.step = pairwise_step(topology, group), .steps = 1, .share = 1.0 / n}}, 2.0,
             "direct");
}

CollectiveCost point_to_point(const Topology& topology, GpuId from, GpuId to) {
  if (from == to) return {.algorithm = "none"};
  const topology::PathSummary path = topology.summary(from, to);
  return {.latency = path.latency,
          .seconds_per_byte = kByte / path.bandwidth / kSecond,
          .busiest = path.bottleneck,
          .algorithm = "point to point"};
}

}  // namespace moesim::operators
