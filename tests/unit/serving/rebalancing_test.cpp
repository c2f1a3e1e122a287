#include <vector>

#include "serving/expert_migration.h"
#include "serving/expert_plan.h"
#include "serving/instance_cost.h"
#include "serving/rebalancer.h"
#include "serving/token_picker.h"
#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::request_at;
using moesim::test::toy_deployment;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

/// Two nodes of four GPUs, two of 16 experts on each; experts 0 and 1 of both layers take half.
Deployment skewed() {
  Deployment d = toy_deployment(test::toy_moe_model(), {.dp = 8, .ep = 8});
  for (std::size_t i = 0; i < d.experts.popularity.share.size(); ++i) {
    d.experts.popularity.share[i] = i % 16 < 2 ? 0.25 : 0.5 / 14;
  }
  return d;
}

std::vector<workload::Request> requests() {
  std::vector<workload::Request> list;
  for (int i = 0; i < 40; ++i) list.push_back(request_at(0.1_ms * i, 50, 20));
  return list;
}

TEST_CASE("expert migration: bytes over the slowest link they share", "[serving][oracle]") {
  const Deployment d = skewed();
  const topology::Topology topology(d.cluster);
  ExpertMigration migration(d, topology, {stage_groups(d, 0).front()});
  // 3 * 1000 * 500 weights of 2 B.
  CHECK_THAT(migration.expert_bytes(1) / kByte, WithinRel(3e6, 1e-12));
  // Two experts of 3 MB into GPU 2 over its port of 100 GB/s: 60 us, and 2 us of latency.
  const std::vector<strategies::Move> inside = {
      {.layer = 0, .expert = 0, .from_rank = 0, .to_rank = 2},
      {.layer = 1, .expert = 2, .from_rank = 1, .to_rank = 2}};
  const LimitedTime near = migration.time(0, inside);
  CHECK_THAT(near.sum() / kSecond, WithinRel(62e-6, 1e-6));
  CHECK(near[Limit::ScaleUp] == near.sum());
  // To the other node over a NIC of 10 GB/s: 300 us and some microseconds of latency.
  const std::vector<strategies::Move> across = {
      {.layer = 0, .expert = 0, .from_rank = 0, .to_rank = 4}};
  const LimitedTime far = migration.time(0, across);
  CHECK(far.sum() >= 300_us);
  CHECK(far.sum() <= 310_us);
  CHECK(far[Limit::ScaleOut] == far.sum());
  CHECK(migration.time(0, {}).sum() == Seconds{});
}

TEST_CASE("rebalancing: loads of the window are planned for, experts move, counts add up",
          "[serving][oracle]") {
  Deployment d = skewed();
  d.experts.rebalancing = RebalancingSettings{.every_iterations = 3, .window_iterations = 2};
  const topology::Topology topology(d.cluster);
  const auto plan = make_expert_plan(d, topology, 1);
  Rebalancer rebalancer(d, topology, {stage_groups(d, 0).front()}, plan->routing, plan->placement,
                        1);
  // Experts 0 and 1, both on rank 0, get 70 of 140 pairs in each iteration; the others 5.
  std::vector<std::int32_t> pairs(16, 5);
  pairs[0] = pairs[1] = 35;
  for (int iteration = 0; iteration < 3; ++iteration) {
    CHECK(rebalancer.begin_iteration().empty());
    CHECK(rebalancer.watches() == (iteration >= 1));
    for (std::int64_t layer = 0; layer < 2 && rebalancer.watches(); ++layer) {
      rebalancer.watch(layer, pairs);
    }
    rebalancer.end_iteration();
  }
  // Mean 17.5, largest 70. After: 0 and 1 on ranks of their own, 40 the largest.
  CHECK(rebalancer.summary().rebalancings == 1);
  CHECK_THAT(rebalancer.summary().mean_before(), WithinRel(0.25, 1e-12));
  CHECK(rebalancer.summary().after_count == 0);
  const std::vector<LayerMoves> moves = rebalancer.begin_iteration();
  REQUIRE(moves.size() == 2);
  const std::vector<const LayerMoves*> both = {&moves[0], &moves[1]};
  const LimitedTime time = rebalancer.move(0, both);
  const auto slots = std::ssize(moves[0].moves) + std::ssize(moves[1].moves);
  CHECK(slots >= 2);
  CHECK(rebalancer.summary().slots_moved == slots);
  CHECK_THAT(rebalancer.summary().moved / kByte, WithinRel(3e6 * static_cast<double>(slots), 1e-9));
  CHECK(rebalancer.summary().lost == time.sum());
  CHECK(rebalancer.begin_iteration().empty());
  // The same loads, by expert, on the new slots.
  for (int iteration = 0; iteration < 3; ++iteration) {
    for (std::int64_t layer = 0; layer < 2 && rebalancer.watches(); ++layer) {
      std::vector<std::int32_t> of_slot;
      for (const std::int32_t e : rebalancer.slots(layer)) of_slot.push_back(e < 2 ? 35 : 5);
      rebalancer.watch(layer, of_slot);
    }
    rebalancer.end_iteration();
  }
  CHECK_THAT(rebalancer.summary().mean_after(), WithinRel(17.5 / 40.0, 1e-12));
  CHECK(rebalancer.summary().looks == 2);
}

