// Who is served first and who is preempted first, by priority.
#include <rapidcheck.h>

#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"
#include "tests/unit/serving/toy_rank.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::Rank;
using moesim::test::request_at;
using moesim::test::toy_deployment;
using moesim::test::toy_settings;
using moesim::test::WithinRel;

TEST_CASE("priority: the lowest value is served first, ties by arrival", "[serving][oracle]") {
  SchedulerSettings settings = toy_settings(SchedulingPolicy::Priority);
  settings.max_num_seqs = 1;
  Rank rank(settings, 100);
  rank.add(0, 5, 4, 2);
  rank.add(1, 1, 4, 2);
  rank.add(2, 5, 4, 2);
  rank.add(3, -2, 4, 2);
  rank.add(4, 1, 4, 2);
  (void)rank.run();
  CHECK(rank.ended.requests == std::vector<std::int64_t>{3, 1, 4, 0, 2});
  // A seat that is taken stays taken: a higher one that comes later waits for it.
  Rank late(settings, 100);
  late.add(0, 5, 4, 3);
  (void)late.step();
  late.add(1, 1, 4, 2);
  (void)late.run();
  CHECK(late.ended.requests == std::vector<std::int64_t>{0, 1});
}

TEST_CASE("priority: the highest value is preempted, whenever it was admitted",
          "[serving][oracle]") {
  // 5 blocks of 4 tokens. Two prompts of 8 tokens take 4; the first decode step stores token 9 of
  // both, so it needs 2 blocks of the 1 that is left. First come, first served: request 1 goes, the
  // one admitted last. By priority: request 0, of value 7. It comes back with its 8 + 1 tokens,
  // 3 blocks, once the other has ended with 8 + 5 - 1 = 12 tokens, 3 blocks.
  for (const SchedulingPolicy policy : {SchedulingPolicy::Fcfs, SchedulingPolicy::Priority}) {
    Rank rank(toy_settings(policy), 5);
    rank.add(0, 7, 8, 5);
    rank.add(1, 3, 8, 5);
    (void)rank.run();
    // By priority the prompt of request 1 was first, too.
    const bool by_value = policy == SchedulingPolicy::Priority;
    CHECK(rank.ended.begun ==
          (by_value ? std::vector<std::int64_t>{1, 0} : std::vector<std::int64_t>{0, 1}));
    CHECK(rank.ended.requests ==
          (by_value ? std::vector<std::int64_t>{1, 0} : std::vector<std::int64_t>{0, 1}));
    CHECK(rank.ended.preempted == std::vector<std::int32_t>{0, 1});
  }
  // Admitted first, preempted all the same: request 0 runs alone before request 1 comes. 5 blocks:
  // 0 holds 8 + 1 tokens in 3, so the prompt of 1 takes the last 2, and its token 9 asks for more.
  Rank rank(toy_settings(SchedulingPolicy::Priority), 5);
  rank.add(0, 7, 8, 9);
  (void)rank.step();
  (void)rank.step();
  rank.add(1, 3, 8, 5);
  (void)rank.run();
  CHECK(rank.ended.requests == std::vector<std::int64_t>{1, 0});
  CHECK(rank.ended.preempted == std::vector<std::int32_t>{0, 1});
}

TEST_CASE("priority: a sequence that comes back keeps its place by arrival", "[serving][oracle]") {
  // As above, 0 is preempted; 2, of the same value, arrived later and is shorter, but waits behind.
  SchedulerSettings settings = toy_settings(SchedulingPolicy::Priority);
  settings.max_num_seqs = 2;
  Rank rank(settings, 5);
  rank.add(0, 7, 8, 5);
  rank.add(1, 3, 8, 5);
  rank.add(2, 7, 4, 2);
  (void)rank.run();
  CHECK(rank.ended.requests.front() == 1);
  CHECK(rank.ended.begun == std::vector<std::int64_t>{1, 0, 2});
}

TEST_CASE("priority: every request ends, whatever the values", "[serving][property]") {
  CHECK(rc::check("conserved", [] {
    Deployment d = toy_deployment(test::toy_dense_model(), {.pp = *rc::gen::inRange(1, 3)});
    d.scheduler = toy_settings(SchedulingPolicy::Priority);
    d.scheduler.enable_chunked_prefill = *rc::gen::arbitrary<bool>();
    test::RunOptions options{.blocks = *rc::gen::inRange(20, 40)};
    for (int c = 0; c < 4; ++c) options.classes.push_back({.name = "c", .priority = 3 - c});
    std::vector<workload::Request> requests;
    for (int i = 0; i < 30; ++i) {
      requests.push_back(request_at(i * 1_us, *rc::gen::inRange(1, 48), *rc::gen::inRange(1, 30)));
      requests.back().service_class = *rc::gen::inRange(0, 4);
    }
    const RunResult result = test::run(d, requests, options);
    RC_ASSERT(result.summary.requests_completed == 30);
    std::int64_t preemptions = 0;
    for (const ClassSummary& c : result.classes) preemptions += c.preemptions;
    RC_ASSERT(preemptions == result.kv.preemptions);
  }));
}

TEST_CASE("priority: classes are counted by their own limits", "[serving][oracle]") {
  // Ten requests far apart, all alike. Every second is of class b, whose TTFT may be 0 s: none is
  // good; a has the limits of all, which are none.
  Deployment d = toy_deployment(test::toy_dense_model(), {});
  const SloLimits none{.ttft = SimTime{}};
  std::vector<workload::Request> requests;
  for (int i = 0; i < 10; ++i) {
    requests.push_back(request_at(i * 1_s, 10, 3));
    requests.back().service_class = i % 2;
  }
  const RunResult result =
      test::run(d, requests, {.classes = {{.name = "a"}, {.name = "b", .slo = none}}});
  REQUIRE(result.classes.size() == 2);
  const ClassSummary& a = result.classes[0];
  const ClassSummary& b = result.classes[1];
  CHECK(a.requests_measured == 5);
  CHECK(b.requests_completed == 5);
  CHECK(a.slo_attainment == 1.0);
  CHECK(b.slo_attainment == 0.0);
  CHECK(result.summary.slo_attainment == 0.5);
  CHECK(b.goodput_requests_per_s == 0.0);
  CHECK_THAT(a.goodput_requests_per_s, WithinRel(result.summary.goodput_requests_per_s, 1e-12));
  CHECK_THAT(a.requests_per_s + b.requests_per_s, WithinRel(result.summary.requests_per_s, 1e-12));
  CHECK(a.ttft.p50_ms == result.summary.ttft.p50_ms);
}

}  // namespace
}  // namespace moesim::serving
