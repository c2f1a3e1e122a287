// Experts that several ranks split, and low-latency exchanges of more than their buffers hold.
#include <rapidcheck.h>

#include <vector>

#include "serving/expert_cost.h"
#include "serving/gathered_tokens.h"
#include "serving/instance_cost.h"
#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using catalog::All2AllBackend;
using moesim::test::request_at;
using moesim::test::WithinRel;
using namespace moesim::literals;
using placement::Copies;

Deployment sharing(plan::Layout layout, All2AllBackend how) {
  layout.splits_every_expert = layout.ep == 1;
  Deployment d = test::toy_deployment(test::toy_moe_model(), layout);
  d.all2all = how;
  d.engine.expert_groups = catalog::ExpertGroups::Any;
  return d;
}

struct World {
  explicit World(Deployment deployment)
      : d(std::move(deployment)),
        topology(d.cluster),
        kernels(d),
        plan(*make_expert_plan(d, topology, 1)),
        cost(d, kernels, plan, topology, stage_groups(d, 0), RandomStream(1, "a"),
             RandomStream(1, "b")) {}
  Deployment d;
  topology::Topology topology;
  Kernels kernels;
  ExpertPlan plan;
  ExpertCost cost;
};

operators::ExpertKernels kernels_of(World& world, std::int64_t columns, std::int64_t slots,
                                    TokensCome tokens, operators::ExpertLayout layout) {
  const operators::ExpertShape shape{.hidden = world.d.model.hidden,
                                     .intermediate = columns,
                                     .matrices = world.d.model.kinds[0].feed_forward.matrices};
  return world.kernels.experts(shape, slots, 2, tokens, layout);
}

TEST_CASE("expert groups: two GPUs split each expert of half the experts", "[serving][oracle]") {
  // ep 2 on 4 GPUs: experts 0 to 7 on GPUs 0 and 1, 8 to 15 on 2 and 3, 250 of 500 columns each.
  // All of 10 tokens pick experts 0 and 8: 10 pairs in the first slot of either half.
  World world(sharing({.tp = 1, .dp = 4, .ep = 2}, All2AllBackend::AllGather));
  const std::vector<std::int32_t> tokens = {6, 4};
  std::vector<std::uint16_t> experts;
  for (int i = 0; i < 10; ++i) experts.insert(experts.end(), {0, 8});
  const ExpertLayerTime time = world.cost.price_given(0, 0, tokens, experts, 1, false);
  const auto timer =
      kernels_of(world, 250, 8, TokensCome::NotSent, operators::ExpertLayout::Contiguous);
  const std::vector<std::int32_t> slots = {10, 0, 0, 0, 0, 0, 0, 0};
  CHECK(time.slowest == timer.time(slots, 10).time);
  CHECK_THAT(time.mean.sum() / 1_us, WithinRel(time.slowest / 1_us, 1e-12));
  // All four GPUs gather the ten tokens.
  const GatheredTokens gathered(world.d, world.kernels, world.topology, stage_groups(world.d, 0)[0],
                                world.d.model.hidden, 16);
  LimitedTime dispatch;
  LimitedTime combine;
  gathered.add(10, dispatch, combine);
  CHECK(time.dispatch.sum() == dispatch.sum());
  CHECK(time.combine.sum() == combine.sum());
  // The GPUs bring 3, 3, 2 and 2 tokens: each gets what it has not, and hands on its own to three.
  StageTraffic carried;
  world.cost.add_traffic(0, carried);
  REQUIRE(carried.exchanges.size() == 1);
  CHECK(carried.exchanges[0].scale_up_in == std::vector<std::int64_t>{7, 7, 8, 8});
  CHECK(carried.exchanges[0].scale_up_out == std::vector<std::int64_t>{9, 9, 6, 6});
  CHECK(carried.domain_of_rank == std::vector<std::int32_t>{0, 0, 0, 0});
}

TEST_CASE("expert groups: with ep 1 every GPU has a part of every expert", "[serving][oracle]") {
  // 16 experts of 125 columns on each of 4 GPUs: nobody waits for anybody.
  World world(sharing({.tp = 1, .dp = 4, .ep = 1}, All2AllBackend::AllGather));
  CHECK(plan::normalised(world.d.layout) == world.d.layout);
  const std::vector<std::int32_t> tokens = {5};
  std::vector<std::uint16_t> experts;
  for (int i = 0; i < 5; ++i) experts.insert(experts.end(), {3, 9});
  const ExpertLayerTime time = world.cost.price_given(0, 0, tokens, experts, 1, false);
  std::vector<std::int32_t> slots(16, 0);
  slots[3] = slots[9] = 5;
  CHECK(time.slowest ==
        kernels_of(world, 125, 16, TokensCome::NotSent, operators::ExpertLayout::Contiguous)
            .time(slots, 5)
            .time);
  CHECK(time.mean.sum() == time.slowest);
}

TEST_CASE("expert groups: weights of a GPU do not depend on how experts are split",
          "[serving][oracle]") {
  // (experts / ep) * columns / (tp * dp / ep): ep cancels.
  const auto experts = [](std::int64_t ep) {
    const Deployment d = sharing({.tp = 1, .dp = 4, .ep = ep}, All2AllBackend::AllGather);
    return plan::plan_memory(d.model, d.precision, d.cluster.gpu, d.layout, d.memory)
        .per_gpu.routed_experts;
  };
  CHECK(experts(2) == experts(4));
  CHECK(experts(1) == experts(4));
}

