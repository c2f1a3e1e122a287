#include "sweep/compare_scenarios.h"

#include <string>
#include <vector>

#include "sweep/demand.h"
#include "tests/support/catch.h"
#include "tests/support/toy_scenario.h"

namespace moesim::sweep {
namespace {

using namespace moesim::literals;
using moesim::test::contains_text;
using test::toy_scenario;

scenario::Scenario dense() {
  return toy_scenario(test::toy_dense_model(), {.tp = 1, .replicas = 2});
}
scenario::Scenario moe() {
  return toy_scenario(test::toy_moe_model(), {.tp = 1, .pp = 1, .dp = 2, .ep = 2});
}

TEST_CASE("demand_differences: two deployments of one demand have none", "[sweep]") {
  CHECK(demand_differences(dense(), moe()).empty());
  // A copy of the trace is the same demand.
  scenario::Scenario other = moe();
  other.workload.trace = std::make_shared<const workload::Trace>(test::toy_trace(20));
  CHECK(demand_differences(dense(), other).empty());
}

TEST_CASE("demand_differences: names what differs", "[sweep]") {
  scenario::Scenario a = dense();
  a.name = "a";
  scenario::Scenario b = moe();
  b.name = "b";
  const auto only = [&] {
    const std::vector<std::string> found = demand_differences(a, b);
    REQUIRE(found.size() == 1);
    return found[0];
  };
  SECTION("other requests") {
    b.workload.trace = std::make_shared<const workload::Trace>(test::toy_trace(19));
    CHECK(only() == "not the same demand: a and b serve different requests");
    b.workload.description = "19 requests of a toy trace";
    CHECK(only() ==
          "not the same demand: the workload of a is 20 requests of a toy trace, of b it "
          "is 19 requests of a toy trace");
  }
  SECTION("a closed loop") {
    b.workload.concurrency = 8;
    CHECK_THAT(only(), contains_text("the loop of a is open, of b it is closed with 8 in flight"));
  }
  SECTION("another end") {
    b.run.max_requests = 5;
    CHECK_THAT(only(), contains_text("the number of requests of a is all of the workload, of b it "
                                     "is 5"));
  }
  SECTION("prompts that are cached") {
    b.workload.assumed_reuse = {.share = 0.5, .tier = serving::CacheTier::Disk};
    CHECK_THAT(only(), contains_text("the reuse of prefixes of a is as the requests have it, of b "
                                     "it is 0.5 of the input found on the disk"));
  }
  SECTION("other limits") {
    b.slo.ttft = SimTime::from(2_s);
    CHECK_THAT(only(), contains_text("b by TTFT 2 s, TPOT no limit"));
  }
  SECTION("another month") {
    b.pricing.hours_per_month = 720;
    CHECK(only() == "months differ: 730 h for a, 720 h for b");
  }
}

TEST_CASE("demand_differences: in a closed loop only lengths count", "[sweep]") {
  scenario::Scenario a = dense();
  scenario::Scenario b = moe();
  a.workload.concurrency = b.workload.concurrency = 4;
  workload::Trace later = test::toy_trace(20);
  for (workload::Request& r : later.requests) r.arrival += SimTime::from(1_s);
  b.workload.trace = std::make_shared<const workload::Trace>(later);
  CHECK(demand_differences(a, b).empty());
}

TEST_CASE("compare_scenarios: the same for any number of threads, in the order given", "[sweep]") {
  const std::vector<scenario::Scenario> all = {dense(), moe(), dense()};
  const Comparison one = compare_scenarios(all, 1);
  const Comparison four = compare_scenarios(all, 4);
  REQUIRE(one.results.size() == 3);
  CHECK(one.results[0].facts.model == "toy-dense");
  CHECK(one.results[1].facts.model == "toy-moe");
  // Same name three times: the later ones are numbered.
  CHECK(one.results[1].name == "toy (2)");
  CHECK(one.results[2].name == "toy (3)");
  CHECK(one.results[0].run.fingerprint == one.results[2].run.fingerprint);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(one.results[i].run.fingerprint == four.results[i].run.fingerprint);
    CHECK(one.results[i].run.summary.requests_completed == 20);
  }
  CHECK(one.notes.empty());
}

TEST_CASE("compare_scenarios: replications share their seeds, whatever the threads", "[sweep]") {
  scenario::Scenario base = moe();
  base.deployment.experts.popularity =
      routing::uniform({.moe_layers = 2, .experts = 16, .top_k = 2});
  std::vector<scenario::Scenario> all = {base, base};
  const Replications three{.count = 3, .reseed = [&](std::size_t i, std::uint64_t seed) {
                             scenario::Scenario s = all[i];
                             s.run.seed = seed;
                             return s;
                           }};
  const Comparison one = compare_scenarios(all, 1, {}, three);
  const Comparison four = compare_scenarios(all, 4, {}, three);
  REQUIRE(one.replications.size() == 2);
  REQUIRE(one.seeds.size() == 3);
  CHECK(one.seeds[0] == base.run.seed);
  CHECK(one.seeds[1] == replication_seed(base.run.seed, 1));
  CHECK(one.seeds[1] != one.seeds[2]);
  for (std::size_t r = 0; r < 3; ++r) {
    // The same scenario twice: the same run under the same seed.
    const std::uint64_t print = one.replications[0][r].run.fingerprint;
    CHECK(one.replications[1][r].run.fingerprint == print);
    CHECK(four.replications[0][r].run.fingerprint == print);
    CHECK(four.replications[1][r].run.fingerprint == print);
  }
  CHECK(one.replications[0][0].run.fingerprint == one.results[0].run.fingerprint);
  CHECK(one.replications[0][1].run.fingerprint != one.results[0].run.fingerprint);
  CHECK(one.replications[1][2].name == "toy (2)");
  CHECK(one.notes.empty());
  all[1].run.seed = base.run.seed + 1;
  const Comparison apart = compare_scenarios(all, 1, {}, three);
  REQUIRE_FALSE(apart.notes.empty());
  CHECK_THAT(apart.notes.back(), contains_text("not the same random numbers"));
}

TEST_CASE("compare_scenarios: one that does not fit is a result as well", "[sweep]") {
  scenario::Scenario big = dense();
  big.deployment.model.parameters_other = 200'000'000'000;
  const Comparison c = compare_scenarios({dense(), big}, 2);
  CHECK(c.results[0].fits);
  CHECK_FALSE(c.results[1].fits);
  CHECK_FALSE(c.results[1].memory.reason.empty());
}

}  // namespace
}  // namespace moesim::sweep
