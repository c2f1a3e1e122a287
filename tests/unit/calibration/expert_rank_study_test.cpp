#include "calibration/expert_rank_study.h"

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "calibration/deepep_experts_study.h"
#include "core/diagnostics.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::calibration {
namespace {

using moesim::test::contains_text;
using moesim::test::toy_gpu;
using moesim::test::WithinRel;

constexpr const char* kRankHeader =
    "dtype,hidden,inter,topk,experts,slots,ep,alpha,eplb,tokens,tokens_per_rank,tokens_on_rank,"
    "us\n";
constexpr const char* kDeepEpHeader = "dtype,hidden,inter,topk,experts,ep,alpha,tokens,us\n";

CsvTable rank_table(const std::string& rows) {
  return CsvTable::parse(std::string(kRankHeader) + rows, "toy__trtllm.csv");
}

/// What reading the rows is refused with.
template <class SomeStudy>
std::string refusal(const char* header, std::string_view folder, const std::string& rows) {
  const catalog::Gpu gpu = toy_gpu();
  SomeStudy study;
  try {
    study.read(CsvTable::parse(header + rows, "toy__x.csv"),
               {.folder = folder, .gpu = &gpu, .engine = "x"});
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

std::string rank_refusal(const std::string& row) {
  return refusal<ExpertRankStudy>(kRankHeader, "moe_ep_rank", row);
}

TEST_CASE("ExpertRankStudy: a balanced row is priced by the curve at its counts",
          "[calibration][oracle]") {
  // alpha 0: T = 8 tokens, k = 2 of E = 8 experts on 4 ranks: each expert 2 tokens, each rank 4
  // pairs on 2 experts; experts end to end, token = place mod 8: experts 0 and 1 hold tokens 0
  // to 3.
  const catalog::Gpu gpu = toy_gpu();
  ExpertRankStudy study;
  study.read(rank_table("fp8,1000,500,2,8,8,4,0,0,8,2,4,12.5\n"),
             {.folder = "moe_ep_rank", .gpu = &gpu, .engine = "trtllm"});
  REQUIRE(study.samples().size() == 1);
  CHECK_THAT(study.samples()[0].measured, WithinRel(12.5e-6, 1e-12));
  CHECK(study.curves()[0].operation == "expert_rank");
  CHECK(study.curves()[0].dtype == "fp8");

  std::vector<double> values;
  for (const operators::CoefficientSpec& spec : operators::ExpertCurve::coefficients()) {
    values.push_back(spec.start);
  }
  operators::ExpertWork work{.arrived = 4, .looked_through = 8};
  work.add_expert(2);
  work.add_expert(2);
  const operators::ExpertCurve curve(gpu, *operators::kernel_format("fp8"),
                                     {.hidden = 1000,
                                      .intermediate = 500,
                                      .matrices = 3,
                                      .local_experts = 2,
                                      .topk = 2,
                                      .computes_foreign = false,
                                      .cold = false},
                                     values);
  const std::array<std::int32_t, 1> row{0};
  std::array<double, 1> predicted{};
  study.predict(row, values, predicted);
  CHECK_THAT(predicted[0], WithinRel(curve.time(work).time / kSecond, 1e-12));
}

TEST_CASE("ExpertRankStudy: refuses rows that cannot be", "[calibration][errors]") {
  CHECK(rank_refusal("fp8,1000,500,2,8,8,4,1.01,0,8,2,4,12.5\n") == "accepted");
  CHECK(rank_refusal("fp8,1000,500,2,8,12,4,1.01,1,8,2,4,12.5\n") == "accepted");
  CHECK_THAT(rank_refusal("fp7,1000,500,2,8,8,4,1.01,0,8,2,4,12.5\n"), contains_text("dtype"));
  CHECK_THAT(rank_refusal("fp8,1000,500,2,8,8,3,1.01,0,8,2,4,12.5\n"), contains_text("ep"));
  CHECK_THAT(rank_refusal("fp8,1000,500,9,8,8,4,1.01,0,8,2,4,12.5\n"), contains_text("topk"));
  CHECK_THAT(rank_refusal("fp8,1000,500,2,8,10,4,1.01,1,8,2,4,12.5\n"), contains_text("slots"));
  CHECK_THAT(rank_refusal("fp8,1000,500,2,8,12,4,1.01,0,8,2,4,12.5\n"), contains_text("slots"));
  CHECK_THAT(rank_refusal("fp8,1000,500,2,8,8,4,1.01,2,8,2,4,12.5\n"), contains_text("eplb"));
  CHECK_THAT(rank_refusal("fp8,1000,500,2,8,8,4,99,0,8,2,4,12.5\n"), contains_text("alpha"));
  CHECK_THAT(rank_refusal("fp8,1000,500,2,8,8,4,1.01,0,0,2,4,12.5\n"), contains_text("tokens"));
  CHECK_THAT(rank_refusal("fp8,1000,500,2,8,8,4,1.01,0,8,2,4,-1\n"), contains_text("us"));
}

TEST_CASE("ExpertRankStudy: balancing a skewed load speeds up the slowest rank", "[calibration]") {
  const catalog::Gpu gpu = toy_gpu();
  ExpertRankStudy study;
  study.read(rank_table("fp8,4000,2000,8,256,256,16,1.2,0,4096,256,1,200\n"
                        "fp8,4000,2000,8,256,256,16,1.2,1,4096,256,1,100\n"
                        "fp8,4000,2000,8,256,288,16,1.2,1,4096,256,1,80\n"),
             {.folder = "moe_ep_rank", .gpu = &gpu, .engine = "trtllm"});
  std::vector<double> values;
  for (const operators::CoefficientSpec& spec : operators::ExpertCurve::coefficients()) {
    values.push_back(spec.start);
  }
  const std::array<std::int32_t, 3> rows{0, 1, 2};
  std::array<double, 3> predicted{};
  study.predict(rows, values, predicted);
  CHECK(predicted[1] < predicted[0]);
  const std::vector<Derived> derived = study.derived(predicted);
  REQUIRE(derived.size() == 1);
  CHECK(derived[0].measured == std::vector<double>{2.0, 2.5});
  CHECK_THAT(derived[0].predicted.at(1), WithinRel(predicted[0] / predicted[2], 1e-12));
}

TEST_CASE("replication_speedups: pairs by configuration, leaves gaps out",
          "[calibration][oracle]") {
  const std::array<ReplicationRow, 5> rows{{{.configuration = 1, .rebalanced = true},
                                            {.configuration = 1, .rebalanced = false},
                                            {.configuration = 2, .rebalanced = true},
                                            {.configuration = 3, .rebalanced = false},
                                            {.configuration = 3, .rebalanced = true}}};
  std::array<Sample, 5> samples{};
  samples[0].measured = 2.0;
  samples[1].measured = 6.0;
  samples[2].measured = 5.0;  // Without a partner.
  samples[3].measured = 1.0;
  samples[4].measured = 1.0;  // Without a prediction.
  const std::array<double, 5> predicted{2.0, 5.0, 1.0, 1.0,
                                        std::numeric_limits<double>::quiet_NaN()};
  const Derived gains = replication_speedups(rows, samples, predicted);
  CHECK(gains.measured == std::vector<double>{3.0});
  CHECK(gains.predicted == std::vector<double>{2.5});
}

TEST_CASE("DeepEpExpertsStudy: layouts are curves of their own, balanced prefill fills blocks",
          "[calibration][oracle]") {
  const catalog::Gpu gpu = toy_gpu();
  DeepEpExpertsStudy study;
  // 200 tokens, k = 8, 4 ranks: 400 pairs a rank: 4 of 64 experts, 100 tokens each.
  study.read(CsvTable::parse(std::string(kDeepEpHeader) + "fp8,1000,500,8,256,4,0,200,50\n",
                             "toy__sglang.csv"),
             {.folder = "moe_ep_deepep_prefill", .gpu = &gpu, .engine = "sglang"});
  study.read(CsvTable::parse(std::string(kDeepEpHeader) + "fp8,1000,500,8,256,4,0,32,50\n",
                             "toy__sglang.csv"),
             {.folder = "moe_ep_deepep_decode", .gpu = &gpu, .engine = "sglang"});
  REQUIRE(study.curves().size() == 2);
  CHECK(study.curves()[0].variant == "contiguous");
  CHECK(study.curves()[1].variant == "masked");
  const std::array<double, 6> values{0.1, 20.0, 0.8, 0.6, 2.0, 0.5};
  const operators::DeepEpExpertCurve curve(gpu,
                                           {.hidden = 1000, .intermediate = 500, .matrices = 3},
                                           *operators::kernel_format("fp8"), values);
  const std::array<std::int32_t, 2> rows{0, 1};
  std::array<double, 2> predicted{};
  study.predict(rows, values, predicted);
  CHECK_THAT(
      predicted[0],
      WithinRel(
          curve.time({.pairs = 400, .rows = 512, .touched = 4, .experts = 64, .group_tokens = 200})
                  .time /
              kSecond,
          1e-12));
  // 32 tokens are as many as the stride of ceil(256 / 8): each of the rank's 64 experts gets one.
  CHECK_THAT(
      predicted[1],
      WithinRel(
          curve.time(
                   {.pairs = 64, .rows = 64 * 64, .touched = 64, .experts = 64, .group_tokens = 32})
                  .time /
              kSecond,
          1e-12));
}

TEST_CASE("DeepEpExpertsStudy: refuses rows that cannot be", "[calibration][errors]") {
  const auto refused = [](const std::string& row) {
    return refusal<DeepEpExpertsStudy>(kDeepEpHeader, "moe_ep_deepep_decode", row);
  };
  CHECK(refused("fp8,1000,500,8,256,4,1.2,32,50\n") == "accepted");
  CHECK_THAT(refused("fp8,1000,500,8,256,5,1.2,32,50\n"), contains_text("ep"));
  CHECK_THAT(refused("fp8,1000,500,8,256,4,1.2,999999999,50\n"), contains_text("tokens"));
  CHECK_THAT(refused("fp8,0,500,8,256,4,1.2,32,50\n"), contains_text("hidden"));
}

}  // namespace
}  // namespace moesim::calibration