TEST_CASE("expert groups: what cannot be is refused", "[serving]") {
  const auto said = [](const Deployment& d) {
    std::string all;
    for (const DeploymentProblem& p : check_deployment(d)) all += p.field + ": " + p.message + "; ";
    return all;
  };
  Deployment d = sharing({.tp = 1, .dp = 4, .ep = 2}, All2AllBackend::AllGather);
  CHECK(said(d) == "");
  d.all2all = All2AllBackend::Auto;
  CHECK(said(d) ==
        "deployment.ep: ep 2 with tp 1 and dp 4 splits each expert over 2 GPUs: all-to-all kernels "
        "send tokens to whole experts alone; ");
  d.all2all = All2AllBackend::AllReduce;
  d.overlap.mode = OverlapMode::TwoBatch;
  CHECK(said(d) ==
        "deployment.overlap: ep 2 with tp 1 and dp 4 splits each expert over 2 GPUs: two-batch "
        "overlap needs whole experts on each; ");
  d.engine.expert_groups = catalog::ExpertGroups::OneOrAll;
  CHECK(said(d) ==
        "deployment.ep: ep 2 with tp 1 and dp 4 splits each expert over 2 GPUs, which toy engine "
        "does not; ");
  d = sharing({.tp = 1, .dp = 4, .ep = 1}, All2AllBackend::AllGather);
  d.engine.expert_groups = catalog::ExpertGroups::OneOrAll;
  CHECK(said(d) == "");
}

TEST_CASE("expert groups: every request ends, whatever the split", "[serving][property]") {
  CHECK(rc::check("conserved", [] {
    const auto tp = *rc::gen::element<std::int64_t>(1, 2);
    const auto dp = *rc::gen::element<std::int64_t>(2, 4);
    const auto ep = *rc::gen::element<std::int64_t>(1, 2, tp * dp);
    Deployment d = sharing({.tp = tp, .dp = dp, .ep = ep},
                           *rc::gen::element(All2AllBackend::AllGather, All2AllBackend::AllReduce));
    std::vector<workload::Request> requests;
    for (int i = 0; i < 12; ++i) {
      requests.push_back(request_at(i * 5_us, *rc::gen::inRange(1, 48), *rc::gen::inRange(1, 12)));
    }
    const RunResult result = test::run(d, requests);
    RC_ASSERT(result.summary.requests_completed == 12);
    double parts = result.time.pipeline_bubble + result.time.idle;
    for (const double part : result.time.parts) parts += part;
    RC_ASSERT(std::abs(parts - 1.0) < 1e-9);
  }));
}

TEST_CASE("low latency for all: batches beyond the buffers go in passes", "[serving][oracle]") {
  World world(sharing({.tp = 1, .dp = 4, .ep = 4}, All2AllBackend::DeepEpLowLatency));
  TokenExchange exchange(world.d, world.kernels, world.topology, stage_groups(world.d, 0)[0], 2,
                         16);
  CHECK(exchange.copies(true, 600) == Copies::PerPick);
  CHECK(exchange.passes(256) == 1);
  CHECK(exchange.passes(257) == 2);
  CHECK(exchange.passes(600) == 3);
  placement::LayerTraffic third{.slot_tokens = {},
                                .to_node = {0, 0, 0, 0},
                                .scale_up_in = {300, 200, 100, 0},
                                .scale_up_out = {150, 150, 150, 150},
                                .network_in = {0, 0, 0, 0}};
  placement::LayerTraffic all = third;
  for (auto* counts : {&all.scale_up_in, &all.scale_up_out}) {
    for (std::int32_t& n : *counts) n *= 3;
  }
  LimitedTime once;
  LimitedTime back;
  LimitedTime thrice;
  LimitedTime thrice_back;
  exchange.add(third, Copies::PerPick, 200, once, back);
  exchange.add(all, Copies::PerPick, 600, thrice, thrice_back);
  CHECK_THAT(thrice.sum() / 1_us, WithinRel(3.0 * (once.sum() / 1_us), 1e-12));
  CHECK_THAT(thrice_back.sum() / 1_us, WithinRel(3.0 * (back.sum() / 1_us), 1e-12));
  // So do the experts: 600 tokens of rank 0 pick experts 0 and 4, of ranks 0 and 1.
  const std::vector<std::int32_t> tokens = {600, 0, 0, 0};
  std::vector<std::uint16_t> experts;
  for (int i = 0; i < 600; ++i) experts.insert(experts.end(), {0, 4});
  const ExpertLayerTime time = world.cost.price_given(0, 0, tokens, experts, 1, true);
  const std::vector<std::int32_t> slots = {200, 0, 0, 0};
  CHECK_THAT(time.slowest / 1_us, WithinRel(3.0 * (kernels_of(world, 500, 4, TokensCome::ByDeepEp,
                                                              operators::ExpertLayout::Masked)
                                                       .time(slots, 200)
                                                       .time /
                                                   1_us),
                                            1e-12));
}

}  // namespace
}  // namespace moesim::serving
