#include "operators/collectives.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "core/check.h"
#include "operators/coefficient.h"

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

/// What is collected: which curve stands for a phase inside a domain, and how often it is passed.
struct Kind {
  std::vector<CollectiveOp> inside;  ///< Of a single domain.
  std::vector<CollectiveOp> shared;  ///< Of a domain among several.
  double passes = 1;
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

/// The double tree's form of what `ring` does between `domains` domains: every rank sends and gets
/// the message twice, in steps that grow with the logarithm.
AffineCost double_tree(const std::vector<Phase>& inside, const Phase& ring, double domains) {
  double levels = 0.0;
  for (double reach = 1.0; reach < domains; reach *= 2.0) levels += 1.0;
  AffineCost cost{.latency = ring.step.latency_of(2.0 * levels),
                  .seconds_per_byte = 2.0 * ring.step.seconds_per_byte * ring.share * domains /
                                      std::max(domains - 1.0, 1.0)};
  for (const Phase& phase : inside) {
    cost.latency += phase.step.latency_of(2.0 * phase.steps);
    cost.seconds_per_byte += 2.0 * phase.share * phase.step.seconds_per_byte;
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

/// Curves were measured behind switches and among the GPUs of a PCIe host, each as one domain.
bool fits_curves(const Topology& topology, const Group& domain) {
  const bool host = topology.cluster().scale_up.kind == catalog::FabricKind::Pcie;
  return domain.size() > 1 && !pair_links(topology, domain) &&
         (host || shares_scale_up(topology, domain));
}

/// Share of the nominal rate that the slowest path between two GPUs of a domain still has.
double left_of_scale_up(const Topology& topology, std::span<const GpuId> group) {
  const catalog::Fabric& fabric = topology.cluster().scale_up;
  const BytesPerSecond nominal = fabric.bandwidth * fabric.efficiency;
  double left = 1.0;
  for (const GpuId a : group) {
    for (const GpuId b : group) {
      if (a == b || !topology.shares_scale_up(a, b)) continue;
      left = std::min(left, topology.summary(a, b).bandwidth / nominal);
    }
  }
  return left;
}

void add_measured(const NcclCurve& curve, const std::vector<CollectiveOp>& ops, std::size_t ranks,
                  CollectiveCost& cost) {
  for (const CollectiveOp op : ops) {
    cost.measured.emplace_back(curve.at(op, static_cast<std::int64_t>(ranks)));
  }
}

CollectiveCost collective(const Topology& topology, std::span<const GpuId> group, const Kind& kind,
                          const CollectiveCurves& curves) {
  check_distinct(group);
  if (group.size() < 2) return {.algorithm = "none"};
  const std::vector<Group> domains = by_domain(topology, group);
  const std::size_t local = domains.front().size();
  const bool even = std::all_of(domains.begin(), domains.end(),
                                [&](const Group& d) { return d.size() == local; });
  const bool measured = curves.library && fits_curves(topology, domains.front());
  if (domains.size() == 1 && measured) {
    CollectiveCost cost{.algorithm = "measured"};
    add_measured(*curves.library, kind.inside, local, cost);
    return cost;
  }
  const auto count = static_cast<double>(domains.size());
  if (domains.size() == 1 || local == 1 || !even) {
    const std::string name = pair_links(topology, group) ? "direct" : "ring";
    const Phase ring = ring_phase(topology, {Group(group.begin(), group.end())}, 1.0);
    CollectiveCost cost = sum({ring}, kind.passes, name);
    if (kind.passes > 1.0 && local == 1 && even) cost.tree = double_tree({}, ring, count);
    return cost;
  }
  std::vector<Group> across(local);
  for (const Group& domain : domains) {
    for (std::size_t i = 0; i < local; ++i) across[i].push_back(domain[i]);
  }
  const Phase between = ring_phase(topology, across, 1.0 / static_cast<double>(local));
  std::vector<Phase> inside;
  if (!measured) inside.push_back(ring_phase(topology, domains, 1.0));
  std::vector<Phase> phases = inside;
  phases.push_back(between);
  CollectiveCost cost =
      sum(phases, kind.passes, measured ? "measured, ring between domains" : "hierarchical ring");
  if (measured) add_measured(*curves.library, kind.shared, local, cost);
  if (kind.passes > 1.0) cost.tree = double_tree(inside, between, count);
  return cost;
}

}  // namespace

ScaleUpLink scale_up_link(const topology::Cluster& cluster) {
  ScaleUpLink link = scale_up_link(cluster.gpu);
  link.bandwidth = cluster.scale_up.bandwidth;
  link.shared = cluster.scale_up.kind == catalog::FabricKind::Pcie;
  link.reduces = link.reduces && !link.shared;
  return link;
}

CollectiveCurves measured_collectives(const catalog::CurveSet& curves, const Topology& topology,
                                      std::span<const GpuId> group, std::string_view engine) {
  const topology::Cluster& cluster = topology.cluster();
  CollectiveCurves found;
  ScaleUpLink link = scale_up_link(cluster);
  link.bandwidth = link.bandwidth * left_of_scale_up(topology, group);
  const auto values = [](const catalog::CurveMatch& match) {
    return values_of(*match.curve, coefficients_of(match.curve->key.operation));
  };
  found.library_match = curves.find("nccl", cluster.gpu, {}, "nccl");
  if (found.library_match) found.library.emplace(link, values(*found.library_match));
  found.engine_match = curves.find("engine_all_reduce", cluster.gpu, {}, engine);
  if (found.engine_match) {
    found.engine.emplace(link, found.engine_match->curve->key.engine, values(*found.engine_match));
  }
  return found;
}

Seconds CollectiveCost::time(Bytes bytes) const {
  Seconds time = AffineCost{.latency = latency, .seconds_per_byte = seconds_per_byte}.time(bytes);
  if (tree) time = std::min(time, tree->time(bytes));
  for (const auto& part : measured) {
    time += std::visit([&](const auto& curve) { return curve.time(bytes); }, part);
  }
  return time;
}

CollectiveCost all_reduce(const Topology& topology, std::span<const GpuId> group,
                          const CollectiveCurves& curves) {
  return collective(topology, group,
                    {.inside = {CollectiveOp::AllReduce},
                     .shared = {CollectiveOp::ReduceScatter, CollectiveOp::AllGather},
                     .passes = 2.0},
                    curves);
}

CollectiveCost all_gather(const Topology& topology, std::span<const GpuId> group,
                          const CollectiveCurves& curves) {
  return collective(
      topology, group,
      {.inside = {CollectiveOp::AllGather}, .shared = {CollectiveOp::AllGather}, .passes = 1.0},
      curves);
}

CollectiveCost reduce_scatter(const Topology& topology, std::span<const GpuId> group,
                              const CollectiveCurves& curves) {
  return collective(topology, group,
                    {.inside = {CollectiveOp::ReduceScatter},
                     .shared = {CollectiveOp::ReduceScatter},
                     .passes = 1.0},
                    curves);
}

CollectiveCost direct_all_reduce(const Topology& topology, std::span<const GpuId> group,
                                 const CollectiveCurves& curves) {
  check_distinct(group);
  if (group.size() < 2) return {.algorithm = "none"};
  if (curves.engine && fits_curves(topology, {group.begin(), group.end()})) {
    CollectiveCost cost{.algorithm = "measured"};
    cost.measured.emplace_back(curves.engine->at(static_cast<std::int64_t>(group.size())));
    return cost;
  }
  MOESIM_CHECK(shares_scale_up(topology, group), "a direct all-reduce stays on scale-up links");
  const auto n = static_cast<double>(group.size());
  return sum({{.step = pairwise_step(topology, group), .steps = 1, .share = 1.0 / n}}, 2.0,
             "direct");
}

CollectiveCost broadcast(const Topology& topology, std::span<const GpuId> group) {
  check_distinct(group);
  if (group.size() < 2) return {.algorithm = "none"};
  StepBuilder builder(topology);
  for (std::size_t i = 0; i + 1 < group.size(); ++i) builder.add(group[i], group[i + 1]);
  return sum({{.step = builder.step(), .steps = static_cast<double>(group.size() - 1), .share = 1}},
             1.0, "chain");
}

CollectiveCost paired_transfer(const Topology& topology, std::span<const GpuId> from,
                               std::span<const GpuId> to) {
  MOESIM_CHECK(!from.empty() && from.size() == to.size(), "every part has both ends");
  StepBuilder builder(topology);
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i] != to[i]) builder.add(from[i], to[i]);
  }
  return sum(
      {{.step = builder.step(), .steps = 1, .share = 1.0 / static_cast<double>(from.size())}}, 1.0,
      "point to point");
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
