#include "sweep/replayed_routing.h"

#include <set>

#include "routing/token_bank.h"
#include "tests/support/catch.h"

namespace moesim::sweep {
namespace {

/// Two layers of top-1 of 4 experts; layer 0 recorded: all tokens of it choose one expert.
placement::Workload toy(double weight, std::uint16_t expert, std::size_t tokens) {
  placement::Workload w{.name = "toy", .weight = weight, .load = {1, 1, 1, 1, 1, 1, 1, 1}};
  w.tokens = {.experts = 4, .top_k = 1, .layer = {0}, .request = {}, .expert = {}};
  w.tokens.request.assign(tokens, 7);
  w.tokens.expert.assign(tokens, expert);
  return w;
}

TEST_CASE("replayed routing: workloads by weight, untraced layers by their loads") {
  const routing::RoutingShape shape{.moe_layers = 2, .experts = 4, .top_k = 1};
  serving::ExpertSettings experts;
  experts.affinity.emplace();
  replay(shape, {toy(1.0, 2, 10), toy(3.0, 3, 10)}, 1, experts);
  CHECK_FALSE(experts.affinity.has_value());
  REQUIRE(experts.recorded != nullptr);
  const routing::TokenBank& bank = *experts.recorded;
  REQUIRE(bank.tokens() == 8192);
  REQUIRE(bank.layers() == 2);
  // A quarter of 8,192 tokens is the first workload's.
  std::int64_t first = 0;
  std::int64_t second = 0;
  std::int64_t counts[4] = {0, 0, 0, 0};
  for (std::int64_t t = 0; t < bank.tokens(); ++t) {
    first += *bank.experts(0, t) == 2 ? 1 : 0;
    second += *bank.experts(0, t) == 3 ? 1 : 0;
    ++counts[*bank.experts(1, t)];
  }
  CHECK(first == 2048);
  CHECK(second == 6144);
  // Even loads: 2,048 of each expert; sd = sqrt(8192 * 1/4 * 3/4) = 39; five of them.
  for (const std::int64_t count : counts) CHECK(std::abs(count - 2048) < 196);
}

TEST_CASE("replayed routing: requests stay apart, also around the end of a short recording") {
  const routing::RoutingShape shape{.moe_layers = 1, .experts = 4, .top_k = 1};
  serving::ExpertSettings experts;
  placement::Workload w = toy(1.0, 0, 4096);
  w.load.resize(4);
  replay(shape, {w, w}, 1, experts);
  const std::vector<std::uint64_t>& request = experts.recorded->trace().request;
  CHECK(std::set<std::uint64_t>(request.begin(), request.end()).size() == 2);
  w.tokens.request.resize(1024);
  w.tokens.expert.resize(1024);
  replay(shape, {w}, 1, experts);
  const std::vector<std::uint64_t>& again = experts.recorded->trace().request;
  CHECK(std::set<std::uint64_t>(again.begin(), again.end()).size() == 8);
}

}  // namespace
}  // namespace moesim::sweep
