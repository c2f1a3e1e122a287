#include "placement/replica_shares.h"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/push_relabel_max_flow.hpp>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "core/check.h"
#include "core/index.h"

namespace moesim::placement {
namespace {

constexpr double kUnits = 0x1.0p40;  // Flow units that all load is divided into.

/// Load that may go to any of some ranks.
struct Demand {
  std::size_t expert = 0;
  double load = 0.0;
  std::vector<std::size_t> slots;    ///< That may take it, on different ranks.
  std::vector<std::int64_t> flow{};  ///< To each of them, filled by the solver.
  std::int64_t units = 0;
};

/// Loads without a choice, and those with one.
struct SplitProblem {
  std::vector<double> fixed;  ///< [ranks]
  std::vector<Demand> demands;
  double total = 0.0;
  std::size_t room = 1;  ///< Slots per rank.
};

/// The least largest load and who forces it.
struct SplitBound {
  double largest = 0.0;
  std::vector<bool> demand_in{};  ///< Empty: all demands.
  std::vector<bool> rank_in{};
};

using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
using EdgeId = Traits::edge_descriptor;
using VertexId = Traits::vertex_descriptor;

struct Pipe {
  std::int64_t capacity = 0;
  std::int64_t residual = 0;
  EdgeId reverse{};
};

using FlowGraph =
    boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, Pipe>;

/// Source -> demands -> ranks -> sink.
class ShareFlow {
 public:
  ShareFlow(const SplitProblem& problem, double units_per_load)
      : ranks_(problem.fixed.size()),
        demands_(problem.demands.size()),
        graph_(ranks_ + demands_ + 2) {
    for (const double load : problem.fixed) fixed_.push_back(std::llround(load * units_per_load));
    for (std::size_t d = 0; d < demands_; ++d) {
      const Demand& demand = problem.demands[d];
      const std::int64_t units = std::llround(demand.load * units_per_load);
      units_.push_back(units);
      total_ += units;
      join(source(), demand_vertex(d), units);
      for (const std::size_t slot : demand.slots) {
        to_ranks_.push_back(join(demand_vertex(d), rank_vertex(slot / problem.room), units));
      }
    }
    for (std::size_t r = 0; r < ranks_; ++r) to_sink_.push_back(join(rank_vertex(r), sink(), 0));
  }

  /// True if every rank can stay at or below `largest` units.
  bool fits(std::int64_t largest) {
    for (std::size_t r = 0; r < ranks_; ++r) {
      graph_[to_sink_[r]].capacity = largest - fixed_[r];
    }
    return boost::push_relabel_max_flow(
               graph_, source(), sink(), boost::get(&Pipe::capacity, graph_),
               boost::get(&Pipe::residual, graph_), boost::get(&Pipe::reverse, graph_),
               boost::get(boost::vertex_index, graph_)) == total_;
  }

  /// Vertices on the source's side of the last flow's minimum cut.
  [[nodiscard]] std::vector<bool> source_side() const {
    std::vector<bool> reached(boost::num_vertices(graph_), false);
    std::vector<VertexId> open = {source()};
    reached[source()] = true;
    while (!open.empty()) {
      const VertexId v = open.back();
      open.pop_back();
      for (auto [edge, end] = boost::out_edges(v, graph_); edge != end; ++edge) {
        const VertexId next = boost::target(*edge, graph_);
        if (reached[next] || graph_[*edge].residual <= 0) continue;
        reached[next] = true;
        open.push_back(next);
      }
    }
    return reached;
  }

  [[nodiscard]] VertexId demand_vertex(std::size_t d) const { return 2 + d; }
  [[nodiscard]] VertexId rank_vertex(std::size_t r) const { return 2 + demands_ + r; }
  [[nodiscard]] std::int64_t units(std::size_t demand) const { return units_[demand]; }
  [[nodiscard]] std::int64_t fixed(std::size_t rank) const { return fixed_[rank]; }
  [[nodiscard]] std::int64_t total() const { return total_; }
  /// Flow to the `i`-th slot, counted over the demands' slots in order.
  [[nodiscard]] std::int64_t flow(std::size_t i) const {
    const Pipe& pipe = graph_[to_ranks_[i]];
    return pipe.capacity - pipe.residual;
  }

 private:
  [[nodiscard]] static VertexId source() { return 0; }
  [[nodiscard]] static VertexId sink() { return 1; }
  EdgeId join(VertexId from, VertexId to, std::int64_t capacity) {
    const EdgeId there = boost::add_edge(from, to, Pipe{.capacity = capacity}, graph_).first;
    const EdgeId back = boost::add_edge(to, from, Pipe{}, graph_).first;
    graph_[there].reverse = back;
    graph_[back].reverse = there;
    return there;
  }

