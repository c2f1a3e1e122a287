#include "sweep/run_scenario.h"

#include "core/diagnostics.h"
#include "tests/support/catch.h"
#include "tests/support/toy_scenario.h"

namespace moesim::sweep {
namespace {

using moesim::test::contains_text;
using moesim::test::WithinRel;

TEST_CASE("run_scenario: the bill follows from GPUs and hours", "[sweep][oracle]") {
  // 2 GPUs * 2.69 USD/h * 730 h = 3,927.40 USD.
  const ScenarioResult r =
      run_scenario(test::toy_scenario(test::toy_dense_model(), {.tp = 2, .replicas = 1}));
  REQUIRE(r.fits);
  CHECK(r.run.summary.requests_completed == 20);
  CHECK_THAT(r.bill.usd_per_month, WithinRel(3927.40, 1e-9));
  CHECK(r.facts.gpus == 2);
  CHECK(r.facts.layout == "tp2 pp1 dp1 ep1 x1");
}

TEST_CASE("run_scenario: arithmetic per token is two per active parameter and attention",
          "[sweep][oracle]") {
  // Active weights of a layer that multiply: Q and O 2 * 1000 * 1000, K and V 2 * 1000 * 200, gated
  // feed-forward 3 * 1000 * 4000: 14.4e6; two layers 28.8e6; head 1000 * 10000 = 10e6. At least
  // 2 * 38.8e6 = 77.6e6. Attention over (100 + 10 / 2) tokens: 2 layers * 2 * 10 heads * 105 *
  // (100 + 100) = 0.84e6. Norms and the embedding add less than 2 * 10.1e6.
  const ScenarioResult r =
      run_scenario(test::toy_scenario(test::toy_dense_model(), {.tp = 1, .replicas = 1}));
  CHECK(r.facts.flops_per_token >= 77.6e6 + 0.84e6);
  CHECK(r.facts.flops_per_token <= 77.6e6 + 0.84e6 + 20.2e6);
}

TEST_CASE("run_scenario: what is not modelled is refused as input", "[sweep]") {
  scenario::Scenario s =
      test::toy_scenario(test::toy_moe_model(), {.tp = 1, .pp = 1, .dp = 4, .ep = 2});
  CHECK_THROWS_AS(run_scenario(s), InputError);
  CHECK_THROWS_WITH(run_scenario(s), contains_text("deployment.ep"));
}

}  // namespace
}  // namespace moesim::sweep
