#include "plan/usual_layouts.h"

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/unit/plan/known_models.h"

namespace moesim::plan {
namespace {

using namespace moesim::literals;

TEST_CASE("usual_layouts: a dense model gets the widest tp, then stages", "[plan][oracle]") {
  const catalog::Model model = test::model_named("Llama-3.1-70B");
  CHECK(usual_layouts(model, 8, {}, 0) == std::vector<Layout>{{.tp = 8}});
  CHECK(usual_layouts(model, 16, {}, 0) == std::vector<Layout>{{.tp = 8, .pp = 2}});
  // 64 heads do not divide over 6 or 3.
  CHECK(usual_layouts(model, 6, {}, 0) == std::vector<Layout>{{.tp = 2, .pp = 3}});
}

TEST_CASE("usual_layouts: experts stay whole, share tp ranks, or span attention ranks",
          "[plan][oracle]") {
  const std::vector<Layout> layouts = usual_layouts(test::deepseek_v3(), 16, {}, 0);
  const std::vector<Layout> expected = {{.tp = 8, .pp = 2},           {.tp = 8, .pp = 2, .ep = 8},
                                        {.tp = 8, .dp = 2, .ep = 16}, {.tp = 4, .dp = 4, .ep = 16},
                                        {.tp = 2, .dp = 8, .ep = 16}, {.dp = 16, .ep = 16}};
  CHECK(layouts.size() == expected.size());
  for (const Layout& e : expected) {
    INFO(to_string(e));
    CHECK(std::find(layouts.begin(), layouts.end(), e) != layouts.end());
  }
}

TEST_CASE("usual_layouts: keeps to what was asked for", "[plan][oracle]") {
  CHECK(usual_layouts(test::deepseek_v3(), 16, {.tp = 16}, 0).size() == 2);  // ep 1 and 16
  CHECK(usual_layouts(test::deepseek_v3(), 32, {.tp = 8, .pp = 2, .dp = 2, .ep = 8}, 0) ==
        std::vector<Layout>{{.tp = 8, .pp = 2, .dp = 2, .ep = 8}});
  CHECK(usual_layouts(test::deepseek_v3(), 16, {.tp = 3}, 0).empty());
}

TEST_CASE("ranked_layouts: the best verdict and the most KV come first", "[plan][property]") {
  const auto ranked = ranked_layouts(test::deepseek_v3(), test::precision_named("fp8_block128"),
                                     test::gpu_named("H200-SXM"), 8, {}, {});
  REQUIRE(ranked.size() > 2);
  for (std::size_t i = 1; i < ranked.size(); ++i) {
    CHECK(ranked[i - 1].report.verdict <= ranked[i].report.verdict);
    if (ranked[i - 1].report.verdict == ranked[i].report.verdict) {
      CHECK(ranked[i - 1].report.kv_capacity_tokens >= ranked[i].report.kv_capacity_tokens);
    }
  }
}

TEST_CASE("smallest_fitting_layouts: finds the smallest servers that do", "[plan][oracle]") {
  // V3 in fp8 on 80 GB: 673 GB need 9 GPUs at least; the next whole number of nodes is 16.
  const auto v3 =
      smallest_fitting_layouts(test::deepseek_v3(), test::precision_named("fp8_block128"),
                               test::gpu_named("H100-SXM"), {}, 64, 3);
  REQUIRE(v3.size() == 3);
  CHECK(v3.front().layout.gpus() == 16);
  // 70B in bf16 on 80 GB: 2 are marginal, 4 fit.
  const auto llama =
      smallest_fitting_layouts(test::model_named("Llama-3.1-70B"), test::precision_of(16),
                               test::gpu_named("H100-SXM"), {}, 8, 5);
  REQUIRE(llama.size() == 2);
  CHECK(llama[0].layout == Layout{.tp = 4});
  CHECK(llama[1].layout == Layout{.tp = 8});
  CHECK(smallest_fitting_layouts(test::deepseek_v3(), test::precision_of(16), test::gpu_of(8_GB),
                                 {}, 32, 3)
            .empty());
}

}  // namespace
}  // namespace moesim::plan
