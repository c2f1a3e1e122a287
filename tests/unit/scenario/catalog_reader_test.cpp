#include "scenario/catalog_reader.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "catalog/kv_cache.h"
#include "catalog/parameters.h"
#include "core/diagnostics.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

namespace moesim::scenario {
namespace {
namespace fs = std::filesystem;
using moesim::test::contains_text;
using moesim::test::TemporaryDirectory;
using moesim::test::WithinRel;

constexpr const char* kShipped = MOESIM_SOURCE_DIR "/scenarios/catalog";

/// All mistakes of models.txtpb with this text, one per line.
std::string mistakes(const std::string& text, CatalogParts parts = CatalogParts::Models) {
  const TemporaryDirectory directory;
  directory.write(parts == CatalogParts::Models ? "models.txtpb" : "gpus.txtpb", text);
  try {
    (void)read_catalog(directory.path(), parts);
  } catch (const InputError& error) {
    std::string all;
    for (const Diagnostic& d : error.diagnostics()) {
      all += std::to_string(d.line) + ":" + std::to_string(d.column) + " " + d.field + ": " +
             d.message + "\n";
    }
    return all;
  }
  return "none";
}

/// A small model; `kind` replaces its only kind of layer.
std::string model_with(const std::string& kind, const std::string& layers = "x*2") {
  return "model {\n  name: \"M\" hidden: 64 vocabulary: 100 context_length: 8 source: \"test\"\n"
         "  layers: \"" +
         layers + "\"\n" + kind + "\n}\n";
}
const std::string kGoodKind =
    "  kind { name: \"x\" attention { kind: GQA heads: 4 kv_heads: 2 head_dim: 16 }\n"
    "         feed_forward { dense: 128 } }";

TEST_CASE("read_catalog: the shipped files are found by name and alias", "[scenario][catalog]") {
  const catalog::Catalog c = read_catalog(kShipped);
  CHECK(c.models.size() == 63);
  CHECK(c.gpus.size() == 25);
  CHECK(c.fabrics.size() == 25);
  CHECK(c.engines.size() == 9);
  CHECK(c.prices.size() == 135);
  for (const char* alias : {"deepseek-ai/DeepSeek-V3", "Mixtral-8x7B", "kimi-k2", "llama-3.1-70b",
                            "openai/gpt-oss-120b"}) {
    INFO(alias);
    CHECK(c.find_model(alias) != nullptr);
  }
  for (const char* alias : {"H100", "H200", "A100", "H800", "GB200", "mi300x"}) {
    INFO(alias);
    CHECK(c.find_gpu(alias) != nullptr);
  }
  const catalog::Model* v3 = c.find_model("deepseek-ai/DeepSeek-V3");
  REQUIRE(v3 != nullptr);
  CHECK(catalog::count_parameters(*v3).total() == 671'026'419'200);
  const catalog::Price* rent = c.rent_of("H100");
  REQUIRE(rent != nullptr);
  CHECK_THAT(rent->low, WithinRel(2.69, 1e-12));
  CHECK(rent->date == "2026-11-09");
}

TEST_CASE("read_catalog: every entry can be used", "[scenario][catalog]") {
  const catalog::Catalog c = read_catalog(kShipped);
  for (const catalog::Model& model : c.models) {
    INFO(model.name);
    const auto precision = c.precision(model.native_precision);
    REQUIRE(precision.has_value());
    const catalog::ModelParameters p = catalog::count_parameters(model);
    CHECK(p.active > 0);
    CHECK(p.active <= p.total());
    CHECK(catalog::weight_bytes(p, *precision) > Bytes{});
    CHECK(catalog::kv_footprint(model, 2.0 * kByte).of_sequence(1) > Bytes{});
    CHECK_FALSE(model.licence.name.empty());
  }
  for (const catalog::Gpu& gpu : c.gpus) {
    INFO(gpu.name);
    CHECK(gpu.scale_up_pair_bandwidth <= gpu.scale_up_bandwidth);
    CHECK(gpu.measured_bf16 <= gpu.bf16);
  }
  for (const catalog::Price& price : c.prices) {
    INFO(price.item);
    CHECK(price.low <= price.high);
    CHECK((price.gpu.empty() || c.find_gpu(price.gpu) != nullptr));
  }
}

TEST_CASE("read_catalog: only the parts asked for are opened", "[scenario][catalog]") {
  const TemporaryDirectory directory;
  directory.write("models.txtpb", model_with(kGoodKind));
  const catalog::Catalog c = read_catalog(directory.path(), CatalogParts::Models);
  CHECK(c.models.size() == 1);
  CHECK(c.gpus.empty());
  CHECK_THROWS_AS(read_catalog(directory.path(), CatalogParts::Gpus), IoError);
}

TEST_CASE("read_catalog: a mistake is shown with line, column and field", "[scenario][catalog]") {
  CHECK(mistakes(model_with(kGoodKind)) == "none");
  CHECK_THAT(mistakes("model {\n  nam: \"M\"\n}\n"), contains_text("2:6"));
  // The kind starts line 4; kv_heads is its 51st character.
  CHECK_THAT(
      mistakes(model_with("  kind { name: \"x\" attention { kind: GQA heads: 4 kv_heads: 3 "
                          "head_dim: 16 } }")),
      contains_text("4:51 model[0].kind[0].attention.kv_heads: is 3, which does not divide"));
  CHECK_THAT(mistakes(model_with("  kind { name: \"x\" attention { kind: GQA heads: 0 kv_heads: 1 "
                                 "head_dim: 16 } }")),
             contains_text("model[0].kind[0].attention.heads: is 0"));
  CHECK_THAT(mistakes(model_with(kGoodKind, "x*2 y")), contains_text("names the unknown kind"));
  CHECK_THAT(mistakes("model { name: \"M\" }"), contains_text("model[0]: has no hidden"));
  CHECK_THAT(mistakes(model_with(kGoodKind) + model_with(kGoodKind)),
             contains_text("has the name \"M\" twice"));
}

TEST_CASE("read_catalog: contradictions inside a model are refused", "[scenario][catalog]") {
  const auto of = [](const std::string& attention, const std::string& feed_forward) {
    return mistakes(model_with("  kind { name: \"x\" attention { " + attention +
                               " } feed_forward { " + feed_forward + " } }"));
  };
  const std::string gqa = "kind: GQA heads: 4 kv_heads: 2 head_dim: 16";
  CHECK_THAT(of(gqa + " kv_lora_rank: 8", "dense: 1"), contains_text("is only for MLA"));
  CHECK_THAT(of("kind: LINEAR window: 8", "dense: 1"), contains_text("softmax attention"));
  CHECK_THAT(of("heads: 4", "dense: 1"), contains_text("has no kind"));
  CHECK_THAT(of(gqa + " chunked: true", "dense: 1"), contains_text("needs a window"));
  CHECK_THAT(of(gqa, ""), contains_text("has neither dense nor routed_experts"));
  CHECK_THAT(of(gqa, "top_k: 2"), contains_text("needs routed_experts"));
  CHECK_THAT(of(gqa, "routed_experts: 4 expert: 8 top_k: 5"), contains_text("is above"));
  CHECK_THAT(of(gqa, "routed_experts: 4 expert: 8 top_k: 2 groups: 3"),
             contains_text("does not divide"));
  CHECK_THAT(of(gqa, "routed_experts: 8 expert: 8 top_k: 4 groups: 4 top_groups: 1"),
             contains_text("above the experts of top_groups"));
  CHECK_THAT(of(gqa, "dense: 99999999"), contains_text("is 99999999"));
  CHECK_THAT(mistakes("model { name: \"M\" hidden: 262144 vocabulary: 100 context_length: 8 "
                      "source: \"t\" layers: \"x*4096\" kind { name: \"x\" attention { kind: GQA "
                      "heads: 1 kv_heads: 1 head_dim: 1 } feed_forward { routed_experts: 16384 "
                      "expert: 1048576 top_k: 1 } } }"),
             contains_text("parameters"));
}

TEST_CASE("read_catalog: quantities need their unit", "[scenario][catalog]") {
  const auto gpu = [](const std::string& memory) {
    return mistakes("gpu { name: \"G\" memory: \"" + memory +
                        "\" memory_bandwidth: \"1 TB/s\" bf16: \"100 TFLOP/s\" scale_up: PCIE\n"
                        "scale_up_bandwidth: \"31 GB/s\" pcie_bandwidth: \"31 GB/s\" source: \"t\" "
                        "}",
                    CatalogParts::Gpus);
  };
  CHECK(gpu("80 GiB") == "none");
  CHECK_THAT(gpu("80"), contains_text("gpu[0].memory"));
  CHECK_THAT(gpu("0 GiB"), contains_text("gpu[0].memory"));
  CHECK_THAT(gpu("80 GB/s"), contains_text("gpu[0].memory"));
}

TEST_CASE("find_data_directory: the environment wins and must be right", "[scenario][catalog]") {
  REQUIRE(setenv("MOESIM_DATA", MOESIM_SOURCE_DIR "/scenarios", 1) == 0);
  CHECK(find_data_directory() == MOESIM_SOURCE_DIR "/scenarios");
  REQUIRE(setenv("MOESIM_DATA", "/nowhere", 1) == 0);
  CHECK_THROWS_WITH(find_data_directory(), contains_text("MOESIM_DATA is /nowhere"));
  REQUIRE(unsetenv("MOESIM_DATA") == 0);
  CHECK(fs::is_directory(find_catalog_directory()));
}

TEST_CASE("model_text: every shipped model reads back as itself", "[scenario][catalog]") {
  const catalog::Catalog c = read_catalog(kShipped, CatalogParts::Models);
  const TemporaryDirectory directory;
  std::string all;
  for (const catalog::Model& model : c.models) all += model_text(model);
  directory.write("models.txtpb", all);
  const catalog::Catalog again = read_catalog(directory.path(), CatalogParts::Models);
  REQUIRE(again.models.size() == c.models.size());
  for (std::size_t i = 0; i < c.models.size(); ++i) {
    INFO(c.models[i].name);
    CHECK(model_text(again.models[i]) == model_text(c.models[i]));
    CHECK(catalog::count_parameters(again.models[i]).total() ==
          catalog::count_parameters(c.models[i]).total());
    CHECK(catalog::kv_footprint(again.models[i], kByte).of_sequence(100'000) ==
          catalog::kv_footprint(c.models[i], kByte).of_sequence(100'000));
  }
}

}  // namespace
}  // namespace moesim::scenario