  std::size_t ranks_;
  std::size_t demands_;
  FlowGraph graph_;
  std::vector<std::int64_t> fixed_;
  std::vector<std::int64_t> units_;
  std::vector<EdgeId> to_ranks_;
  std::vector<EdgeId> to_sink_;
  std::int64_t total_ = 0;
};

std::int64_t rounded_up(std::int64_t dividend, std::int64_t divisor) {
  return (dividend + divisor - 1) / divisor;
}

/// No rank below its fixed load, nor all below the mean.
SplitBound first_bound(const SplitProblem& problem) {
  SplitBound bound{.largest = problem.total / static_cast<double>(problem.fixed.size())};
  const auto busiest = std::max_element(problem.fixed.begin(), problem.fixed.end());
  if (*busiest <= bound.largest && !problem.demands.empty()) return bound;
  bound.largest = *busiest;
  bound.demand_in.assign(problem.demands.size(), false);
  bound.rank_in.assign(problem.fixed.size(), false);
  bound.rank_in[as_index(busiest - problem.fixed.begin())] = true;
  return bound;
}

/// Raises the bound from cut to cut until the flow fits; fills the demands' flows.
SplitBound solve(SplitProblem& problem) {
  SplitBound bound = first_bound(problem);
  if (problem.demands.empty()) return bound;
  ShareFlow flow(problem, kUnits / problem.total);
  const std::size_t ranks = problem.fixed.size();
  std::int64_t sum = flow.total();
  std::int64_t largest = 0;
  for (std::size_t r = 0; r < ranks; ++r) {
    sum += flow.fixed(r);
    largest = std::max(largest, flow.fixed(r));
  }
  largest = std::max(largest, rounded_up(sum, static_cast<std::int64_t>(ranks)));
  while (!flow.fits(largest)) {
    const std::vector<bool> reached = flow.source_side();
    bound = {.demand_in = std::vector<bool>(problem.demands.size()),
             .rank_in = std::vector<bool>(ranks)};
    double load = 0.0;
    std::int64_t units = 0;
    std::int64_t members = 0;
    for (std::size_t d = 0; d < problem.demands.size(); ++d) {
      if (!reached[flow.demand_vertex(d)]) continue;
      bound.demand_in[d] = true;
      load += problem.demands[d].load;
      units += flow.units(d);
    }
    for (std::size_t r = 0; r < ranks; ++r) {
      if (!reached[flow.rank_vertex(r)]) continue;
      bound.rank_in[r] = true;
      load += problem.fixed[r];
      units += flow.fixed(r);
      ++members;
    }
    MOESIM_CHECK(members > 0 && rounded_up(units, members) > largest, "a cut raises the bound");
    bound.largest = load / static_cast<double>(members);
    largest = rounded_up(units, members);
  }
  std::size_t next = 0;
  for (std::size_t d = 0; d < problem.demands.size(); ++d) {
    Demand& demand = problem.demands[d];
    demand.units = flow.units(d);
    for (std::size_t i = 0; i < demand.slots.size(); ++i) demand.flow.push_back(flow.flow(next++));
  }
  return bound;
}

std::vector<std::vector<std::size_t>> slots_of_experts(std::span<const std::int32_t> expert_of_slot,
                                                       std::size_t experts) {
  std::vector<std::vector<std::size_t>> slots(experts);
  for (std::size_t s = 0; s < expert_of_slot.size(); ++s) {
    slots[as_index(expert_of_slot[s])].push_back(s);
  }
  return slots;
}

/// Experts of the bound's demands, and experts without a choice on its ranks.
Bottleneck bottleneck_of(const SplitProblem& problem, const SplitBound& bound,
                         const std::vector<std::vector<std::size_t>>& slots) {
  const auto has_rank = [&](std::size_t r) { return bound.rank_in.empty() || bound.rank_in[r]; };
  std::vector<bool> in(slots.size(), false);
  for (std::size_t d = 0; d < problem.demands.size(); ++d) {
    if (bound.demand_in.empty() || bound.demand_in[d]) in[problem.demands[d].expert] = true;
  }
  Bottleneck bottleneck;
  for (std::size_t e = 0; e < slots.size(); ++e) {
    if (in[e] || (slots[e].size() == 1 && has_rank(slots[e].front() / problem.room))) {
      bottleneck.experts.push_back(static_cast<std::int32_t>(e));
    }
  }
  for (std::size_t r = 0; r < problem.fixed.size(); ++r) {
    if (has_rank(r)) bottleneck.ranks.push_back(static_cast<std::int32_t>(r));
  }
  return bottleneck;
}

}  // namespace

ReplicaSplit optimal_split(std::span<const std::int32_t> expert_of_slot,
                           std::span<const double> load, std::int64_t slots_per_rank) {
  const std::vector<std::vector<std::size_t>> slots = slots_of_experts(expert_of_slot, load.size());
  const auto room = as_index(slots_per_rank);
  SplitProblem problem{.fixed = std::vector<double>(expert_of_slot.size() / room, 0.0),
                       .demands = {},
                       .total = std::accumulate(load.begin(), load.end(), 0.0),
                       .room = room};
  ReplicaSplit split{.share = std::vector<double>(expert_of_slot.size(), 1.0)};
  for (std::size_t e = 0; e < load.size(); ++e) {
    if (slots[e].size() == 1) {
      problem.fixed[slots[e].front() / room] += load[e];
    } else if (load[e] > 0.0) {
      problem.demands.push_back({.expert = e, .load = load[e], .slots = slots[e]});
    } else {
      for (const std::size_t s : slots[e]) {
        split.share[s] = 1.0 / static_cast<double>(slots[e].size());
      }
    }
  }
  const SplitBound bound = solve(problem);
  for (const Demand& demand : problem.demands) {
    for (std::size_t i = 0; i < demand.slots.size(); ++i) {
      split.share[demand.slots[i]] =
          demand.units > 0 ? static_cast<double>(demand.flow[i]) / static_cast<double>(demand.units)
                           : 1.0 / static_cast<double>(demand.slots.size());
    }
  }
  split.largest = bound.largest;
  split.bottleneck = bottleneck_of(problem, bound, slots);
  return split;
}

namespace {

/// Source ranks whose tokens of an expert may go to the same slots.
struct Sources {
  std::size_t expert = 0;
  std::vector<std::size_t> ranks;
  std::vector<std::size_t> slots;
};

/// Groups the sources without an own replica: by node where the node has one, else all together.
void group_sources(const PlacementShape& shape, std::size_t expert,
                   const std::vector<std::size_t>& slots, std::vector<Sources>& groups,
                   std::vector<std::int32_t>& table) {
  const auto room = as_index(shape.slots_per_rank);
  const auto experts = as_index(shape.experts);
  Sources far{.expert = expert, .ranks = {}, .slots = slots};
  std::vector<std::int32_t> names;  // Of the domains that hold the expert.
  std::vector<Sources> near;
  for (const std::size_t s : slots) {
    const std::int32_t name = shape.domain_of_rank[s / room];
    const auto at = as_index(std::find(names.begin(), names.end(), name) - names.begin());
    if (at == names.size()) {
      names.push_back(name);
      near.push_back({.expert = expert, .ranks = {}, .slots = {}});
    }
    near[at].slots.push_back(s);
    table[s / room * experts + expert] = static_cast<std::int32_t>(s);
  }
  for (std::size_t r = 0; r < as_index(shape.ranks); ++r) {
    if (table[r * experts + expert] >= 0) continue;
    const auto at =
        as_index(std::find(names.begin(), names.end(), shape.domain_of_rank[r]) - names.begin());
    (at < near.size() ? near[at] : far).ranks.push_back(r);
  }
  near.push_back(std::move(far));
  for (Sources& sources : near) {
    if (!sources.ranks.empty()) groups.push_back(std::move(sources));
  }
}

/// Whole sources for each slot in the proportions of the flow: largest remainders.
std::vector<std::size_t> apportion(const Demand& demand, std::size_t sources) {
  const std::size_t n = demand.slots.size();
  std::vector<double> remainder(n);
  std::vector<std::size_t> count(n);
  std::size_t given = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double exact = demand.units > 0
                             ? static_cast<double>(sources) * static_cast<double>(demand.flow[i]) /
                                   static_cast<double>(demand.units)
                             : static_cast<double>(sources) / static_cast<double>(n);
    count[i] = static_cast<std::size_t>(exact);
    remainder[i] = exact - std::floor(exact);
    given += count[i];
  }
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainder[a] > remainder[b]; });
  for (std::size_t i = 0; given < sources; ++i, ++given) ++count[order[i % n]];
  return count;
}

}  // namespace

