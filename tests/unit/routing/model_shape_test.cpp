#include "routing/model_shape.h"

#include "tests/support/catch.h"

namespace moesim::routing {
namespace {

catalog::LayerKind routed(std::int64_t experts, std::int64_t top_k) {
  catalog::LayerKind kind;
  kind.feed_forward.routed_experts = experts;
  kind.feed_forward.top_k = top_k;
  return kind;
}

TEST_CASE("routing_shape: counts the routed layers and passes over the dense ones") {
  catalog::Model model;
  model.kinds = {catalog::LayerKind{}, routed(64, 6)};
  model.runs = {{.kind = 0, .count = 3}, {.kind = 1, .count = 58}};
  const auto shape = routing_shape(model);
  REQUIRE(shape);
  CHECK(shape->moe_layers == 58);
  CHECK(shape->experts == 64);
  CHECK(shape->top_k == 6);
}

TEST_CASE("routing_shape: layers that route differently have none") {
  catalog::Model model;
  model.kinds = {routed(64, 6), routed(64, 8)};
  model.runs = {{.kind = 0, .count = 1}, {.kind = 1, .count = 1}};
  CHECK_FALSE(routing_shape(model));
  model.kinds[1].feed_forward.top_k = 6;
  CHECK(routing_shape(model));
}

}  // namespace
}  // namespace moesim::routing
