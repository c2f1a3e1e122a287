#include "calibration/moe_study.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "core/diagnostics.h"
#include "core/units.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::calibration {
namespace {

using namespace moesim::literals;
using moesim::test::contains_text;
using moesim::test::toy_gpu;
using moesim::test::WithinRel;

constexpr const char* kHeader =
    "dtype,gemms,kernel,hidden,inter,topk,experts,tp,ep,tokens,us_bal,us_pl101,us_pl120\n";

std::vector<double> starts() {
  std::vector<double> values;
  for (const operators::CoefficientSpec& spec : operators::ExpertCurve::coefficients()) {
    values.push_back(spec.start);
  }
  return values;
}

struct ReadTable {
  catalog::Gpu gpu = toy_gpu();
  MoeStudy study;
  explicit ReadTable(const std::string& rows, const std::string& engine = "trtllm",
                     const std::string& architecture = "Hopper") {
    gpu.architecture = architecture;
    study.read(CsvTable::parse(kHeader + rows, "toy__" + engine + ".csv"),
               {.folder = "moe", .gpu = &gpu, .engine = engine});
  }
  /// Predictions of all samples, which are of one curve, in us.
  [[nodiscard]] std::vector<double> predicted() const {
    std::vector<std::int32_t> all(study.samples().size());
    std::iota(all.begin(), all.end(), 0);
    std::vector<double> values(all.size());
    study.predict(all, starts(), values);
    for (double& value : values) value *= 1.0_s / 1.0_us;
    return values;
  }
  /// Time of a work on this table's GPU in bf16.
  [[nodiscard]] double time_of(operators::ExpertBlock block, const operators::ExpertWork& w) const {
    block.cold = false;
    const operators::ExpertCurve curve(gpu, *operators::kernel_format("bf16"), block, starts());
    return curve.time(w).time / 1.0_us;
  }
};

operators::ExpertWork work_of(const std::vector<std::int64_t>& tokens, double arrived,
                              double looked_through) {
  operators::ExpertWork work{.arrived = arrived, .looked_through = looked_through};
  for (const std::int64_t n : tokens) work.add_expert(n);
  return work;
}

std::string refusal(const std::string& row) {
  try {
    ReadTable{row};
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST_CASE("MoeStudy: a row holds up to three samples of one group", "[calibration][oracle]") {
  const ReadTable t{
      "bf16,3,cutlass,1000,800,2,8,2,4,8,12.5,,15\n"
      "bf16,3,cutlass,1000,800,2,8,2,4,16,20,,\n"
      "bf16,2,other,1000,800,2,8,1,4,16,20,,\n"};
  REQUIRE(t.study.samples().size() == 4);
  CHECK_THAT(t.study.samples()[0].measured, WithinRel(12.5e-6, 1e-12));
  CHECK(t.study.samples()[0].label == 0);
  CHECK(t.study.samples()[1].label == 1);
  CHECK(t.study.samples()[0].group == t.study.samples()[2].group);
  CHECK(t.study.samples()[0].group != t.study.samples()[3].group);
  CHECK(t.study.samples()[0].family == t.study.samples()[3].family);
  REQUIRE(t.study.curves().size() == 2);
  CHECK(t.study.curves()[0].operation == "expert_gemm");
  CHECK(t.study.curves()[1].variant == "other");
}

TEST_CASE("MoeStudy: a balanced row is priced at the counts of one rank", "[calibration][oracle]") {
  // 8 tokens, 2 of 8 experts each, 4 ranks: token t takes t and t + 4: every expert has 2 tokens. A
  // rank: 2 experts, 4 pairs of 4 different tokens.
  const ReadTable t{"bf16,3,cutlass,1000,800,2,8,2,4,8,12.5,,\n"};
  const operators::ExpertBlock block{
      .hidden = 1000, .intermediate = 400, .matrices = 3, .local_experts = 2, .topk = 2};
  CHECK_THAT(t.predicted().at(0), WithinRel(t.time_of(block, work_of({2, 2}, 4, 8)), 1e-12));
}

TEST_CASE("MoeStudy: skew is slower than balance where tokens are many", "[calibration]") {
  const ReadTable t{"bf16,3,cutlass,4096,1536,8,128,1,8,16384,1,1,1\n"};
  const std::vector<double> us = t.predicted();
  CHECK(us.at(1) > 1.1 * us.at(0));
  CHECK(us.at(2) > us.at(1));
}

TEST_CASE("MoeStudy: skew is faster where it touches fewer experts", "[calibration]") {
  // 16 balanced tokens touch all 128 experts of 8 choices each; drawn ones leave some out.
  const ReadTable t{"bf16,3,cutlass,4096,1536,8,128,1,1,16,1,1,1\n"};
  const std::vector<double> us = t.predicted();
  CHECK(us.at(1) < 0.95 * us.at(0));
}

TEST_CASE("group_limited_load: half of the experts, and ties at the lowest",
          "[calibration][oracle]") {
  // 16 experts in 8 groups of 2, 4 choices: balanced token t would take t, t + 4, t + 8, t + 12.
  // Experts 0 to 7 stay: t and t + 4, then the lowest two that are not taken. Tokens 0 to 3:
  // {0,4,1,2} {1,5,0,2} {2,6,0,1} {3,7,0,1}.
  CHECK(group_limited_load(4, 16, 4) ==
        std::vector<std::int32_t>{4, 4, 3, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0});
  const std::vector<std::int32_t> many = group_limited_load(1000, 256, 8);
  CHECK(std::accumulate(many.begin(), many.end(), 0) == 8000);
  CHECK(*std::max_element(many.begin(), many.end()) == 1000);
}

TEST_CASE("MoeStudy: what the benchmark really ran decides the load", "[calibration][oracle]") {
  operators::ExpertBlock block{
      .hidden = 512, .intermediate = 512, .matrices = 3, .local_experts = 8, .topk = 2};
  SECTION("the low-latency kernel sent all tokens to the same of 8 experts, ep or not") {
    const ReadTable t{"bf16,3,minlat,512,512,2,8,1,4,32,1,1,\n"};
    const double expected = t.time_of(block, work_of({32, 32}, 32, 32));
    CHECK_THAT(t.predicted().at(0), WithinRel(expected, 1e-12));
    CHECK_THAT(t.predicted().at(1), WithinRel(expected, 1e-12));
  }
  SECTION("it limited 8 choices to groups where balanced logits tie") {
    // 64 experts on 2 ranks, 8 tokens: the first rank has all choices.
    const ReadTable t{"bf16,3,minlat,512,512,8,64,1,2,8,1,,\n"};
    block.local_experts = 32;
    block.topk = 8;
    std::vector<std::int64_t> tokens;
    for (const std::int32_t n : group_limited_load(8, 64, 8)) tokens.push_back(n);
    CHECK_THAT(t.predicted().at(0), WithinRel(t.time_of(block, work_of(tokens, 8, 8)), 1e-12));
  }
  SECTION("an older SGLang computed every pair of the tokens that arrived") {
    const std::string row = "bf16,3,triton,512,512,2,8,1,4,4096,1,,\n";
    const ReadTable older{row, "sglang", "Ampere"};
    block.local_experts = 2;
    block.computes_foreign = true;
    CHECK_THAT(older.predicted().at(0),
               WithinRel(older.time_of(block, work_of({1024, 1024}, 2048, 4096)), 1e-12));
  }
}

TEST_CASE("MoeStudy: rows that cannot be are refused with their place", "[calibration][errors]") {
  CHECK_THAT(refusal("int3,3,cutlass,8,8,2,8,1,1,8,1,1,1\n"), contains_text("dtype"));
  CHECK_THAT(refusal("bf16,4,cutlass,8,8,2,8,1,1,8,1,1,1\n"), contains_text("gemms"));
  CHECK_THAT(refusal("bf16,3,cutlass,8,8,9,8,1,1,8,1,1,1\n"), contains_text("topk"));
  CHECK_THAT(refusal("bf16,3,cutlass,8,8,2,8,1,3,8,1,1,1\n"), contains_text("ep"));
  CHECK_THAT(refusal("bf16,3,cutlass,8,8,2,8,3,1,8,1,1,1\n"), contains_text("tp"));
  CHECK_THAT(refusal("bf16,3,cutlass,8,8,2,8,1,1,0,1,1,1\n"), contains_text("tokens"));
  CHECK_THAT(refusal("bf16,3,cutlass,8,8,2,8,1,1,8,fast,1,1\n"), contains_text("us_bal"));
}

}  // namespace
}  // namespace moesim::calibration
