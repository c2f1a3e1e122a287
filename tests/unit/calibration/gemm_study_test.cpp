#include "calibration/gemm_study.h"

#include <cmath>
#include <string>
#include <vector>

#include "calibration/batched_gemm_study.h"
#include "calibration/cross_validation.h"
#include "calibration/power_study.h"
#include "core/diagnostics.h"
#include "operators/board_power.h"
#include "operators/gemm_curve.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::calibration {
namespace {
using namespace moesim::literals;
using moesim::test::contains_text;
using moesim::test::toy_gpu;
using moesim::test::WithinRel;

std::vector<double> starts(const Study& study) {
  std::vector<double> values;
  for (const operators::CoefficientSpec& spec : study.coefficients()) values.push_back(spec.start);
  return values;
}

std::string error_of(Study& study, const std::string& text) {
  const catalog::Gpu gpu = toy_gpu();
  try {
    study.read(CsvTable::parse(text, "toy.csv"), {.folder = "f", .gpu = &gpu, .engine = "e"});
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("GemmStudy: a row is a sample of its format's curve, grouped by n and k") {
  const catalog::Gpu gpu = toy_gpu();
  GemmStudy study;
  study.read(CsvTable::parse("dtype,m,n,k,us\nbf16,1,512,256,3\nbf16,8,512,256,4\n"
                             "fp8,1,512,512,9.5\n",
                             "toy.csv"),
             {.folder = "gemm", .gpu = &gpu, .engine = "trtllm"});
  REQUIRE(study.samples().size() == 3);
  REQUIRE(study.curves().size() == 2);
  CHECK(study.curves()[1] ==
        catalog::CurveKey{
            .operation = "gemm", .gpu = "toy", .dtype = "fp8", .engine = "trtllm", .variant = ""});
  CHECK(study.samples()[0].group == study.samples()[1].group);
  CHECK(study.samples()[0].group != study.samples()[2].group);
  CHECK_THAT(study.samples()[2].measured, WithinRel(9.5e-6, 1e-12));

  const std::vector<double> values = starts(study);
  const std::vector<std::int32_t> rows = {0, 1};
  std::vector<double> predicted(2);
  study.predict(rows, values, predicted);
  const operators::GemmCurve curve(gpu, *operators::kernel_format("bf16"), values);
  CHECK(predicted[1] == curve.time({8, 512, 256}).time / 1.0_s);
}

TEST_CASE("GemmStudy: refuses what is no measurement, naming file, line and field") {
  GemmStudy study;
  CHECK_THAT(error_of(study, "dtype,m,n,us\nbf16,1,512,3\n"), contains_text("toy.csv"));
  const std::string unknown = error_of(study, "dtype,m,n,k,us\nbf16,1,512,8,3\nfp7,1,512,8,3\n");
  CHECK_THAT(unknown, contains_text("toy.csv:3"));
  CHECK_THAT(unknown, contains_text("dtype"));
  CHECK_THAT(error_of(study, "dtype,m,n,k,us\nbf16,0,512,8,3\n"), contains_text("m"));
  CHECK_THAT(error_of(study, "dtype,m,n,k,us\nbf16,1,512,8,0\n"), contains_text("us"));
}

TEST_CASE("BatchedGemmStudy: queries widen to the latent, outputs narrow from it") {
  const catalog::Gpu gpu = toy_gpu();
  BatchedGemmStudy study;
  study.read(CsvTable::parse("dtype,op,tokens,heads,us\nbf16,mla_gen_pre,4,16,5\n"
                             "bf16,mla_gen_post,4,16,5\n",
                             "toy.csv"),
             {.folder = "mla_bmm", .gpu = &gpu, .engine = "sglang"});
  CHECK(study.samples()[0].group != study.samples()[1].group);
  const std::vector<double> values = starts(study);
  const std::vector<std::int32_t> rows = {0, 1};
  std::vector<double> predicted(2);
  study.predict(rows, values, predicted);
  const operators::BatchedGemmCurve curve(gpu, *operators::kernel_format("bf16"), values);
  CHECK(predicted[0] == curve.time({16, 4, 512, 128}).time / 1.0_s);
  CHECK(predicted[1] == curve.time({16, 4, 128, 512}).time / 1.0_s);
  CHECK_THAT(error_of(study, "dtype,op,tokens,heads,us\nbf16,middle,4,16,5\n"),
             contains_text("mla_gen_pre"));
}

TEST_CASE("PowerStudy: utilisations follow from the measured time") {
  // 2 * 1000^3 flops in 4 us on 1000 TFLOP/s: 0.5. 3e6 * 2 B in 4 us at 1 TB/s: beyond 1, taken
  // as 1.
  const catalog::Gpu gpu = toy_gpu();
  PowerStudy study;
  study.read(CsvTable::parse("dtype,m,n,k,us,watt\nbf16,1000,1000,1000,4,321\n", "toy.csv"),
             {.folder = "power_gemm", .gpu = &gpu, .engine = "vllm"});
  CHECK(study.samples()[0].measured == 321.0);
  const std::vector<double> values = starts(study);
  const std::vector<std::int32_t> rows = {0};
  std::vector<double> predicted(1);
  study.predict(rows, values, predicted);
  CHECK_THAT(predicted[0],
             WithinRel(operators::BoardPower(gpu, values).power(0.5, 1.0) / 1.0_W, 1e-12));

  catalog::Gpu unknown = gpu;
  unknown.tdp = {};
  CHECK_THROWS_AS(study.read(CsvTable::parse("dtype,m,n,k,us,watt\nbf16,1,8,8,4,3\n", "toy.csv"),
                             {.folder = "power_gemm", .gpu = &unknown, .engine = "vllm"}),
                  InputError);
}

TEST_CASE("fit_study: recovers GEMM times that its own curve made", "[slow]") {
  // Times of a curve with known coefficients, a table of 6 x 6 weights and 6 batches.
  const catalog::Gpu gpu = toy_gpu();
  GemmStudy truth;
  std::vector<double> values = starts(truth);
  values[0] = 5.0;  // launch_us
  values[2] = 0.8;  // compute
  values[6] = 0.7;  // memory
  const operators::GemmCurve curve(gpu, *operators::kernel_format("bf16"), values);
  std::string text = "dtype,m,n,k,us\n";
  for (const int m : {1, 16, 64, 256, 2048, 16384}) {
    for (const int n : {256, 1024, 2048, 4096, 8192, 16384}) {
      for (const int k : {256, 1024, 2048, 4096, 8192, 16384}) {
        text += "bf16," + std::to_string(m) + "," + std::to_string(n) + "," + std::to_string(k) +
                "," + std::to_string(curve.time({m, n, k}).time / 1.0_us) + "\n";
      }
    }
  }
  GemmStudy study;
  study.read(CsvTable::parse(text, "toy.csv"), {.folder = "gemm", .gpu = &gpu, .engine = "e"});
  const FittedStudy fitted = fit_study(study, {.fit = {.starts = 1, .iterations = 40}});
  REQUIRE(fitted.curves.size() == 1);
  CHECK(fitted.curves[0].groups == 36);
  CHECK(fitted.curves[0].cross_validated.median < 0.02);
}

}  // namespace
}  // namespace moesim::calibration
