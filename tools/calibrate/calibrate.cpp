// moesim_calibrate: fits the curves of operators to measured latencies and writes them as catalog
// data, with their cross-validated errors. How: docs/models/calibration.md.
#include <fmt/format.h>
#include <tbb/global_control.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "calibration/cross_validation.h"
#include "calibration/score.h"
#include "calibration/study.h"
#include "core/diagnostics.h"
#include "scenario/catalog_reader.h"
#include "scenario/curve_files.h"
#include "serving_runs.h"

namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using namespace moesim;

struct Settings {
  std::string data;
  std::string out;
  std::string only;
  std::string source;
  int jobs = 0;
  bool check = false;
  calibration::ValidationSettings validation;
};

constexpr const char* kIntroduction =
    "moesim_calibrate --data DIR [--out DIR] [options]\n\n"
    "Fits the curves of operators and collectives to the measured latencies below DIR\n"
    "(OPERATION/GPU__ENGINE.csv) and writes OUT/<operation>.txtpb for each operation. Prints the\n"
    "error on configurations left out of the fit. Files are written only when every fit has come "
    "to\n"
    "a good end; curves that stand in them and were not fitted anew are kept. Copied into "
    "scenarios/catalog/curves, the files are what moesim computes with.\n\n"
    "  moesim_calibrate --data measured --out scenarios/catalog/curves\n"
    "  moesim_calibrate --data measured --only gemm --check\n\n"
    "Constants of serving engines are fitted apart, to the runs of DIR/e2e_runs.csv:\n\n"
    "  moesim_calibrate --data calibration --only engine_overheads --out scenarios/catalog\n\n";

po::options_description described_options(Settings& s) {
  constexpr unsigned kColumns = 100;
  po::options_description o("Options", kColumns);
  auto add = o.add_options();
  add("data", po::value(&s.data)->value_name("DIR"), "folder of the measurements");
  add("out", po::value(&s.out)->value_name("DIR"), "where the curves go; default: nowhere");
  add("only", po::value(&s.only)->value_name("OPERATION"), "this operation alone");
  add("source", po::value(&s.source)->value_name("TEXT")->default_value("user's measurements", ""),
      "where the measurements come from, written into each curve");
  add("jobs", po::value(&s.jobs)->value_name("N")->default_value(0), "threads; 0: all cores");
  add("rows",
      po::value(&s.validation.most_rows)->value_name("N")->default_value(s.validation.most_rows),
      "rows of one curve the fit looks at, at most");
  add("starts",
      po::value(&s.validation.fit.starts)->value_name("N")->default_value(s.validation.fit.starts),
      "starting points of each fit");
  add("check", po::bool_switch(&s.check),
      "compare with the shipped curves instead: exit code 1 if predictions differ by over 1 % in "
      "the median");
  add("help,h", "this text");
  return o;
}

void print_line(const std::string& name, const calibration::ErrorSummary& e) {
  std::cout << fmt::format("  {:<44} {:>7}  {:>6.1f} %  {:>6.1f} %  {:>+6.1f} %\n", name, e.rows,
                           100 * e.median, 100 * e.p90, 100 * e.bias);
}

void print_score(const calibration::Study& study, const std::vector<double>& predicted,
                 const std::string& title, bool details) {
  calibration::Score score;
  const std::vector<std::uint8_t> none(study.curves().size(), 0);
  add_scores(study, predicted, none, score);
  if (score.pooled.empty()) return;
  std::cout << fmt::format("{:<46} {:>7}  {:>8}  {:>8}  {:>8}\n", title, "rows", "median", "p90",
                           "bias");
  for (const calibration::ScoreLine& line : score.pooled) print_line(line.label, line.error);
  if (!details) return;
  for (const calibration::ScoreLine& line : score.lines) {
    print_line(fmt::format("  {} {} {} {}", line.label, line.gpu, line.dtype, line.engine),
               line.error);
  }
}

/// A file to be written.
struct Output {
  fs::path path;
  std::string text;
};

