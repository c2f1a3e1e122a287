#include "serving/placement_price.h"

#include <vector>

#include "serving/expert_plan.h"
#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using moesim::test::toy_deployment;
using moesim::test::WithinRel;

/// Two nodes of four GPUs, 16 experts of two MoE layers: two on each rank.
Deployment two_nodes() { return toy_deployment(test::toy_moe_model(), {.dp = 8, .ep = 8}); }

/// Expert of each slot in both layers alike; `swapped` experts change places.
placement::Placement in_order(const Deployment& d, const topology::Topology& topology,
                              std::pair<std::size_t, std::size_t> swapped) {
  placement::Placement p{.shape = placement_shape(d, expert_group_domains(d, topology)),
                         .expert_of_slot = {},
                         .strategy = "by hand"};
  for (int layer = 0; layer < 2; ++layer) {
    for (std::int32_t e = 0; e < 16; ++e) p.expert_of_slot.push_back(e);
    const auto begin = p.expert_of_slot.end() - 16;
    std::swap(begin[static_cast<std::ptrdiff_t>(swapped.first)],
              begin[static_cast<std::ptrdiff_t>(swapped.second)]);
  }
  return p;
}

/// Every token chooses experts 0 and 1 in both layers.
placement::Workload two_experts() {
  placement::Workload w{.name = "two experts", .load = std::vector<double>(32, 1.0)};
  w.tokens = {.experts = 16, .top_k = 2, .layer = {0, 1}, .request = {1, 2, 3}, .expert = {}};
  for (int i = 0; i < 6; ++i) w.tokens.expert.insert(w.tokens.expert.end(), {0, 1});
  return w;
}

TEST_CASE("placement price: two experts on one rank, and on two", "[serving][oracle]") {
  const Deployment d = two_nodes();
  const topology::Topology topology(d.cluster);
  const PriceBatch batch{.tokens_per_rank = 10};
  // 80 tokens, 160 pairs. An expert's weights are 3 * 1000 * 500 * 2 B = 3 MB: 3 us at 1 TB/s. A
  // pair moves (2 * 1000 + 2 * 3 * 500) * 2 B = 10 kB: 10 ns (its 3 MFLOP take 3 ns). Both experts
  // on rank 0: 2 * 3 us + 160 * 10 ns = 7.6 us. One on each of two ranks: 3.8 us.
  const PlacementPrice one =
      price_placement(d, topology, in_order(d, topology, {0, 0}), two_experts(), batch);
  REQUIRE(one.layers.size() == 2);
  CHECK_THAT(one.layers[0].slowest / kSecond, WithinRel(7.6e-6, 1e-9));
  CHECK_THAT(one.layers[1].mean / kSecond, WithinRel(7.6e-6 / 8, 1e-9));
  CHECK_THAT(one.all.total() / kSecond,
             WithinRel((one.layers[0].total() + one.layers[1].total()) / kSecond, 1e-12));
  // Expert 1 to rank 1 (slot 2), in the same node.
  const PlacementPrice near =
      price_placement(d, topology, in_order(d, topology, {1, 2}), two_experts(), batch);
  CHECK_THAT(near.all.slowest / kSecond, WithinRel(7.6e-6, 1e-9));
  // Expert 1 to the other node: tokens of either node now cross.
  const PlacementPrice far =
      price_placement(d, topology, in_order(d, topology, {1, 8}), two_experts(), batch);
  CHECK_THAT(far.all.slowest / kSecond, WithinRel(7.6e-6, 1e-9));
  CHECK(far.all.dispatch >= near.all.dispatch);
}

TEST_CASE("placement price: layers without tokens draw them by their load", "[serving]") {
  const Deployment d = two_nodes();
  const topology::Topology topology(d.cluster);
  placement::Workload w = two_experts();
  w.tokens = {.experts = 16, .top_k = 2, .layer = {1}, .request = {1}, .expert = {0, 1}};
  const PlacementPrice price = price_placement(d, topology, in_order(d, topology, {0, 0}), w,
                                               {.tokens_per_rank = 10, .batches = 50});
  CHECK_THAT(price.layers[1].slowest / kSecond, WithinRel(7.6e-6, 1e-9));
  // Uniform: 160 pairs over 8 ranks, 20 on each, 6.2 us; the slowest has somewhat more.
  CHECK_THAT(price.layers[0].mean / kSecond, WithinRel(6.2e-6, 1e-3));
  CHECK(price.layers[0].slowest > price.layers[0].mean);
  // The same seed, the same price; prompts take runs of adjacent tokens.
  const PlacementPrice again = price_placement(d, topology, in_order(d, topology, {0, 0}), w,
                                               {.tokens_per_rank = 10, .batches = 50});
  CHECK(again.all.total() == price.all.total());
}

TEST_CASE("layer price: slopes of the layer's time", "[serving][oracle]") {
  const Deployment d = two_nodes();
  const topology::Topology topology(d.cluster);
  const strategies::LayerPrice price = layer_price(d, topology, 1000, false);
  // A pair costs 10 ns; the mean rank has 1000 * 2 of them: 20 us per unit of max / mean.
  CHECK_THAT(price.seconds_per_balance, WithinRel(20e-6, 0.01));
  // A copy per token: 1000 copies through each NIC of 10 GB/s, both ways; the busiest NIC has
  // somewhat more than the mean.
  const double bytes =
      1000.0 * 1000.0 * ((d.precision.dispatch_element + d.precision.combine_element) / kByte);
  CHECK(price.seconds_per_copy >= bytes / 10e9);
  CHECK(price.seconds_per_copy <= 1.1 * bytes / 10e9);
}

TEST_CASE("layer price: inside one node copies between nodes cost nothing", "[serving]") {
  const Deployment d = toy_deployment(test::toy_moe_model(), {.dp = 4, .ep = 4});
  const topology::Topology topology(d.cluster);
  CHECK(layer_price(d, topology, 100, false).seconds_per_copy == 0.0);
}

TEST_CASE("expert plans: a store makes each placement once", "[serving]") {
  Deployment d = two_nodes();
  d.experts.placement.strategy = "random";
  const topology::Topology topology(d.cluster);
  ExpertPlanStore store;
  const auto first = make_expert_plan(d, topology, 1, &store);
  const auto second = make_expert_plan(d, topology, 1, &store);
  CHECK(first->placement == second->placement);
  CHECK(store.made() == 1);
  CHECK(make_expert_plan(d, topology, 1)->placement->expert_of_slot ==
        first->placement->expert_of_slot);
  // What a placement depends on makes another.
  CHECK(make_expert_plan(d, topology, 2, &store)->placement != first->placement);
  d.experts.redundant_experts = 8;
  CHECK(make_expert_plan(d, topology, 1, &store)->placement->shape.slots_per_rank == 3);
  d.experts.placement.strategy = "eplb";
  d.experts.popularity.share[0] += 0.01;
  CHECK(make_expert_plan(d, topology, 1, &store) != std::nullopt);
  CHECK(store.made() == 4);
}

}  // namespace
}  // namespace moesim::serving
