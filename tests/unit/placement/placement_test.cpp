#include "placement/placement.h"

#include <algorithm>
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

}  // namespace
}  // namespace moesim::placement