/// The folder must take files before hours of fitting, not after.
void check_folder(const std::string& folder) {
  std::error_code problem;
  if (!fs::is_directory(folder, problem)) {
    throw IoError("--out: there is no folder " + folder + "; make it first");
  }
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    throw IoError("--out: cannot write into the folder " + folder);
  }
}

/// Writes all files beside their places, then renames them: nobody ever sees half a file, and what
/// fails on the way leaves the old files.
void write_all(const std::vector<Output>& outputs) {
  std::vector<fs::path> beside;
  const auto clean_up = [&] {
    std::error_code ignored;
    for (const fs::path& path : beside) fs::remove(path, ignored);
  };
  for (const Output& output : outputs) {
    beside.emplace_back(output.path.string() + fmt::format(".{}.new", ::getpid()));
    std::ofstream file(beside.back(), std::ios::binary);
    file << output.text;
    file.close();
    if (!file) {
      clean_up();
      throw IoError("cannot write " + beside.back().string());
    }
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::error_code problem;
    fs::rename(beside[i], outputs[i].path, problem);
    if (problem) {
      clean_up();
      throw IoError("cannot write " + outputs[i].path.string() + ": " + problem.message());
    }
  }
}

/// What stands in the file of an operation already: read before hours of fitting, not after.
struct OldFile {
  fs::path path;
  std::vector<catalog::Curve> curves;
};

OldFile old_file(const calibration::Study& study, const Settings& settings,
                 std::span<const catalog::Gpu> gpus) {
  OldFile old{.path = fs::path(settings.out) / fmt::format("{}.txtpb", study.operation()),
              .curves = {}};
  std::error_code problem;
  if (fs::exists(old.path, problem)) {
    old.curves = scenario::read_curve_file(old.path.string(), gpus);
  }
  return old;
}

/// The fitted curves, and those of the old file that this run has not fitted: measurements of one
/// GPU do not cost the curves of others.
Output output_of(std::vector<catalog::Curve> curves, OldFile old, const std::string& source) {
  for (catalog::Curve& curve : curves) curve.source = source;
  const std::size_t fitted = curves.size();
  for (catalog::Curve& each : old.curves) {
    const bool replaced = std::any_of(curves.begin(), curves.end(),
                                      [&](const auto& curve) { return curve.key == each.key; });
    if (!replaced) curves.push_back(std::move(each));
  }
  if (curves.size() > fitted) {
    std::cout << fmt::format("  kept {} of {} that {} not fitted anew\n", curves.size() - fitted,
                             old.path.string(), curves.size() - fitted == 1 ? "was" : "were");
  }
  return {.path = std::move(old.path), .text = scenario::curves_text(curves)};
}

/// A fit that explains nothing is a failure: better the old curves than these. Rooflines without
/// any fit do no worse.
void check_quality(const calibration::Study& study, const calibration::FittedStudy& fitted) {
  constexpr double kUseless = 0.5;
  std::vector<Diagnostic> problems;
  for (const catalog::Curve& curve : fitted.curves) {
    if (curve.cross_validated.median < kUseless) continue;
    problems.push_back(
        {.field = fmt::format("{} {} {} {} {}", study.operation(), curve.key.gpu, curve.key.dtype,
                              curve.key.engine, curve.key.variant),
         .message = fmt::format("the best curve is {:.0f} % off in the median on what it has not "
                                "seen",
                                100 * curve.cross_validated.median),
         .hint = "are the latencies in microseconds, and the columns in their places?"});
  }
  if (!problems.empty()) throw InputError(std::move(problems));
}

/// Median of |new - shipped| / shipped over all rows both can predict; NaN if there is none.
double difference(const calibration::Study& study, const std::vector<double>& fitted,
                  const catalog::CurveSet& shipped) {
  const calibration::Predictions old = predict_study(study, shipped);
  std::vector<double> before;
  std::vector<double> after;
  for (std::size_t i = 0; i < fitted.size(); ++i) {
    if (std::isnan(fitted[i]) || std::isnan(old.predicted[i])) continue;
    before.push_back(old.predicted[i]);
    after.push_back(fitted[i]);
  }
  if (before.empty()) return std::numeric_limits<double>::quiet_NaN();
  return calibration::summarize(before, after).median;
}

