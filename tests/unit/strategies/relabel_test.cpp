#include "strategies/relabel.h"

#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/successive_shortest_path_nonnegative_weights.hpp>
#include <numeric>

#include "core/random.h"
#include "placement/evaluation.h"
#include "strategies/relabel_assignment.h"
#include "tests/support/bench_problem.h"
#include "tests/support/catch.h"
#include "tests/support/placements.h"

namespace moesim::strategies {
namespace {

using moesim::test::placed;
using moesim::test::WithinAbs;
using placement::Placement;
using placement::PlacementShape;

std::int64_t cost_of(const std::vector<std::int32_t>& cost,
                     const std::vector<std::size_t>& column) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < column.size(); ++i) sum += cost[i * column.size() + column[i]];
  return sum;
}

bool is_permutation_of_columns(std::vector<std::size_t> column) {
  std::sort(column.begin(), column.end());
  for (std::size_t j = 0; j < column.size(); ++j) {
    if (column[j] != j) return false;
  }
  return true;
}

/// Minimum-cost flow of Boost.Graph, by successive shortest paths.
std::int64_t least_cost_by_flow(const std::vector<std::int32_t>& cost, std::size_t n) {
  using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
  using Edge = boost::property<
      boost::edge_capacity_t, std::int64_t,
      boost::property<boost::edge_residual_capacity_t, std::int64_t,
                      boost::property<boost::edge_reverse_t, Traits::edge_descriptor,
                                      boost::property<boost::edge_weight_t, std::int64_t>>>>;
  using Graph =
      boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, Edge>;
  Graph graph(2 * n + 2);
  const auto add = [&](std::size_t from, std::size_t to, std::int64_t weight) {
    const auto forward = boost::add_edge(from, to, graph).first;
    const auto backward = boost::add_edge(to, from, graph).first;
    boost::put(boost::edge_capacity, graph, forward, 1);
    boost::put(boost::edge_capacity, graph, backward, 0);
    boost::put(boost::edge_weight, graph, forward, weight);
    boost::put(boost::edge_weight, graph, backward, -weight);
    boost::put(boost::edge_reverse, graph, forward, backward);
    boost::put(boost::edge_reverse, graph, backward, forward);
  };
  for (std::size_t i = 0; i < n; ++i) {
    add(2 * n, i, 0);
    add(n + i, 2 * n + 1, 0);
    for (std::size_t j = 0; j < n; ++j) add(i, n + j, cost[i * n + j]);
  }
  boost::successive_shortest_path_nonnegative_weights(graph, 2 * n, 2 * n + 1);
  std::int64_t sum = 0;
  for (const auto edge : boost::make_iterator_range(boost::edges(graph))) {
    const std::int64_t capacity = boost::get(boost::edge_capacity, graph, edge);
    const std::int64_t flow = capacity - boost::get(boost::edge_residual_capacity, graph, edge);
    if (capacity > 0) sum += flow * boost::get(boost::edge_weight, graph, edge);
  }
  return sum;
}

TEST_CASE("assignment: three rows by hand", "[strategies][oracle]") {
  // 4 1 3 / 2 0 5 / 3 2 2: row 0 -> 1, row 1 -> 0, row 2 -> 2 costs 1 + 2 + 2 = 5; all others:
  // 4+0+2, 4+5+2, 1+5+3, 3+2+2, 3+0+3.
  const std::vector<std::int32_t> cost = {4, 1, 3, 2, 0, 5, 3, 2, 2};
  CHECK(least_cost_assignment(cost, 3) == std::vector<std::size_t>{1, 0, 2});
  CHECK(least_cost_assignment({}, 0).empty());
}

TEST_CASE("assignment: costs what a minimum-cost flow costs", "[strategies][property]") {
  CHECK(rc::check([] {
    const auto n = *rc::gen::inRange<std::size_t>(1, 12);
    const auto range = *rc::gen::element<std::int32_t>(2, 4, 1000);
    const auto cost =
        *rc::gen::container<std::vector<std::int32_t>>(n * n, rc::gen::inRange(0, range));
    const auto column = least_cost_assignment(cost, n);
    RC_ASSERT(is_permutation_of_columns(column));
    RC_ASSERT(cost_of(cost, column) == least_cost_by_flow(cost, n));
  }));
}

