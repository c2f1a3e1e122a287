// What of a layer depends on the number of tokens alone.
#include "serving/token_cost.h"

#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using moesim::test::WithinRel;
using namespace moesim::literals;

/// Two shared experts of width 500 beside 16 routed ones, on streams of their own up to 256 tokens.
Deployment sharing() {
  catalog::Model model = test::toy_moe_model();
  catalog::FeedForward& block = model.kinds[0].feed_forward;
  block.shared_experts = 2;
  block.shared_intermediate = 500;
  Deployment d = test::toy_deployment(std::move(model), {});
  d.cluster.gpu.bf16 = 100_TFLOPs;
  d.engine.shared_expert_stream_tokens = 256;
  return d;
}

struct Layer {
  explicit Layer(Deployment deployment)
      : d(std::move(deployment)), kernels(d), cost(d, d.model.kinds[0], false, kernels) {}
  Deployment d;
  Kernels kernels;
  LayerTokenCost cost;
};

}  // namespace

TEST_CASE("token cost: shared experts beside routed ones take bandwidth alone",
          "[serving][oracle]") {
  // Gate and up 2000 x 1000, down 1000 x 1000: 3 M weights of 2 B, at the toy's bandwidth.
  Layer layer(sharing());
  const Seconds reading = 6_MB / layer.d.cluster.gpu.memory_bandwidth;
  const TokenTimes& times = layer.cost.at(256);
  REQUIRE(times.shared > reading);  // At 256 tokens arithmetic takes longer.
  const Seconds saved = times.feed_forward.sum() - times.feed_forward_beside.sum();
  CHECK_THAT(saved / 1_us, WithinRel((times.shared - reading) / 1_us, 1e-9));
}

TEST_CASE("token cost: a batch beyond the stream's tokens pays its shared experts in full",
          "[serving]") {
  Layer layer(sharing());
  const TokenTimes& times = layer.cost.at(257);
  CHECK(times.feed_forward_beside.sum() == times.feed_forward.sum());
  Deployment never = sharing();
  never.engine.shared_expert_stream_tokens = 0;
  Layer other(std::move(never));
  const TokenTimes& small = other.cost.at(8);
  CHECK(small.feed_forward_beside.sum() == small.feed_forward.sum());
}

TEST_CASE("token cost: reading is never more than the shared experts take alone", "[serving]") {
  Layer layer(sharing());
  for (const std::int64_t tokens : {1, 2, 16, 100, 256}) {
    const TokenTimes times = layer.cost.at(tokens);
    CHECK(times.feed_forward_beside.sum() <= times.feed_forward.sum());
    CHECK(times.shared > Seconds{});
  }
}

}  // namespace moesim::serving
