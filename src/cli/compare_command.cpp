#include "cli/compare_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <chrono>
#include <optional>
#include <ostream>
#include <utility>

#include "cli/output_directory.h"
#include "cli/progress.h"
#include "core/diagnostics.h"
#include "report/comparison_report.h"
#include "scenario/catalog_reader.h"
#include "scenario/scenario_reader.h"
#include "sweep/compare_scenarios.h"

namespace moesim::cli {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "moesim compare SCENARIO SCENARIO... [options]\n\n"
    "Simulates several deployments of the same demand and puts them beside each other: GPUs,\n"
    "memory, arithmetic and memory traffic per token, throughput, latency, cost, and the ratio of\n"
    "each figure to the first scenario. --set applies to all of them.\n\n"
    "  moesim compare scenarios/dense_vs_moe_*.txtpb\n"
    "  moesim compare a.txtpb b.txtpb --set simulation.max_requests=2000 --format csv\n\n"
    "With -o: comparison.json, comparison.csv and comparison.txt.\n"
    "Exit codes: 0 done, 2 wrong input, 3 none of them fits into memory.\n\n";

/// All scenarios; the mistakes of all of them at once.
std::vector<scenario::Scenario> read_all(const Arguments& paths,
                                         const std::vector<std::string>& overrides) {
  const catalog::Catalog catalog = scenario::read_run_catalog();
  std::vector<scenario::Scenario> scenarios;
  std::vector<Diagnostic> found;
  for (const std::string& path : paths) {
    try {
      scenarios.push_back(scenario::read_scenario_file(path, overrides, catalog));
    } catch (const InputError& problem) {
      found.insert(found.end(), problem.diagnostics().begin(), problem.diagnostics().end());
    }
  }
  if (!found.empty()) throw InputError(std::move(found));
  return scenarios;
}

void write_files(const OutputDirectory& folder, const sweep::Comparison& comparison) {
  folder.write("comparison.json", report::comparison_json(comparison));
  folder.write("comparison.csv", report::comparison_csv(comparison));
  folder.write("comparison.txt", report::comparison_table(comparison));
}

}  // namespace

int run_compare(const Arguments& arguments, std::ostream& out) {
  CommonOptions common;
  int jobs = 0;
  Arguments paths;
  po::options_description options("Options");
  add_common_options(options, common);
  add_jobs_option(options, jobs);
  po::options_description all;
  all.add(options);
  all.add_options()("scenario", po::value(&paths)->value_name("SCENARIO"));
  po::positional_options_description places;
  places.add("scenario", -1);
  po::variables_map found;
  if (!parse_options(arguments, all, places, found)) {
    out << kUsage << options;
    return kDone;
  }
  if (paths.empty()) {
    throw InputError(Diagnostic{.field = "SCENARIO",
                                .message = "no scenario file given",
                                .hint = "name two or more; see moesim compare --help"});
  }
  if (paths.size() == 1) {
    throw InputError(Diagnostic{.field = "SCENARIO",
                                .message = "one scenario has nothing to be compared with",
                                .hint = "name two or more, or use moesim simulate"});
  }
  check_format(common.format, {"table", "json", "csv"});
  check_jobs(jobs);
  if (const auto seed = seed_of(found)) {
    common.overrides.push_back(fmt::format("simulation.seed={}", *seed));
  }
  const auto start = std::chrono::steady_clock::now();
  std::vector<scenario::Scenario> scenarios = read_all(paths, common.overrides);
  std::optional<OutputDirectory> folder;
  if (!common.output_directory.empty()) {
    folder.emplace(common.output_directory, common.overwrite,
                   Arguments{"comparison.json", "comparison.csv", "comparison.txt"});
  }
  Progress bar("compare", common.quiet);
  const sweep::Comparison comparison = sweep::compare_scenarios(
      std::move(scenarios), jobs, [&](std::int64_t done, std::int64_t count) {
        bar.update(static_cast<double>(done) / static_cast<double>(count),
                   fmt::format("{}/{} scenarios", done, count));
      });
  bar.finish();
  if (folder) write_files(*folder, comparison);
  if (common.format == "json") {
    out << report::comparison_json(comparison);
  } else if (common.format == "csv") {
    out << report::comparison_csv(comparison);
  } else {
    out << report::comparison_table(comparison);
  }
  if (!common.quiet) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    fmt::print(stderr, "{} scenarios simulated in {:.3g} s\n", comparison.results.size(),
               took.count());
    if (folder) fmt::print(stderr, "results in {}\n", folder->path());
  }
  const bool any = std::any_of(comparison.results.begin(), comparison.results.end(),
                               [](const sweep::ScenarioResult& r) { return r.fits; });
  return any ? kDone : kDoesNotFit;
}

}  // namespace moesim::cli
