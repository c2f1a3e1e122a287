// Which attention rank takes a request, and which cache a decode pool takes next.
#include "serving/router.h"

#include <vector>

#include "serving/fleet.h"
#include "serving/rank_load.h"
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

RankLoad load(RouterPolicy policy, const Rank& rank) { return load_of(policy, rank.scheduler); }

TEST_CASE("router: loads of a rank by hand", "[serving][oracle]") {
  // Blocks of 4 tokens. A prompt of 10 waits: 10 tokens. Computed it holds 3 blocks, 12 tokens, and
  // runs. A prompt of 7 comes: 12 + 7 = 19 tokens; one waits, one runs: 4 + 1 = 5.
  Rank rank(toy_settings(), 100);
  CHECK(load(RouterPolicy::LeastTokens, rank) == RankLoad{});
  CHECK(load(RouterPolicy::LeastWaiting, rank) == RankLoad{});
  rank.add(0, 0, 10, 5);
  CHECK(load(RouterPolicy::LeastTokens, rank) == RankLoad{10, 1});
  CHECK(load(RouterPolicy::LeastWaiting, rank) == RankLoad{4, 0});
  (void)rank.step();
  CHECK(load(RouterPolicy::LeastTokens, rank) == RankLoad{12, 1});
  CHECK(load(RouterPolicy::LeastWaiting, rank) == RankLoad{1, 0});
  rank.add(1, 0, 7, 2);
  CHECK(load(RouterPolicy::LeastTokens, rank) == RankLoad{19, 2});
  CHECK(load(RouterPolicy::LeastWaiting, rank) == RankLoad{5, 0});
  CHECK(load(RouterPolicy::LeastLoad, rank) == RankLoad{2, 0});
  (void)rank.run();
  CHECK(load(RouterPolicy::LeastTokens, rank) == RankLoad{});
}

TEST_CASE("router: what is preempted waits with all it is to compute", "[serving][oracle]") {
  // 5 blocks, two prompts of 8 (2 blocks each). The first decode step needs a block of each; one is
  // free, so request 1 goes, with its 8 + 1 tokens: 3 blocks * 4 + 9 = 21 tokens.
  Rank rank(toy_settings(), 5);
  rank.add(0, 0, 8, 5);
  rank.add(1, 0, 8, 5);
  (void)rank.step();
  (void)rank.step();
  CHECK(rank.scheduler.preemptions() == 1);
  CHECK(rank.scheduler.requests_waiting() == 1);
  CHECK(load(RouterPolicy::LeastTokens, rank) == RankLoad{21, 2});
  CHECK(load(RouterPolicy::LeastWaiting, rank) == RankLoad{5, 0});
}

/// First token of each request, by number.
std::vector<SimTime> first_tokens(const RunResult& result) {
  std::vector<SimTime> times(result.requests.size());
  for (const RequestRecord& r : result.requests) {
    times[static_cast<std::size_t>(r.number)] = r.first_token;
  }
  return times;
}

TEST_CASE("router: a short prompt goes where few tokens wait", "[serving][oracle]") {
  // Two ranks of one seat; prompts of 400, 40 and 40 tokens at once. By requests both ranks have
  // one when the third comes, and it is the first one's turn: behind the 400. By tokens it goes
  // behind the 40, as on a rank that serves those two alone.
  Deployment d = toy_deployment(test::toy_dense_model(), {.replicas = 2});
  d.scheduler.max_num_seqs = 1;
  const std::vector<workload::Request> requests = {request_at(0_s, 400, 2), request_at(0_s, 40, 2),
                                                   request_at(0_s, 40, 2)};
  Deployment one = d;
  one.layout.replicas = 1;
  const SimTime behind_long = first_tokens(test::run(one, {requests[0], requests[2]}))[1];
  const SimTime behind_short = first_tokens(test::run(one, {requests[1], requests[2]}))[1];
  REQUIRE(behind_short < behind_long);
  for (const RouterPolicy policy : {RouterPolicy::LeastLoad, RouterPolicy::RoundRobin,
                                    RouterPolicy::LeastWaiting, RouterPolicy::LeastTokens}) {
    d.router = policy;
    const SimTime expected = policy == RouterPolicy::LeastTokens ? behind_short : behind_long;
    CHECK(first_tokens(test::run(d, requests))[2] == expected);
  }
}

/// One GPU that prefills, `ranks` that decode.
Fleet one_to(std::int64_t ranks) {
  Deployment prefill = toy_deployment(test::toy_dense_model(), {});
  prefill.cluster = test::toy_cluster(2, ranks);
  Deployment decode = prefill;
  decode.layout.replicas = ranks;
  prefill.role = PoolRole::Prefill;
  decode.role = PoolRole::Decode;
  decode.first_gpu = ranks;
  decode.first_instance = 1;
  return {.pools = {prefill, decode}, .kv_transfer = {.mode = KvTransferMode::AtEnd}};
}

RunResult run_classes(const Fleet& fleet, std::vector<workload::Request> requests,
                      std::vector<ServiceClass> classes) {
  const topology::Topology topology(fleet.pools.front().cluster);
  test::ListSource source(std::move(requests));
  const std::vector<plan::MemoryReport> memory(2, test::toy_memory(1'000'000));
  return simulate(fleet, topology, memory, {.source = &source, .classes = std::move(classes)}, {},
                  {});
}

TEST_CASE("router: caches go to the decode rank that the pool's policy prefers",
          "[serving][oracle]") {
  // Prompts of 1000, 10 and 10 tokens are complete at once and ask in this order. By requests the
  // third cache goes to the rank that has the first: 63 blocks of 16 tokens and 1. By tokens it
  // goes to the other. One more token is stored of each, which fits these blocks.
  for (const RouterPolicy policy :
       {RouterPolicy::LeastLoad, RouterPolicy::RoundRobin, RouterPolicy::LeastTokens}) {
    Fleet fleet = one_to(2);
    fleet.pools[1].router = policy;
    const RunResult result = run_classes(
        fleet, {request_at(0_s, 1000, 2), request_at(0_s, 10, 2), request_at(0_s, 10, 2)}, {});
    CHECK(result.summary.requests_completed == 3);
    INFO(static_cast<int>(policy));
    CHECK(result.pools[1].kv.peak_blocks == (policy == RouterPolicy::LeastTokens ? 63 : 64));
  }
}

TEST_CASE("router: by priority the cache of the lowest value is placed first",
          "[serving][oracle]") {
  // One decode seat, held by request 0. Then 1 (value 5) and 2 (value 1) ask for it, in this order.
  for (const SchedulingPolicy policy : {SchedulingPolicy::Fcfs, SchedulingPolicy::Priority}) {
    Fleet fleet = one_to(1);
    fleet.pools[1].scheduler.max_num_seqs = 1;
    fleet.pools[1].scheduler.policy = policy;
    std::vector<workload::Request> requests = {request_at(0_s, 16, 30'000),
                                               request_at(10_ms, 16, 3), request_at(20_ms, 16, 3)};
    requests[1].service_class = 1;
    requests[2].service_class = 2;
    const RunResult result =
        run_classes(fleet, requests,
                    {{.name = "a"}, {.name = "b", .priority = 5}, {.name = "c", .priority = 1}});
    const std::vector<SimTime> first = first_tokens(result);
    REQUIRE(result.summary.requests_completed == 3);
    CHECK((first[2] < first[1]) == (policy == SchedulingPolicy::Priority));
  }
}

}  // namespace
}  // namespace moesim::serving
