#include "calibration/mla_study.h"

#include <array>
#include <string>
#include <vector>

#include "calibration/mla_block_study.h"
#include "core/diagnostics.h"
#include "operators/mla_block_curve.h"
#include "operators/mla_decode_curve.h"
#include "operators/mla_prefill_curve.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::calibration {
namespace {

using namespace moesim::literals;
using test::contains_text;
using test::WithinRel;

std::vector<double> starts(std::string_view operation) {
  std::vector<double> values;
  for (const operators::CoefficientSpec& spec : operators::coefficients_of(operation)) {
    values.push_back(spec.start);
  }
  return values;
}

/// What read() said about a table it refused.
std::string refusal(Study& study, std::string_view folder, std::string text) {
  const catalog::Gpu gpu = test::toy_gpu();
  try {
    study.read(CsvTable::parse(std::move(text), "bad.csv"),
               {.folder = folder, .gpu = &gpu, .engine = "toy"});
  } catch (const InputError& error) {
    return to_string(error.diagnostics().front());
  }
  return "";
}

TEST_CASE("MLA kernel studies: rows become batches of one curve per cache format",
          "[calibration][mla]") {
  const catalog::Gpu gpu = test::toy_gpu();
  MlaDecodeStudy study;
  study.read(CsvTable::parse("dtype,kv_dtype,heads,batch,kv_len,us\n"
                             "bf16,bf16,16,4,100,20\nbf16,bf16,16,4,200,21\nbf16,fp8,16,4,100,18\n"
                             "bf16,bf16,32,4,100,22\n",
                             "toy.csv"),
             {.folder = "mla_decode", .gpu = &gpu, .engine = "trtllm"});
  REQUIRE(study.samples().size() == 4);
  REQUIRE(study.curves().size() == 2);
  CHECK(study.curves()[0].dtype == "bf16");
  CHECK(study.curves()[1].dtype == "fp8");
  CHECK(study.curves()[1].gpu == "toy");
  CHECK_THAT(study.samples()[1].measured, WithinRel(21e-6, 1e-12));
  // All lengths and formats of one pair of heads and batch stay together.
  CHECK(study.samples()[0].group == study.samples()[1].group);
  CHECK(study.samples()[0].group == study.samples()[2].group);
  CHECK(study.samples()[0].group != study.samples()[3].group);

  const std::vector<double> values = starts("mla_decode");
  const std::array<std::int32_t, 3> asked{3, 0, 1};
  std::array<double, 3> predicted{};
  study.predict(asked, values, predicted);
  const operators::KernelFormat bf16 = operators::kernel_format("bf16").value();
  const operators::MlaDecodeCurve wide(gpu, bf16, measured_mla(32), values);
  const operators::MlaDecodeCurve narrow(gpu, bf16, measured_mla(16), values);
  CHECK(predicted[0] == wide.time({.sequences = 4, .context_tokens = 400}).time / kSecond);
  CHECK(predicted[1] == narrow.time({.sequences = 4, .context_tokens = 400}).time / kSecond);
  CHECK(predicted[2] == narrow.time({.sequences = 4, .context_tokens = 800}).time / kSecond);
}

TEST_CASE("whole_prompts: pairs of a triangle", "[calibration][mla][oracle]") {
  // 3 prompts of 4 tokens: 12 tokens, 3 x (1 + 2 + 3 + 4) = 30 pairs.
  const operators::MlaPrefillBatch batch = whole_prompts(3, 4);
  CHECK(batch.sequences == 3);
  CHECK(batch.new_tokens == 12);
  CHECK(batch.context_tokens == 12);
  CHECK(batch.pairs == 30.0);
}

TEST_CASE("MLA prefill study: rows are whole prompts", "[calibration][mla]") {
  const catalog::Gpu gpu = test::toy_gpu();
  MlaPrefillStudy study;
  study.read(
      CsvTable::parse("dtype,kv_dtype,heads,batch,isl,us\nbf16,fp8,8,2,1024,50\n", "toy.csv"),
      {.folder = "mla_prefill", .gpu = &gpu, .engine = "sglang"});
  const std::vector<double> values = starts("mla_prefill");
  const std::array<std::int32_t, 1> asked{0};
  std::array<double, 1> predicted{};
  study.predict(asked, values, predicted);
  const operators::MlaPrefillCurve curve(gpu, operators::kernel_format("fp8").value(),
                                         measured_mla(8), values);
  CHECK(predicted[0] == curve.time(whole_prompts(2, 1024)).time / kSecond);
}

TEST_CASE("MLA block study: both phases share a curve", "[calibration][mla]") {
  const catalog::Gpu gpu = test::toy_gpu();
  MlaBlockStudy study;
  study.read(CsvTable::parse("dtype,kv_dtype,gemm_dtype,heads,batch,kv_len,us\n"
                             "bf16,fp8,fp8b,128,64,4097,200\n",
                             "decode.csv"),
             {.folder = "mla_module_decode", .gpu = &gpu, .engine = "trtllm"});
  study.read(CsvTable::parse("dtype,kv_dtype,gemm_dtype,heads,batch,isl,us\n"
                             "bf16,fp8,fp8b,128,1,4096,5000\n",
                             "prefill.csv"),
             {.folder = "mla_module_prefill", .gpu = &gpu, .engine = "trtllm"});
  REQUIRE(study.curves().size() == 1);
  CHECK(study.curves()[0].dtype == "fp8b");
  CHECK(study.curves()[0].variant == "fp8");
  const std::vector<double> values = starts("mla_block");
  const std::array<std::int32_t, 2> asked{0, 1};
  std::array<double, 2> predicted{};
  study.predict(asked, values, predicted);
  const operators::MlaBlockCurve curve(gpu, operators::kernel_format("fp8b").value(),
                                       operators::kernel_format("fp8").value(), measured_mla(128),
                                       values);
  const operators::DecodeBatch step{.sequences = 64, .context_tokens = 64 * 4097};
  CHECK(predicted[0] == curve.decode(step).time / kSecond);
  CHECK(predicted[1] == curve.prefill(whole_prompts(1, 4096)).time / kSecond);
}

TEST_CASE("MLA studies: bad tables are refused with line and field", "[calibration][mla][input]") {
  MlaDecodeStudy kernel;
  const std::string header = "dtype,kv_dtype,heads,batch,kv_len,us\n";
  CHECK_THAT(refusal(kernel, "mla_decode", "dtype,heads,batch,kv_len,us\nbf16,1,1,1,1\n"),
             contains_text("kv_dtype"));
  CHECK_THAT(refusal(kernel, "mla_decode", header + "bf16,bf17,1,1,1,1\n"),
             contains_text("bad.csv:2"));
  CHECK_THAT(refusal(kernel, "mla_decode", header + "bf16,bf16,0,1,1,1\n"), contains_text("heads"));
  CHECK_THAT(refusal(kernel, "mla_decode", header + "bf16,bf16,1,1,1,-1\n"), contains_text("us"));
  MlaBlockStudy block;
  CHECK_THAT(refusal(block, "mla_module_decode", header + "bf16,bf16,1,1,1,1\n"),
             contains_text("gemm_dtype"));
}

}  // namespace
}  // namespace moesim::calibration
