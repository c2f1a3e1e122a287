#include "placement/problem.h"

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace moesim::placement {
namespace {

using moesim::test::contains_text;

/// Two layers of four experts, top-2, on two nodes of one rank with three slots; five tokens in
/// layer 1.
Problem sound() {
  Problem problem{.shape = {.moe_layers = 2,
                            .experts = 4,
                            .ranks = 2,
                            .slots_per_rank = 3,
                            .expert_groups = 2,
                            .domain_of_rank = {0, 1}},
                  .routing = {.moe_layers = 2, .experts = 4, .top_k = 2},
                  .workloads = {{.name = "day", .load = {4, 3, 2, 1, 1, 1, 0, 6}}}};
  problem.workloads.front().tokens = {.experts = 4,
                                      .top_k = 2,
                                      .layer = {1},
                                      .request = {7, 7, 7, 8, 8},
                                      .expert = {0, 1, 2, 3, 0, 3, 1, 2, 0, 2}};
  problem.current = Placement{.shape = problem.shape,
                              .expert_of_slot = {0, 1, 2, 3, 0, 1, /**/ 3, 1, 2, 3, 0, 1},
                              .strategy = "by hand"};
  return problem;
}

struct Breach {
  const char* message;
  std::function<void(Problem&)> make;
};

TEST_CASE("verify(Problem): a sound problem has no errors", "[placement]") {
  CHECK(verify(sound()).empty());
  Problem bare = sound();
  bare.workloads.front().tokens = {};
  bare.current.reset();
  CHECK(verify(bare).empty());
}

TEST_CASE("verify(Problem): each kind of bad problem is named", "[placement]") {
  const auto load = [](Problem& p) -> std::vector<double>& { return p.workloads[0].load; };
  const auto tokens = [](Problem& p) -> routing::TokenTrace& { return p.workloads[0].tokens; };
  const std::vector<Breach> breaches = {
      {"MoE layers must lie between 1 and 1024, got 0", [](Problem& p) { p.shape.moe_layers = 0; }},
      {"experts must lie between 1 and 1024, got 1000000",
       [](Problem& p) { p.shape.experts = 1'000'000; }},
      {"ranks must lie between 1 and 8192, got 100000",
       [](Problem& p) { p.shape.ranks = 100'000; }},
      {"slots per rank must lie between 1 and 1024, got -3",
       [](Problem& p) { p.shape.slots_per_rank = -3; }},
      {"a layer may have at most 16384 slots, got 49152",
       [](Problem& p) { p.shape.ranks = 8192, p.shape.slots_per_rank = 6; }},
      {"all layers together may have at most 4194304 slots, got 4198400",
       [](Problem& p) {
         p.shape.moe_layers = 1024, p.shape.ranks = 820, p.shape.slots_per_rank = 5;
       }},
      {"has 6 slots for 8 experts", [](Problem& p) { p.shape.experts = 8; }},
      {"a rank has 5 slots for 4 experts: it would hold one twice",
       [](Problem& p) { p.shape.slots_per_rank = 5; }},
      {"4 experts do not divide into 3 groups", [](Problem& p) { p.shape.expert_groups = 3; }},
      {"names the domain of 1 ranks, has 2", [](Problem& p) { p.shape.domain_of_rank = {0}; }},
      {"a rank has a negative domain",
       [](Problem& p) {
         p.shape.domain_of_rank = {0, -1};
       }},
      {"domains must be numbered below 8192, got 2000000000",
       [](Problem& p) {
         p.shape.domain_of_rank = {0, 2'000'000'000};
       }},
      {"names the rack of 1 domains, has domain 1",
       [](Problem& p) { p.shape.rack_of_domain = {0}; }},
      {"a domain has a negative rack",
       [](Problem& p) {
         p.shape.rack_of_domain = {0, -2};
       }},
      {"routing: experts per token exceed", [](Problem& p) { p.routing.top_k = 5; }},
      {"routing has 3 MoE layers, slots have 2", [](Problem& p) { p.routing.moe_layers = 3; }},
      {"routing has 6 experts, slots have 4", [](Problem& p) { p.routing.experts = 6; }},
      {"needs between 1 and 64 workloads, has 0", [](Problem& p) { p.workloads.clear(); }},
      {"workload day: weight must be above 0", [](Problem& p) { p.workloads[0].weight = 0.0; }},
      {"workload day: lists 7 loads instead of layers times experts, 8",
       [&](Problem& p) { load(p).pop_back(); }},
      {"workload day: layer 1, expert 2: load is not a finite number",
       [&](Problem& p) { load(p)[6] = std::nan(""); }},
      {"workload day: layer 0, expert 3: load is not a finite number",
       [&](Problem& p) { load(p)[3] = std::numeric_limits<double>::infinity(); }},
      {"workload day: layer 0, expert 1: load is negative: -3",
       [&](Problem& p) { load(p)[1] = -3.0; }},
      {"workload day: layer 1: all loads are 0",
       [&](Problem& p) { load(p)[4] = load(p)[5] = load(p)[7] = 0.0; }},
      {"workload day: layer 0: loads sum to infinity",
       [&](Problem& p) { load(p)[0] = load(p)[1] = 1.5e308; }},
      {"workload day: tokens name 5 experts, slots have 4",
       [&](Problem& p) { tokens(p).experts = 5; }},
      {"workload day: tokens have 5 experts each, the routing 2",
       [&](Problem& p) { tokens(p).top_k = 5; }},
      {"workload day: tokens need at least one layer and one token",
       [&](Problem& p) { tokens(p).layer.clear(); }},
      {"workload day: tokens need at least one layer and one token",
       [&](Problem& p) { tokens(p).request.clear(); }},
      {"workload day: tokens of layer 2, has 2 layers", [&](Problem& p) { tokens(p).layer = {2}; }},
      {"workload day: tokens of layer 0 do not come in ascending order",
       [&](Problem& p) {
         tokens(p).layer = {1, 0};
       }},
      {"workload day: tokens list 9 experts instead of layers times tokens times experts",
       [&](Problem& p) { tokens(p).expert.pop_back(); }},
      {"workload day: layer 1, token 3: expert 4 of 4 does not exist (they are numbered from 0)",
       [&](Problem& p) { tokens(p).expert[6] = 4; }},
      {"workload day: layer 1, token 4: expert 2 appears twice",
       [&](Problem& p) { tokens(p).expert[8] = 2; }},
      {"current placement: layer 1: rank 0 holds expert 3 twice",
       [](Problem& p) { p.current->expert_of_slot[8] = 3; }},
      {"current placement: has 2 layers, 4 experts, 2 ranks of 4 slots; the problem 2, 4, 2 of 3",
       [](Problem& p) { p.current->shape.slots_per_rank = 4; }},
      {"current placement: its ranks lie on other domains",
       [](Problem& p) {
         p.current->shape.domain_of_rank = {0, 0};
       }},
  };
  for (const Breach& breach : breaches) {
    Problem bad = sound();
    breach.make(bad);
    const std::vector<std::string> errors = verify(bad);
    INFO(breach.message);
    REQUIRE_FALSE(errors.empty());
    CHECK_THAT(errors.front(), contains_text(breach.message));
  }
}

TEST_CASE("verify(Problem): sizes are refused before they are multiplied", "[placement]") {
  // A naive product of these overflows 64 bits; nothing of their size exists in the problem.
  Problem bad = sound();
  bad.shape.ranks = bad.shape.slots_per_rank = bad.shape.moe_layers = std::int64_t{1} << 40;
  CHECK(verify(bad).size() == 3);
}

TEST_CASE("verify(Problem): stops listing after some messages", "[placement]") {
  Problem bad = sound();
  bad.workloads.resize(20, bad.workloads.front());
  for (Workload& workload : bad.workloads) {
    workload.load.assign(8, -1.0);
    workload.tokens.expert.assign(10, 9);
  }
  CHECK(verify(bad).size() == 21);
  CHECK(verify(bad).back() == "and more");
}

}  // namespace
}  // namespace moesim::placement