std::vector<std::int32_t> replica_of_source(const PlacementShape& shape,
                                            std::span<const std::int32_t> expert_of_slot,
                                            std::span<const double> load) {
  const auto experts = as_index(shape.experts);
  const auto room = as_index(shape.slots_per_rank);
  const std::vector<std::vector<std::size_t>> slots = slots_of_experts(expert_of_slot, experts);
  std::vector<std::int32_t> table(as_index(shape.ranks) * experts, -1);
  std::vector<Sources> groups;
  SplitProblem problem{.fixed = std::vector<double>(as_index(shape.ranks), 0.0),
                       .demands = {},
                       .total = std::accumulate(load.begin(), load.end(), 0.0),
                       .room = room};
  for (std::size_t e = 0; e < experts; ++e) {
    group_sources(shape, e, slots[e], groups, table);
    const double each = load[e] / static_cast<double>(shape.ranks);
    for (const std::size_t s : slots[e]) problem.fixed[s / room] += each;  // Its own tokens.
  }
  for (const Sources& sources : groups) {
    problem.demands.push_back({.expert = sources.expert,
                               .load = load[sources.expert] / static_cast<double>(shape.ranks) *
                                       static_cast<double>(sources.ranks.size()),
                               .slots = sources.slots});
  }
  solve(problem);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const Sources& sources = groups[g];
    const std::vector<std::size_t> count = apportion(problem.demands[g], sources.ranks.size());
    std::size_t slot = 0;
    std::size_t left = count[0];
    for (const std::size_t rank : sources.ranks) {
      while (left == 0) left = count[++slot];
      --left;
      table[rank * experts + sources.expert] = static_cast<std::int32_t>(sources.slots[slot]);
    }
  }
  return table;
}

}  // namespace moesim::placement