/// Whether new predictions are those of the shipped curves.
bool as_shipped(const calibration::Study& study, const std::vector<double>& fitted,
                const catalog::CurveSet& shipped) {
  constexpr double kMostDifference = 0.01;
  const double off = difference(study, fitted, shipped);
  if (std::isnan(off)) {
    std::cout << "  there are no shipped curves to compare with\n";
    return false;
  }
  std::cout << fmt::format("  differs from the shipped curves by {:.2f} % in the median\n",
                           100 * off);
  return off <= kMostDifference;
}

calibration::FittedStudy fit(const calibration::Study& study, const Settings& settings) {
  std::cout << fmt::format("{}: {} rows, {} curves\n", study.operation(), study.samples().size(),
                           study.curves().size())
            << std::flush;
  calibration::FittedStudy fitted = fit_study(study, settings.validation);
  for (const Diagnostic& d : fitted.not_fitted) {
    std::cout << fmt::format("  left out: {}: {}: {}\n", d.file, d.field, d.message);
  }
  check_quality(study, fitted);
  print_score(study, fitted.fitted, "  fitted", false);
  print_score(study, fitted.left_out, "  groups left out", true);
  print_score(study, fitted.family_left_out, "  whole families left out", false);
  return fitted;
}

int calibrate(const Settings& settings) {
  if (!settings.out.empty()) check_folder(settings.out);
  const std::string catalog_directory = scenario::find_catalog_directory();
  const catalog::Catalog catalog = scenario::read_catalog(
      catalog_directory, scenario::CatalogParts::Gpus | scenario::CatalogParts::Fabrics);
  const auto studies = calibration::read_studies(settings.data, catalog, settings.only);
  catalog::CurveSet shipped;
  if (settings.check) shipped = scenario::read_curves(catalog_directory + "/curves", catalog.gpus);
  bool same = true;
  std::vector<OldFile> old;
  for (const auto& study : studies) {
    old.push_back(settings.out.empty() ? OldFile{} : old_file(*study, settings, catalog.gpus));
  }
  std::vector<Output> outputs;
  for (std::size_t i = 0; i < studies.size(); ++i) {
    const auto& study = studies[i];
    if (study->samples().empty()) continue;
    calibration::FittedStudy fitted = fit(*study, settings);
    if (settings.check) same = as_shipped(*study, fitted.fitted, shipped) && same;
    if (!settings.out.empty()) {
      outputs.push_back(output_of(std::move(fitted.curves), std::move(old[i]), settings.source));
    }
    std::cout << std::flush;
  }
  write_all(outputs);
  return same ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int kWrongInput = 2;
  try {
    Settings settings;
    const po::options_description options = described_options(settings);
    po::variables_map found;
    po::store(po::parse_command_line(argc, argv, options), found);
    po::notify(found);
    if (found.count("help") > 0 || settings.data.empty()) {
      (found.count("help") > 0 ? std::cout : std::cerr) << kIntroduction << options;
      return found.count("help") > 0 ? 0 : kWrongInput;
    }
    if (settings.jobs < 0 || settings.validation.most_rows < 1 ||
        settings.validation.fit.starts < 1) {
      throw InputError(Diagnostic{.field = "--jobs, --rows, --starts",
                                  .message = "must be positive (--jobs may be 0)"});
    }
    std::optional<tbb::global_control> threads;
    if (settings.jobs > 0) {
      threads.emplace(tbb::global_control::max_allowed_parallelism,
                      static_cast<std::size_t>(settings.jobs));
    }
    if (settings.only == "engine_overheads") {
      return tools::fit_serving_runs(settings.data, settings.out, settings.source, settings.check)
                 ? 0
                 : 1;
    }
    return calibrate(settings);
  } catch (const InputError& error) {
    for (const Diagnostic& d : error.diagnostics()) std::cerr << to_string(d) << "\n";
  } catch (const po::error& error) {
    std::cerr << "error: " << error.what() << "; see moesim_calibrate --help\n";
  } catch (const IoError& error) {
    std::cerr << "error: " << error.what() << "\n";
  } catch (const std::bad_alloc&) {
    std::cerr << "error: out of memory\n";
  }
  return kWrongInput;
}
