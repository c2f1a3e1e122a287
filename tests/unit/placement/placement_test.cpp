#include "placement/placement.h"

#include <rapidcheck.h>

#include <algorithm>
#include <set>
#include <vector>

#include "tests/support/catch.h"

namespace moesim::placement {
namespace {

using moesim::test::contains_text;

/// Two nodes of two ranks, two slots each; six experts in two groups, two of them twice.
PlacementShape toy_shape() {
  return {.moe_layers = 2,
          .experts = 6,
          .ranks = 4,
          .slots_per_rank = 2,
          .expert_groups = 2,
          .domain_of_rank = {0, 0, 1, 1}};
}

Placement toy_placement() {
  return {.shape = toy_shape(),
          .expert_of_slot = {0, 1, 2, 3, 4, 5, 0, 1, /**/ 0, 1, 2, 3, 4, 5, 2, 3},
          .strategy = "by hand"};
}

std::string first_error(const Placement& placement) {
  const std::vector<std::string> errors = verify(placement);
  return errors.empty() ? "" : errors.front();
}

TEST_CASE("verify: a sound placement has no errors", "[placement]") {
  CHECK(verify(toy_placement()).empty());
}

TEST_CASE("verify: each kind of bad placement is named", "[placement]") {
  Placement bad = toy_placement();
  bad.expert_of_slot[13] = 4;
  CHECK_THAT(first_error(bad), contains_text("layer 1: rank 2 holds expert 4 twice"));
  REQUIRE(verify(bad).size() == 2);
  CHECK_THAT(verify(bad)[1], contains_text("layer 1: expert 5 has no slot"));

  bad = toy_placement();
  bad.expert_of_slot[3] = 6;
  CHECK_THAT(first_error(bad), contains_text("layer 0: slot 3 holds expert 6, which does not"));
  bad.expert_of_slot[3] = -1;
  CHECK_THAT(first_error(bad), contains_text("holds expert -1"));

  bad = toy_placement();
  bad.expert_of_slot.pop_back();
  CHECK_THAT(first_error(bad), contains_text("lists 15 slots"));

  bad = toy_placement();
  bad.shape.domain_of_rank.pop_back();
  CHECK_THAT(first_error(bad), contains_text("domain of 3 ranks"));
  bad.shape.domain_of_rank = {0, 0, 1, -1};
  CHECK_THAT(first_error(bad), contains_text("negative domain"));

  bad = toy_placement();
  bad.shape.experts = 9;
  CHECK_THAT(first_error(bad), contains_text("8 slots for 9 experts"));

  bad = toy_placement();
  bad.shape.ranks = 0;
  CHECK_THAT(first_error(bad), contains_text("at least 1"));
}

TEST_CASE("verify: stops listing after some messages", "[placement]") {
  Placement bad = toy_placement();
  bad.shape.moe_layers = 40;
  bad.expert_of_slot.assign(320, 7);
  CHECK(verify(bad).size() == 21);
  CHECK(verify(bad).back() == "and more");
}

TEST_CASE("contiguous: slots count through the experts, redundant ones from the start again",
          "[placement][oracle]") {
  const Placement placement = make_strategy("contiguous")->place(toy_shape(), {}, 1);
  CHECK(placement.expert_of_slot ==
        std::vector<std::int32_t>{0, 1, 2, 3, 4, 5, 0, 1, 0, 1, 2, 3, 4, 5, 0, 1});
  CHECK(placement.strategy == "contiguous");
}

TEST_CASE("random: another seed, another placement; the same seed, the same", "[placement]") {
  const auto random = make_strategy("random");
  CHECK(random->place(toy_shape(), {}, 1).expert_of_slot ==
        random->place(toy_shape(), {}, 1).expert_of_slot);
  CHECK(random->place(toy_shape(), {}, 1).expert_of_slot !=
        random->place(toy_shape(), {}, 2).expert_of_slot);
}

TEST_CASE("strategies: the registry knows its names and no others", "[placement]") {
  for (const std::string& name : strategy_names()) CHECK(make_strategy(name) != nullptr);
  CHECK(make_strategy("nonsense") == nullptr);
}

TEST_CASE("strategies: any placement passes verify", "[placement][property]") {
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
    const auto errors = verify(make_strategy(name)->place(shape, load, 3));
    for (const std::string& e : errors) RC_LOG() << name << ": " << e << '\n';
    RC_ASSERT(errors.empty());
  }));
}

}  // namespace
}  // namespace moesim::placement
