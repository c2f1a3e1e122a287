#include <filesystem>
#include <fstream>
#include <map>

#include <rapidcheck.h>

#include "catalog/kv_cache.h"
#include "catalog/parameters.h"
#include "core/diagnostics.h"
#include "scenario/catalog_reader.h"
#include "scenario/hf_import.h"
#include "tests/support/catch.h"

namespace moesim::scenario {
namespace {
namespace fs = std::filesystem;
using moesim::test::contains_text;
using moesim::test::WithinRel;

/// "field: message" of every mistake, or "none".
std::string mistakes(const std::string& json) {
  try {
    (void)import_hf_text(json, "config.json", "M");
  } catch (const InputError& error) {
    std::string all;
    for (const Diagnostic& d : error.diagnostics()) all += d.field + ": " + d.message + "\n";
    return all;
  }
  return "none";
}

const std::string kLlama =
    R"({"model_type": "llama", "hidden_size": 8192, "intermediate_size": 28672,
        "num_attention_heads": 64, "num_key_value_heads": 8, "num_hidden_layers": 80,
        "vocab_size": 128256, "max_position_embeddings": 131072, "torch_dtype": "bfloat16"})";

TEST_CASE("import_hf_text: a dense model", "[scenario][catalog][oracle]") {
  // Llama 3.1 70B: 70,553,706,496 parameters (derived in tests/unit/catalog/parameters_test.cpp).
  const catalog::Model model = import_hf_text(kLlama, "config.json", "mine");
  CHECK(model.name == "mine");
  CHECK(model.layers() == 80);
  CHECK(model.native_precision == "bf16");
  CHECK(catalog::count_parameters(model).total() == 70'553'706'496);
  CHECK_THAT(catalog::kv_bytes_per_token(model, 2.0 * kByte) / kByte, WithinRel(327'680.0, 1e-12));
}

TEST_CASE("import_hf_text: DeepSeek-V3", "[scenario][catalog][oracle]") {
  const catalog::Model model = import_hf_text(
      R"({"model_type": "deepseek_v3", "first_k_dense_replace": 3, "hidden_size": 7168,
          "intermediate_size": 18432, "kv_lora_rank": 512, "max_position_embeddings": 163840,
          "moe_intermediate_size": 2048, "n_group": 8, "n_routed_experts": 256,
          "n_shared_experts": 1, "num_attention_heads": 128, "num_experts_per_tok": 8,
          "num_hidden_layers": 61, "num_nextn_predict_layers": 1, "q_lora_rank": 1536,
          "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "topk_group": 4,
          "topk_method": "noaux_tc", "v_head_dim": 128, "vocab_size": 129280,
          "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}})",
      "config.json", "V3");
  const catalog::ModelParameters p = catalog::count_parameters(model);
  CHECK(p.total() == 671'026'419'200);
  CHECK(p.active == 37'552'297'472);
  CHECK(model.native_precision == "fp8_block128");
  CHECK(model.mtp_modules == 1);
  CHECK(model.kinds[1].feed_forward.groups == 8);
  CHECK_THAT(static_cast<double>(p.mtp), WithinRel(11.61e9, 1e-3));
}

TEST_CASE("import_hf_text: what is missing or unknown is named", "[scenario][catalog]") {
  CHECK(mistakes(kLlama) == "none");
  CHECK_THAT(mistakes(R"({"model_type": "llama"})"), contains_text("hidden_size: is missing"));
  CHECK_THAT(mistakes(R"({"model_type": "llama"})"),
             contains_text("num_hidden_layers: is missing"));
  CHECK_THAT(mistakes(R"({"model_type": "qwen33"})"), contains_text("model_type: is the unknown"));
  CHECK_THAT(mistakes("{}"), contains_text("model_type: is missing"));
  CHECK_THAT(mistakes(R"({"text_config": {"model_type": "llama"}})"),
             contains_text("text_config.hidden_size: is missing"));
  std::string json = kLlama;
  json.replace(json.find("8192"), 4, "-1");
  CHECK_THAT(mistakes(json), contains_text("hidden_size: is not a whole number"));
  json.replace(json.find("-1"), 2, "1e30");
  CHECK_THAT(mistakes(json), contains_text("hidden_size: is not a whole number"));
  json.replace(json.find("1e30"), 4, "\"big\"");
  CHECK_THAT(mistakes(json), contains_text("hidden_size: is not a whole number"));
  json = kLlama;
  json.insert(1, R"("quantization_config": {"quant_method": "magic"}, )");
  CHECK_THAT(mistakes(json), contains_text("quantization_config.quant_method"));
}

TEST_CASE("import_hf_text: what is no small JSON object is refused", "[scenario][catalog]") {
  CHECK_THAT(mistakes(""), contains_text("is empty"));
  CHECK_THAT(mistakes("[1, 2]"), contains_text("is no JSON object"));
  CHECK_THAT(mistakes("{\"a\": "), contains_text("is no JSON object"));
  CHECK_THAT(mistakes(std::string(100'000, '[')), contains_text("nests more than 32 levels"));
  CHECK_THAT(mistakes("{\"a\":" + std::string(100'000, '[')), contains_text("32 levels"));
  CHECK_THAT(mistakes("{\"a\": \"" + std::string(5 << 20, 'x') + "\"}"),
             contains_text("larger than 4 MiB"));
  CHECK_THAT(mistakes(std::string("{\"a\": \"\0\xff\xfe\"}", 12)), contains_text(": "));
  CHECK_THROWS_AS(import_hf_config("/nowhere/config.json"), IoError);
  CHECK_THROWS_AS(import_hf_config("/"), IoError);
}

TEST_CASE("import_hf_text: NaN and Infinity, as Python writes them, count as absent",
          "[scenario][catalog]") {
  std::string json = kLlama;
  json.insert(1, R"("limit": [0.0, Infinity, -Infinity, NaN], "text": "NaN \" Infinity", )");
  CHECK(mistakes(json) == "none");
}

TEST_CASE("import_hf_text: a damaged config is refused or read, never a crash",
          "[scenario][catalog][property]") {
  CHECK(rc::check([] {
    std::string json = kLlama;
    const auto changes = *rc::gen::container<std::vector<std::pair<std::size_t, char>>>(
        rc::gen::pair(rc::gen::inRange<std::size_t>(0, json.size()), rc::gen::arbitrary<char>()));
    for (const auto& [at, byte] : changes) json[at] = byte;
    try {
      const catalog::Model model = import_hf_text(json, "config.json", "M");
      RC_ASSERT(catalog::count_parameters(model).total() > 0);
    } catch (const InputError& error) {
      RC_ASSERT(!error.diagnostics().empty());
    }
  }));
}

TEST_CASE("import_hf_config: every config at hand imports, and agrees with the catalog",
          "[scenario][catalog][shared]") {
  const fs::path directory = MOESIM_SHARED_DIR "/hf_configs";
  if (!fs::is_directory(directory)) {
    WARN("skipped: no hf_configs beside the checkout");
    return;
  }
  const catalog::Catalog c = read_catalog(MOESIM_SOURCE_DIR "/scenarios/catalog",
                                          CatalogParts::Models | CatalogParts::Formats);
  int compared = 0;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() != ".json") continue;
    INFO(entry.path().filename().string());
    const catalog::Model model = import_hf_config(entry.path().string());
    const catalog::ModelParameters p = catalog::count_parameters(model);
    CHECK(p.total() > 500'000'000);
    CHECK(c.precision(model.native_precision).has_value());
    CHECK_THAT(model_text(model), contains_text(model.name));

    std::string id = entry.path().stem().string();
    id.replace(id.find("--"), 2, "/");
    const catalog::Model* known = c.find_model(id);
    if (known == nullptr) continue;
    ++compared;
    // The configs at hand leave the vision part of Llama 4 out: compare the language models.
    const catalog::ModelParameters q = catalog::count_parameters(*known);
    const double expected = static_cast<double>(q.total() - q.vision);
    CHECK_THAT(static_cast<double>(p.total() - p.vision), WithinRel(expected, 0.005));
    CHECK_THAT(static_cast<double>(p.active), WithinRel(static_cast<double>(q.active), 0.005));
    CHECK(model.layers() == known->layers());
    CHECK(model.moe_layers() == known->moe_layers());
    for (const std::int64_t tokens : {1, 100'000}) {
      const auto kv = [&](const catalog::Model& m) {
        return catalog::kv_footprint(m, 2.0 * kByte).of_sequence(tokens) / kByte;
      };
      CHECK_THAT(kv(model), WithinRel(kv(*known), 1e-9));
    }
  }
  CHECK(compared >= 25);
}

TEST_CASE("import_hf_config: published sizes of models outside the catalog",
          "[scenario][catalog][shared]") {
  const fs::path directory = MOESIM_SHARED_DIR "/hf_configs";
  if (!fs::is_directory(directory)) {
    WARN("skipped: no hf_configs beside the checkout");
    return;
  }
  // Billions of parameters in the names or model cards; the margins are those of the rounding and
  // of what the derivation leaves out.
  const std::map<std::string, std::pair<double, double>> published = {
      {"nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", {31.6, 0.01}},
      {"nvidia--NVIDIA-Nemotron-3-Super-120B-A12B-FP8", {120.6, 0.01}},
      {"nvidia--Llama-3_3-Nemotron-Super-49B-v1", {49.9, 0.01}},
      {"Qwen--Qwen3.5-397B-A17B", {397.0, 0.01}},
      {"Qwen--Qwen3.5-122B-A10B", {122.0, 0.02}},
      {"Qwen--Qwen3.5-35B-A3B", {35.0, 0.02}},
      {"Qwen--Qwen3.5-27B", {27.0, 0.02}},
      {"XiaomiMiMo--MiMo-V2-Flash", {309.0, 0.01}},
      {"google--gemma-4-26B-A4B", {26.0, 0.03}}};
  for (const auto& [file, size] : published) {
    INFO(file);
    const catalog::Model model = import_hf_config((directory / (file + ".json")).string());
    CHECK_THAT(static_cast<double>(catalog::count_parameters(model).total()) * 1e-9,
               WithinRel(size.first, size.second));
  }
}

}  // namespace
}  // namespace moesim::scenario
