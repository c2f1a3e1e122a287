#include <vector>

#include "calibration/cross_validation.h"
#include "calibration/decode_attention_study.h"
#include "calibration/prefill_attention_study.h"
#include "core/diagnostics.h"
#include "operators/decode_attention_curve.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::calibration {
namespace {
using namespace moesim::literals;

constexpr const char* kDecode =
    "dtype,kv_dtype,heads,kv_heads,head_dim,win,batch,kv_len,us\n"
    "bf16,bf16,32,8,128,0,4,1024,15.5\n"
    "bf16,bf16,32,8,128,0,8,1024,18.5\n"
    "bf16,fp8,8,0,64,128,2,4096,12.25\n";

template <class Study>
Study read_from(const char* text, const catalog::Gpu& gpu) {
  Study study;
  study.read(CsvTable::parse(text, "toy__trtllm.csv"),
             {.folder = "attention_decode", .gpu = &gpu, .engine = "trtllm"});
  return study;
}

}  // namespace

TEST_CASE("decode attention: rows become samples of curves by kernel and cache", "[calibration]") {
  const catalog::Gpu gpu = test::toy_gpu();
  const auto study = read_from<DecodeAttentionStudy>(kDecode, gpu);
  REQUIRE(study.samples().size() == 3);
  REQUIRE(study.curves().size() == 2);
  CHECK(study.curves()[0].dtype == "bf16");
  CHECK(study.curves()[0].variant == "d128");
  CHECK(study.curves()[1].dtype == "fp8");
  CHECK(study.curves()[1].variant == "mha");  // kv_heads 0: as many as heads
  CHECK(study.samples()[0].group == study.samples()[1].group);
  CHECK(study.samples()[0].group != study.samples()[2].group);
  CHECK(study.samples()[0].measured == Approx(15.5e-6));
}

TEST_CASE("decode attention: predictions are the curve's, windows hide the rest", "[calibration]") {
  const catalog::Gpu gpu = test::toy_gpu();
  const auto study = read_from<DecodeAttentionStudy>(kDecode, gpu);
  std::vector<double> values;
  for (const operators::CoefficientSpec& spec : study.coefficients()) values.push_back(spec.start);
  const std::vector<std::int32_t> last{2};
  std::vector<double> predicted(1);
  study.predict(last, values, predicted);
  const operators::AttentionHeads heads{
      .heads = 8, .kv_heads = 8, .head_dim = 64, .v_head_dim = 64, .window = 128};
  const operators::DecodeAttentionCurve curve(gpu, heads, 1_B, catalog::MathFormat::Bf16, "mha",
                                              values);
  const auto expected =
      curve.time({.sequences = 2, .context_tokens = 256, .hidden_tokens = 2 * (4096 - 128)});
  CHECK(predicted[0] == expected.time / 1_s);
}

TEST_CASE("attention tables: mistakes are named with their place", "[calibration]") {
  const catalog::Gpu gpu = test::toy_gpu();
  CHECK_THROWS_AS(read_from<DecodeAttentionStudy>("dtype,kv_dtype,heads\nbf16,bf16,1\n", gpu),
                  InputError);
  CHECK_THROWS_WITH(
      read_from<DecodeAttentionStudy>("dtype,kv_dtype,heads,kv_heads,head_dim,win,batch,kv_len,us\n"
                                      "bf16,fp16,32,8,128,0,4,1024,15.5\n",
                                      gpu),
      Catch::Contains("use bf16 or fp8"));
  CHECK_THROWS_AS(
      read_from<PrefillAttentionStudy>("dtype,kv_dtype,heads,kv_heads,head_dim,win,batch,isl,us\n"
                                       "bf16,bf16,0,8,128,0,4,1024,15.5\n",
                                       gpu),
      InputError);
  CHECK_THROWS_AS(
      read_from<PrefillAttentionStudy>("dtype,kv_dtype,heads,kv_heads,head_dim,win,batch,isl,us\n"
                                       "bf16,bf16,8,8,128,0,4,1024,-1\n",
                                       gpu),
      InputError);
}

TEST_CASE("prefill attention: a fit to a curve's own times finds that curve again",
          "[calibration]") {
  // Times of a known curve stand in for measurements.
  catalog::Gpu gpu = test::toy_gpu();
  gpu.sms = 100;
  const std::vector<double> truth{12.0, 1.2, 0.8, 100.0, 2.0, 3.0, 2.0, 12.0, 0.3, 0.0};
  std::string text = "dtype,kv_dtype,heads,kv_heads,head_dim,win,batch,isl,us\n";
  const std::string header = text;
  for (const int heads : {2, 8, 32}) {
    for (int batch = 1; batch <= 64; batch *= 4) {
      for (int tokens = 32; tokens <= 16384; tokens *= 2) {
        const std::string row = "bf16,bf16," + std::to_string(heads) + ",2,128,0," +
                                std::to_string(batch) + "," + std::to_string(tokens) + ",";
        const auto one = read_from<PrefillAttentionStudy>((header + row + "1\n").c_str(), gpu);
        std::vector<double> predicted(1);
        one.predict(std::vector<std::int32_t>{0}, truth, predicted);
        text += row + std::to_string(predicted[0] * 1e6) + "\n";
      }
    }
  }
  const auto study = read_from<PrefillAttentionStudy>(text.c_str(), gpu);
  const FittedStudy fitted = fit_study(study, {});
  REQUIRE(fitted.curves.size() == 1);
  CHECK(fitted.curves[0].coefficients[0].value == Approx(12.0).epsilon(0.01));
  CHECK(fitted.curves[0].cross_validated.p90 < 0.01);
}

}  // namespace moesim::calibration
