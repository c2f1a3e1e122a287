#include "cli/validate_kernels_command.h"

#include <boost/program_options.hpp>
#include <cmath>
#include <ostream>
#include <string>

#include "calibration/cross_validation.h"
#include "calibration/score.h"
#include "calibration/study.h"
#include "core/diagnostics.h"
#include "report/validation_report.h"
#include "scenario/catalog_reader.h"
#include "scenario/curve_files.h"

namespace moesim::cli {
namespace {

namespace po = boost::program_options;

constexpr const char* kIntroduction =
    "moesim validate kernels --data DIR [--only OPERATION] [--format table|json]\n\n"
    "Predicts every measured latency below DIR with the shipped curves and says how far off they\n"
    "are: per operation, GPU, number format and engine. DIR holds one folder per operation with\n"
    "tables GPU__ENGINE.csv (docs/formats/measurements.md).\n\n"
    "  moesim validate kernels --data measured\n"
    "  moesim validate kernels --data measured --only gemm --format json\n\n"
    "The error of curves on configurations left out of their fit stands in docs/models and in\n"
    "moesim_calibrate's output. Exit code: 0 done, 2 wrong input.\n\n";

report::KernelValidation validate(const std::string& data, const std::string& only) {
  const std::string directory = scenario::find_catalog_directory();
  const catalog::Catalog catalog = scenario::read_catalog(
      directory, scenario::CatalogParts::Gpus | scenario::CatalogParts::Fabrics);
  const catalog::CurveSet curves = scenario::read_curves(directory + "/curves", catalog.gpus);
  report::KernelValidation validation{.data = data, .score = {}};
  for (const auto& study : calibration::read_studies(data, catalog, only)) {
    const calibration::Predictions predictions = predict_study(*study, curves);
    for (const double predicted : predictions.predicted) {
      ++(std::isnan(predicted) ? validation.rows_without_curve : validation.rows);
    }
    add_scores(*study, predictions.predicted, predictions.estimated, validation.score);
  }
  return validation;
}

}  // namespace

int run_validate_kernels(const Arguments& arguments, std::ostream& out) {
  constexpr unsigned kColumns = 100;
  std::string data;
  std::string only;
  std::string format;
  po::options_description options("Options", kColumns);
  auto add = options.add_options();
  add("data", po::value(&data)->value_name("DIR"), "folder of the measurements");
  add("only", po::value(&only)->value_name("OPERATION"), "this operation alone (gemm, nccl, ...)");
  add("format", po::value(&format)->value_name("FORMAT")->default_value("table"), "table or json");
  add("help,h", "this text");
  po::variables_map found;
  if (!parse_options(arguments, options, {}, found)) {
    out << kIntroduction << options;
    return kDone;
  }
  if (data.empty()) {
    throw InputError(Diagnostic{
        .field = "--data", .message = "is required", .hint = "moesim validate kernels --data DIR"});
  }
  check_format(format, {"table", "json"});
  const report::KernelValidation validation = validate(data, only);
  out << (format == "json" ? report::validation_json(validation)
                           : report::validation_table(validation));
  return kDone;
}

}  // namespace moesim::cli
