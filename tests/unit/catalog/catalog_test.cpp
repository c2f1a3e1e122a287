#include "catalog/catalog.h"

#include "tests/support/catch.h"
#include "tests/unit/catalog/toy_models.h"

namespace moesim::catalog {
namespace {
using namespace moesim::literals;
using moesim::test::WithinRel;

Catalog with_gpus_and_prices() {
  Catalog c = test::formats_only();
  Gpu gpu;
  gpu.name = "H100-SXM";
  gpu.aliases = {"H100"};
  c.gpus = {gpu};
  const auto rent = [](const char* term, const char* date, double usd, const char* unit) {
    Price p;
    p.category = "rent";
    p.gpu = "H100-SXM";
    p.term = term;
    p.date = date;
    p.low = usd;
    p.high = usd;
    p.unit = unit;
    return p;
  };
  c.prices = {rent("on-demand", "2026-03", 1.0, "USD/GPU-h"),
              rent("on-demand", "2026-11-09", 2.69, "USD/GPU-h"),
              rent("on-demand", "2026-11-09", 3.99, "USD/GPU-h"),
              rent("on-demand (8x)", "2026-12", 5.0, "USD/GPU-h"),
              rent("spot", "2027", 0.5, "USD/GPU-h"),
              rent("on-demand", "2027", 0.001, "USD/GPU-s")};
  return c;
}

TEST_CASE("Catalog: names and aliases match without regard to case", "[catalog]") {
  const Catalog c = with_gpus_and_prices();
  REQUIRE(c.find_gpu("h100-sxm") != nullptr);
  CHECK(c.find_gpu("H100") == c.find_gpu("h100-SXM"));
  CHECK(c.find_gpu("H10") == nullptr);
  CHECK(c.find_model("DeepSeek-V3") == nullptr);
  CHECK(c.find_format("FP8")->name == "fp8_block128");
  CHECK(c.gpu_names() == std::vector<std::string>{"H100-SXM"});
  CHECK(c.precision_names().size() == 5);
}

TEST_CASE("Catalog::precision: each format covers the tensor classes it is made for", "[catalog]") {
  const Catalog c = test::formats_only();
  const auto fp8 = c.precision("fp8_block128");
  REQUIRE(fp8.has_value());
  CHECK(fp8->attention.name == "fp8_block128");
  CHECK(fp8->routed_experts.name == "fp8_block128");
  CHECK(fp8->shared_experts.name == "fp8_block128");
  for (const WeightFormat& kept : {fp8->router, fp8->embedding, fp8->head, fp8->norms}) {
    CHECK(kept.name == "bf16");
  }
  // One byte and a fp32 scale per 128 of them.
  CHECK_THAT(fp8->dispatch_element / kByte, WithinRel(1.03125, 1e-12));
  CHECK_THAT(fp8->combine_element / kByte, WithinRel(2.0, 1e-12));

  const auto experts = c.precision("mxfp4");
  REQUIRE(experts.has_value());
  CHECK(experts->routed_experts.name == "mxfp4");
  CHECK(experts->attention.name == "bf16");
  CHECK(experts->shared_experts.name == "bf16");

  const auto file = c.precision("q4_k_m");
  REQUIRE(file.has_value());
  CHECK(file->embedding.name == "Q4_K_M");
  CHECK(file->norms.name == "Q4_K_M");

  const auto mixture = c.precision("fp4_experts+fp8");
  REQUIRE(mixture.has_value());
  CHECK(mixture->routed_experts.name == "mxfp4");
  CHECK(mixture->shared_experts.name == "fp8_block128");
  CHECK(mixture->head.name == "bf16");

  CHECK_FALSE(c.precision("fp7").has_value());
}

TEST_CASE("Catalog::rent_of: single GPUs first, then the latest, then the first listed",
          "[catalog]") {
  const Catalog c = with_gpus_and_prices();
  const Price* price = c.rent_of("H100");
  REQUIRE(price != nullptr);
  CHECK_THAT(price->low, WithinRel(2.69, 1e-12));
  CHECK(c.rent_of("H200") == nullptr);
}

TEST_CASE("Gpu::peak: a missing unit falls back to the next wider format", "[catalog]") {
  Gpu gpu;
  gpu.fp32 = 20_TFLOPs;
  CHECK(gpu.peak(MathFormat::Fp4) == 20_TFLOPs);
  gpu.bf16 = 300_TFLOPs;
  CHECK(gpu.peak(MathFormat::Fp4) == 300_TFLOPs);
  CHECK(gpu.peak(MathFormat::Fp8) == 300_TFLOPs);
  CHECK(gpu.peak(MathFormat::Int8) == 300_TFLOPs);
  CHECK(gpu.peak(MathFormat::Fp32) == 20_TFLOPs);
  gpu.int8 = 600_TFLOPs;
  CHECK(gpu.peak(MathFormat::Int8) == 600_TFLOPs);
  CHECK(gpu.peak(MathFormat::Fp8) == 300_TFLOPs);
  gpu.fp8 = 700_TFLOPs;
  CHECK(gpu.peak(MathFormat::Fp4) == 700_TFLOPs);
  gpu.fp4 = 1400_TFLOPs;
  CHECK(gpu.peak(MathFormat::Fp4) == 1400_TFLOPs);
}

TEST_CASE("Model: layers are counted and found in order", "[catalog]") {
  const Model model = test::deepseek_v3();
  CHECK(model.layers() == 61);
  CHECK(model.moe_layers() == 58);
  CHECK(model.layer(2).name == "dense");
  CHECK(model.layer(3).name == "moe");
  CHECK(model.layer(60).name == "moe");
}

}  // namespace
}  // namespace moesim::catalog