TEST_CASE("rebalancing: layers move a few at a time, above the threshold not at all", "[serving]") {
  Deployment d = skewed();
  d.experts.rebalancing =
      RebalancingSettings{.every_iterations = 1, .window_iterations = 1, .layers_per_iteration = 1};
  const topology::Topology topology(d.cluster);
  const auto plan = make_expert_plan(d, topology, 1);
  const std::vector<std::vector<GpuId>> groups = {stage_groups(d, 0).front()};
  std::vector<std::int32_t> pairs(16, 5);
  pairs[0] = pairs[1] = 35;
  Rebalancer slow(d, topology, groups, plan->routing, plan->placement, 1);
  for (std::int64_t layer = 0; layer < 2; ++layer) slow.watch(layer, pairs);
  slow.end_iteration();
  const auto first = slow.begin_iteration();
  REQUIRE(first.size() == 1);
  CHECK(first[0].layer == 0);
  CHECK(slow.slots(1)[0] == 0);  // Layer 1 still lies as it did.
  const auto second = slow.begin_iteration();
  REQUIRE(second.size() == 1);
  CHECK(second[0].layer == 1);
  d.experts.rebalancing->balancedness_below = 0.2;
  Rebalancer content(d, topology, groups, plan->routing, plan->placement, 1);
  for (std::int64_t layer = 0; layer < 2; ++layer) content.watch(layer, pairs);
  content.end_iteration();
  CHECK(content.begin_iteration().empty());
  CHECK(content.summary().looks == 1);
}

TEST_CASE("rebalancing: a run gains balance, loses the moves' time, and repeats itself",
          "[serving][property]") {
  const Deployment before = skewed();
  Deployment d = before;
  d.experts.rebalancing = RebalancingSettings{.every_iterations = 5, .window_iterations = 5};
  const RunResult still = test::run(before, requests());
  const RunResult moved = test::run(d, requests());
  CHECK_FALSE(still.experts.rebalancing);
  REQUIRE(moved.experts.rebalancing);
  CHECK(moved.experts.rebalancing->rebalancings >= 1);
  CHECK(moved.experts.balancedness > still.experts.balancedness);
  CHECK(moved.experts.rebalancing->mean_after() > moved.experts.rebalancing->mean_before());
  const auto migration = static_cast<std::size_t>(StepPart::Migration);
  CHECK_THAT(moved.time.parts[migration] * (moved.end.seconds() / kSecond),
             WithinRel(moved.experts.rebalancing->lost / kSecond, 1e-6));
  CHECK(still.time.parts[migration] == 0.0);
  double sum = moved.time.idle + moved.time.pipeline_bubble;
  for (const double part : moved.time.parts) sum += part;
  CHECK_THAT(sum, WithinAbs(1.0, 1e-9));
  CHECK(test::run(d, requests()).fingerprint == moved.fingerprint);
  CHECK(test::run(d, requests(), {.seed = 2}).fingerprint != moved.fingerprint);
}