TEST_CASE("relabel: two nodes by hand", "[strategies][oracle]") {
  const PlacementShape shape{.moe_layers = 1,
                             .experts = 8,
                             .ranks = 4,
                             .slots_per_rank = 2,
                             .domain_of_rank = {0, 0, 1, 1}};
  const Placement from{.shape = shape, .expert_of_slot = {0, 1, 2, 3, 4, 5, 6, 7}, .strategy = {}};
  // The nodes have changed places, their ranks too, and 0 and 4 as well: afterwards only those two
  // move. Ranks that changed places across nodes stay where they are.
  const Placement to{.shape = shape, .expert_of_slot = {6, 7, 5, 0, 2, 3, 1, 4}, .strategy = {}};
  CHECK(placement::slots_moved(from, to) == std::vector<std::int64_t>{8});
  const Placement named = relabel(from, to);
  CHECK(named.expert_of_slot == std::vector<std::int32_t>{4, 1, 2, 3, 0, 5, 6, 7});
  // With nodes in two racks they may not be exchanged: of 5 0 the 0 stays on node 0, of 1 4
  // the 4 on node 1, all else moves.
  PlacementShape racks = shape;
  racks.rack_of_domain = {0, 1};
  CHECK(placement::slots_moved(from, relabel(Placement{racks, from.expert_of_slot, {}},
                                             Placement{racks, to.expert_of_slot, {}}))[0] == 6);
  const Placement mixed{.shape = shape, .expert_of_slot = {0, 1, 4, 5, 2, 3, 6, 7}, .strategy = {}};
  CHECK(placement::slots_moved(from, relabel(from, mixed)) == std::vector<std::int64_t>{4});
  CHECK(placement::slots_moved(from, relabel(from, mixed, Exchangeable::AllRanks)) ==
        std::vector<std::int64_t>{0});
}

TEST_CASE("relabel: as good as trying every exchange", "[strategies][property]") {
  CHECK(rc::check([] {
    const auto seed = *rc::gen::inRange<std::uint64_t>(0, 1000);
    const PlacementShape shape{.moe_layers = 1,
                               .experts = 7,
                               .ranks = 4,
                               .slots_per_rank = 3,
                               .domain_of_rank = {0, 0, 1, 1}};
    const Placement from = placed("random", shape, {}, seed);
    const Placement to = placed("random", shape, {}, seed + 5000);
    std::array<std::size_t, 4> rank = {0, 1, 2, 3};
    std::int64_t least_alike = 12;
    std::int64_t least_free = 12;
    do {
      Placement tried = to;
      for (std::size_t r = 0; r < 4; ++r) {
        std::copy_n(to.expert_of_slot.begin() + static_cast<std::ptrdiff_t>(3 * rank[r]), 3,
                    tried.expert_of_slot.begin() + static_cast<std::ptrdiff_t>(3 * r));
      }
      const std::int64_t moved = placement::slots_moved(from, tried)[0];
      least_free = std::min(least_free, moved);
      if (rank[0] / 2 == rank[1] / 2) least_alike = std::min(least_alike, moved);
    } while (std::next_permutation(rank.begin(), rank.end()));
    RC_ASSERT(placement::slots_moved(from, relabel(from, to))[0] == least_alike);
    RC_ASSERT(placement::slots_moved(from, relabel(from, to, Exchangeable::AllRanks))[0] ==
              least_free);
    RC_ASSERT(verify(relabel(from, to)).empty());
  }));
}

TEST_CASE("relabel: what stays keeps its slot", "[strategies][oracle]") {
  const std::vector<std::int32_t> from = {0, 1, 2, 3, 4, 5};
  std::vector<std::int32_t> to = {2, 5, 0, 4, 1, 3};
  keep_slots(from, to, 3);
  CHECK(to == std::vector<std::int32_t>{0, 5, 2, 3, 4, 1});
}

TEST_CASE("relabel: what the benchmark found that free exchange of ranks saves",
          "[strategies][oracle]") {
  if (!test::has_placement_bench()) {
    WARN("skipped: no placement benchmark beside the checkout");
    return;
  }
  struct Case {
    std::string workload;
    std::int64_t ranks;
    double fresh;
    double relabelled;
  };
  // README of the benchmark, "slots to move" and "after relabelling GPUs by optimal assignment".
  for (const Case& c :
       {Case{"w04_drift", 32, 0.962, 0.800}, Case{"w05_real_shift", 32, 0.961, 0.798},
        Case{"w04_drift", 144, 0.984, 0.493}, Case{"w05_real_shift", 144, 0.979, 0.493}}) {
    const PlacementShape shape = test::bench_shape(c.ranks, 288);
    const auto train = test::bench_workload(c.workload, "train");
    const auto eval = test::bench_workload(c.workload, "eval");
    const Placement from = placed("eplb_global", shape, train.load, 1);
    const Placement to = placed("eplb_global", shape, eval.load, 1);
    const auto share = [&](const Placement& after) {
      const auto moved = placement::slots_moved(from, after);
      return static_cast<double>(std::accumulate(moved.begin(), moved.end(), std::int64_t{0})) /
             (58.0 * 288.0);
    };
    INFO(c.workload << " " << c.ranks);
    CHECK_THAT(share(to), WithinAbs(c.fresh, 0.003));
    CHECK_THAT(share(relabel(from, to, Exchangeable::AllRanks)), WithinAbs(c.relabelled, 0.003));
    CHECK(share(relabel(from, to)) >= share(relabel(from, to, Exchangeable::AllRanks)));
    CHECK(share(relabel(from, to)) < share(to));
  }
}

}  // namespace
}  // namespace moesim::strategies
