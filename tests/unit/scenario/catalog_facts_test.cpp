// The shipped catalog against the tables of facts it was made from.
#include <algorithm>
#include <string>

#include "catalog/kv_cache.h"
#include "catalog/parameters.h"
#include "scenario/catalog_reader.h"
#include "tests/support/catch.h"
#include "tests/unit/scenario/facts_csv.h"

namespace moesim::scenario {
namespace {
using moesim::test::CsvRow;
using moesim::test::facts;
using moesim::test::WithinRel;

const catalog::Catalog& shipped() {
  static const catalog::Catalog catalog = read_catalog(MOESIM_SOURCE_DIR "/scenarios/catalog");
  return catalog;
}

double number(const CsvRow& row, const char* column) { return std::stod(row.at(column)); }

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("catalog models: parameters, weights and cache agree with the facts",
          "[catalog][shared]") {
  const auto rows = facts("models.csv");
  if (!rows) {
    WARN("skipped: no facts/models.csv beside the checkout");
    return;
  }
  CHECK(rows->size() <= shipped().models.size());
  for (const CsvRow& row : *rows) {
    INFO(row.at("name"));
    const catalog::Model* model = shipped().find_model(row.at("name"));
    REQUIRE(model != nullptr);
    CHECK(model->layers() == std::stoll(row.at("layers")));
    CHECK(model->moe_layers() ==
          (row.at("moe_layers").empty() ? 0 : std::stoll(row.at("moe_layers"))));
    const catalog::ModelParameters p = catalog::count_parameters(*model);
    CHECK_THAT(static_cast<double>(p.total()),
               WithinRel(number(row, "params_computed_total"), 0.001));

    // The publishers of these three count the vision tower as active; a text token skips it.
    const bool vision_is_active =
        contains(model->name, "Vision") || contains(model->name, "Mistral-Large-3");
    const double active = static_cast<double>(p.active + (vision_is_active ? p.vision : 0));
    CHECK_THAT(active, WithinRel(number(row, "params_computed_active"), 0.005));

    const auto precision = shipped().precision(model->native_precision);
    REQUIRE(precision.has_value());
    CHECK_THAT(catalog::weight_bytes(p, *precision) / kByte,
               WithinRel(number(row, "native_weight_bytes"), 0.005));

    const catalog::KvFootprint kv = catalog::kv_footprint(*model, 2.0 * kByte);
    double per_token = catalog::kv_bytes_per_token(*model, 2.0 * kByte) / kByte;
    // The facts count the indexer of V4 (not that of DSA), and chunked layers as full.
    if (contains(model->name, "V4")) per_token += kv.per_token_index / kByte;
    if (contains(model->name, "Llama-4")) per_token += kv.windowed.at(0).per_token / kByte;
    CHECK_THAT(per_token, WithinRel(number(row, "kv_bytes_per_token_bf16"), 1e-12));
    CHECK(model->licence.name.empty() == false);
  }
}

TEST_CASE("catalog GPUs: rates agree with the facts", "[catalog][shared]") {
  const auto rows = facts("gpus.csv");
  if (!rows) {
    WARN("skipped: no facts/gpus.csv beside the checkout");
    return;
  }
  CHECK(rows->size() <= shipped().gpus.size());
  for (const CsvRow& row : *rows) {
    INFO(row.at("name"));
    const catalog::Gpu* gpu = shipped().find_gpu(row.at("name"));
    REQUIRE(gpu != nullptr);
    const auto same = [&](const char* column, double value) {
      const double expected = row.at(column).empty() ? 0.0 : number(row, column);
      CHECK_THAT(value, WithinRel(expected, 1e-12));
    };
    same("mem_bw_gbs", gpu->memory_bandwidth / 1.0_GBps);
    same("bf16_tflops_dense", gpu->bf16 / 1.0_TFLOPs);
    same("fp8_tflops_dense", gpu->fp8 / 1.0_TFLOPs);
    same("fp4_tflops_dense", gpu->fp4 / 1.0_TFLOPs);
    same("int8_tops_dense", gpu->int8 / 1.0_TFLOPs);
    same("scaleup_gbs_per_dir", gpu->scale_up_bandwidth / 1.0_GBps);
    same("scaleup_p2p_gbs_per_dir", gpu->scale_up_pair_bandwidth / 1.0_GBps);
    same("scaleup_domain_gpus", gpu->scale_up_domain);
    same("nic_gbps_per_gpu", gpu->nic_bandwidth / 1.0_Gbitps);
    same("tdp_w", gpu->tdp / kWatt);
    // Labels mix GB and GiB; what is visible lies between the label less in-line ECC, and GiB.
    const double label = number(row, "memory_gb");
    CHECK(gpu->memory / 1.0_GB >= 0.99 * label);
    CHECK(gpu->memory / 1.0_GiB <= label);
  }
}

TEST_CASE("catalog: every row of the other facts is there", "[catalog][shared]") {
  const auto links = facts("interconnects.csv");
  const auto formats = facts("quant.csv");
  const auto prices = facts("prices.csv");
  const auto engines = facts("engines.csv");
  const auto oracles = facts("memory_oracles.csv");
  if (!links || !formats || !prices || !engines || !oracles) {
    WARN("skipped: no facts beside the checkout");
    return;
  }
  CHECK(prices->size() == shipped().prices.size());
  for (const CsvRow& row : *links) {
    INFO(row.at("name"));
    if (row.at("basis") == "published") {
      const catalog::Fabric* fabric = shipped().find_fabric(row.at("name"));
      REQUIRE(fabric != nullptr);
      CHECK_THAT(fabric->bandwidth / 1.0_GBps,
                 WithinRel(number(row, "peak_gbs_per_dir_per_gpu"), 1e-12));
    } else {
      const auto& all = shipped().measurements;
      CHECK(std::any_of(all.begin(), all.end(),
                        [&](const auto& m) { return m.name == row.at("name"); }));
    }
  }
  for (const CsvRow& row : *formats) {
    const catalog::WeightFormat* format = shipped().find_format(row.at("name"));
    REQUIRE(format != nullptr);
    CHECK_THAT(format->bits_per_weight, WithinRel(number(row, "bits_per_weight"), 1e-12));
  }
  for (const CsvRow& row : *engines) {
    const catalog::Engine* engine = shipped().find_engine(row.at("engine"));
    REQUIRE(engine != nullptr);
    const auto at = std::find_if(engine->families.begin(), engine->families.end(),
                                 [&](const auto& f) { return f.family == row.at("family"); });
    REQUIRE(at != engine->families.end());
    CHECK((at->status == catalog::Support::Unknown) == (row.at("found_status") == "not verified"));
  }
  for (const CsvRow& row : *oracles) {
    CHECK(shipped().find_model(row.at("model")) != nullptr);
    CHECK(shipped().find_gpu(row.at("gpu")) != nullptr);
    CHECK(shipped().precision(row.at("precision")).has_value());
  }
}

}  // namespace
}  // namespace moesim::scenario