TEST_CASE("rebalancing: pipeline stages move their own layers", "[serving]") {
  Deployment d = toy_deployment(test::toy_moe_model(), {.pp = 2, .dp = 4, .ep = 4});
  for (std::size_t i = 0; i < d.experts.popularity.share.size(); ++i) {
    d.experts.popularity.share[i] = i % 16 < 2 ? 0.25 : 0.5 / 14;
  }
  d.experts.rebalancing = RebalancingSettings{.every_iterations = 4, .window_iterations = 4};
  const RunResult r = test::run(d, requests(), {.timeline = {.iterations = 30}});
  CHECK(r.experts.rebalancing->rebalancings >= 1);
  std::int64_t moving = 0;
  for (const IterationTimeline& iteration : r.timeline) {
    for (const StageTimeline& stage : iteration.stages) {
      for (const TimelineSpan& span : stage.spans) moving += span.part == StepPart::Migration;
    }
  }
  CHECK(moving > 0);
}

TEST_CASE("drift: popularity walks by time, the same whatever else differs", "[serving]") {
  Deployment d = skewed();
  const RunResult still = test::run(d, requests());
  d.experts.drift = DriftSettings{.sigma = 0.5, .every = SimTime::from(1_ms)};
  const RunResult drifting = test::run(d, requests());
  CHECK(drifting.fingerprint != still.fingerprint);
  CHECK(drifting.fingerprint == test::run(d, requests()).fingerprint);
  REQUIRE_FALSE(drifting.notes.empty());
  CHECK_THAT(drifting.notes.back(), test::contains_text("drifted"));
  // What rebalancing has to do: with it balance falls less.
  d.experts.affinity = AffinitySettings{.parameters = {}, .bank_tokens = 1024};
  const RunResult banked = test::run(d, requests());
  CHECK(banked.fingerprint == test::run(d, requests()).fingerprint);
}

TEST_CASE("affinity: a run picks its tokens from the bank", "[serving]") {
  Deployment d = skewed();
  d.experts.affinity = AffinitySettings{.parameters = {}, .bank_tokens = 2048};
  const topology::Topology topology(d.cluster);
  ExpertPlanStore store;
  const auto plan = make_expert_plan(d, topology, 1, &store);
  REQUIRE(plan->bank != nullptr);
  CHECK(plan->router == nullptr);
  CHECK(plan->bank->tokens() == 2048);
  CHECK(make_expert_plan(d, topology, 1, &store)->bank == plan->bank);
  CHECK(make_expert_plan(d, topology, 2, &store)->bank != plan->bank);
  // Per prompt adjacent tokens from the begin of a request on, one per decoding sequence.
  TokenPicker picker(*plan->bank, RandomStream(1, "test"));
  const std::vector<RankBatch> ranks = {
      {.decode_sequences = 3, .prefill_tokens = 7, .prefill_chunks = 2},
      {},
      {.decode_sequences = 1}};
  const auto picks = picker.pick(ranks);
  REQUIRE(picks.size() == 11);
  CHECK(plan->bank->first_of_request(picks[3]) == picks[3]);
  CHECK(picks[4] == plan->bank->follow(picks[3], 1));
  CHECK(picks[5] == plan->bank->follow(picks[3], 2));
  CHECK(plan->bank->first_of_request(picks[6]) == picks[6]);  // 7 tokens in chunks of 3 and 4.
  CHECK(test::run(d, requests()).fingerprint == test::run(d, requests()).fingerprint);
}

TEST_CASE("recorded tokens: a run replays them and nothing else", "[serving][oracle]") {
  Deployment d = skewed();
  // Every token chose experts 0 and 1, which lie on rank 0: mean / max is 1/8.
  routing::TokenTrace trace{
      .experts = 16, .top_k = 2, .layer = {0, 1}, .request = {1, 2}, .expert = {}};
  for (int i = 0; i < 4; ++i) trace.expert.insert(trace.expert.end(), {0, 1});
  d.experts.recorded = std::make_shared<const routing::TokenBank>(trace);
  CHECK_THAT(test::run(d, requests()).experts.balancedness, WithinRel(0.125, 1e-12));
  d.experts.recorded.reset();
  CHECK(test::run(d, requests()).experts.balancedness > 0.2);
}

}  // namespace
}  // namespace moesim::serving
