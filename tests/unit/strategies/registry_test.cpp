#include <rapidcheck.h>

#include <algorithm>
#include <vector>

#include "strategies/strategy.h"
#include "tests/support/catch.h"
#include "tests/support/placements.h"

namespace moesim::strategies {
namespace {

using moesim::test::placed;
using placement::Placement;
using placement::PlacementShape;

/// Two nodes of two ranks, two slots each; six experts in two groups, two of them twice.
PlacementShape toy_shape() {
  return {.moe_layers = 2,
          .experts = 6,
          .ranks = 4,
          .slots_per_rank = 2,
          .expert_groups = 2,
          .domain_of_rank = {0, 0, 1, 1}};
}

TEST_CASE("contiguous: slots count through the experts, redundant ones from the start again",
          "[strategies][oracle]") {
  const Placement placement = placed("contiguous", toy_shape(), {}, 1);
  CHECK(placement.expert_of_slot ==
        std::vector<std::int32_t>{0, 1, 2, 3, 4, 5, 0, 1, 0, 1, 2, 3, 4, 5, 0, 1});
  CHECK(placement.strategy == "contiguous");
}

TEST_CASE("random: another seed, another placement; the same seed, the same", "[strategies]") {
  CHECK(placed("random", toy_shape(), {}, 1).expert_of_slot ==
        placed("random", toy_shape(), {}, 1).expert_of_slot);
  CHECK(placed("random", toy_shape(), {}, 1).expert_of_slot !=
        placed("random", toy_shape(), {}, 2).expert_of_slot);
}

TEST_CASE("strategies: the registry knows its names and no others", "[strategies]") {
  for (const std::string& name : strategy_names()) CHECK(make_strategy(name) != nullptr);
  CHECK(make_strategy("nonsense") == nullptr);
}

TEST_CASE("strategies: any placement passes verify", "[strategies][property]") {
  CHECK(rc::check([] {
    const auto domains = *rc::gen::inRange<std::int64_t>(1, 4);
    const auto ranks_per_domain = *rc::gen::inRange<std::int64_t>(1, 4);
    const std::int64_t ranks = domains * ranks_per_domain;
    const auto experts = *rc::gen::inRange<std::int64_t>(1, 25);
    const std::int64_t least = (experts + ranks - 1) / ranks;
    const auto slots_per_rank = *rc::gen::inRange<std::int64_t>(least, experts + 1);
    PlacementShape shape{.moe_layers = 2,
                         .experts = experts,
                         .ranks = ranks,
                         .slots_per_rank = slots_per_rank,
                         .expert_groups = *rc::gen::element<std::int64_t>(1, 2, 4),
                         .domain_of_rank = {}};
    for (std::int64_t r = 0; r < ranks; ++r) {
      shape.domain_of_rank.push_back(static_cast<std::int32_t>(r / ranks_per_domain));
    }
    std::vector<double> load;
    for (std::int64_t i = 0; i < 2 * experts; ++i) load.push_back(*rc::gen::inRange(1, 1000));
    const auto name = *rc::gen::elementOf(strategy_names());
    const auto errors = verify(placed(name, shape, load, 3));
    for (const std::string& e : errors) RC_LOG() << name << ": " << e << '\n';
    RC_ASSERT(errors.empty());
  }));
}

}  // namespace
}  // namespace moesim::strategies
