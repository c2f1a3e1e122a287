// Any bytes given to the studies as a table are read or refused, and what was read can be
// predicted; nothing else happens.
//
// The first byte chooses the operation, the second the GPU and the engine; the rest is the table.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "calibration/csv_table.h"
#include "calibration/study.h"
#include "catalog/catalog.h"
#include "core/check.h"
#include "core/diagnostics.h"
#include "scenario/catalog_reader.h"

namespace {

using moesim::calibration::CsvTable;
using moesim::calibration::Sample;
using moesim::calibration::Study;
using moesim::calibration::TableOrigin;

constexpr const char* kGpus[] = {"A100-80GB-SXM", "H100-SXM", "B200", "L40S", "GB200-NVL72"};
constexpr const char* kEngines[] = {"trtllm", "sglang", "nccl", "deepep-0.5.12"};

const moesim::catalog::Catalog& catalog() {
  static const moesim::catalog::Catalog shipped = moesim::scenario::read_catalog(
      std::string(MOESIM_SOURCE_DIR) + "/scenarios/catalog",
      moesim::scenario::CatalogParts::Gpus | moesim::scenario::CatalogParts::Fabrics);
  return shipped;
}

/// Predicts all samples, curve by curve, with the coefficients a fit starts at.
void check_predictions(const Study& study) {
  std::vector<double> coefficients;
  for (const auto& spec : study.coefficients()) coefficients.push_back(spec.start);
  for (std::size_t curve = 0; curve < study.curves().size(); ++curve) {
    std::vector<std::int32_t> rows;
    for (std::size_t i = 0; i < study.samples().size(); ++i) {
      const Sample& sample = study.samples()[i];
      MOESIM_CHECK(sample.measured > 0.0 && std::isfinite(sample.measured),
                   "a measurement is positive");
      if (static_cast<std::size_t>(sample.curve) == curve) {
        rows.push_back(static_cast<std::int32_t>(i));
      }
    }
    std::vector<double> predicted(rows.size());
    study.predict(rows, coefficients, predicted);
    for (const double value : predicted) {
      MOESIM_CHECK(value >= 0.0 && std::isfinite(value), "a prediction is finite");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  constexpr std::size_t kMost = 4096;
  if (size < 2 || size > kMost) return 0;
  std::vector<std::unique_ptr<Study>> studies = moesim::calibration::all_studies();
  Study& study = *studies[bytes[0] % studies.size()];
  const auto folders = study.folders();
  const moesim::catalog::Gpu* gpu = catalog().find_gpu(kGpus[bytes[1] % std::size(kGpus)]);
  MOESIM_CHECK(gpu != nullptr, "the catalog has the GPU");
  const TableOrigin origin{.folder = folders[(bytes[0] / studies.size()) % folders.size()],
                           .gpu = gpu,
                           .engine = kEngines[(bytes[1] / std::size(kGpus)) % std::size(kEngines)],
                           .file = "fuzz.csv"};
  std::string text(reinterpret_cast<const char*>(bytes) + 2, size - 2);
  try {
    study.read(CsvTable::parse(std::move(text), "fuzz.csv"), origin);
    study.finish();
    check_predictions(study);
  } catch (const moesim::InputError& error) {
    MOESIM_CHECK(!error.diagnostics().empty(), "a refusal has a reason");
    MOESIM_CHECK(error.diagnostics().front().line >= 1, "a refusal names the line");
  }
  return 0;
}
