#include "cli/sweep_command.h"

#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <system_error>

#include "cli/output_directory.h"
#include "cli/progress.h"
#include "core/diagnostics.h"
#include "report/sweep_report.h"
#include "scenario/catalog_reader.h"
#include "scenario/sweep_reader.h"
#include "sweep/sweep_runner.h"

namespace moesim::cli {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "moesim sweep SWEEP [options]\n\n"
    "Tries every tp x pp x dp x ep of a cluster that divides and fits, simulates each on all "
    "cores\n"
    "and ranks them; those that miss the SLO come last. Shows the Pareto front of tokens/s per "
    "GPU\n"
    "against tokens/s per user, and why the other layouts were refused. SWEEP is a .txtpb or "
    ".json\n"
    "file: docs/formats/sweep.md. --set changes fields of the sweep file, of its scenario only\n"
    "where that is written in it (inline_scenario.deployment.engine=SGLang).\n\n"
    "  moesim sweep scenarios/sweep_deepseek_16xh200.txtpb\n"
    "  moesim sweep scenarios/sweep_deepseek_16xh200.txtpb --set limits.max_requests=200 -o out\n"
    "  moesim simulate out/best.txtpb\n\n"
    "With -o: sweep.json, sweep.csv, sweep.txt and best.txtpb (simulate runs it unchanged, to the\n"
    "same fingerprint). The output is the same for any --jobs.\n"
    "Exit codes: 0 done, 1 nothing feasible, 2 wrong input.\n\n";

/// Without a best candidate an older best.txtpb must not pass for one.
void remove_best(const OutputDirectory& folder) {
  const auto target = std::filesystem::path(folder.path()) / "best.txtpb";
  std::error_code error;
  std::filesystem::remove(target, error);
  if (error) throw IoError(fmt::format("{}: {}", target.string(), error.message()));
}

void write_files(const OutputDirectory& folder, const sweep::SweepResult& result) {
  folder.write("sweep.json", report::sweep_json(result));
  folder.write("sweep.csv", report::sweep_csv(result));
  folder.write("sweep.txt", report::sweep_table(result));
  if (result.feasible()) {
    folder.write("best.txtpb", result.best_text);
  } else {
    remove_best(folder);
  }
}

/// The seed becomes a field that every candidate sets to the same value.
void set_seed(scenario::Sweep& sweep, std::uint64_t seed) {
  const std::string field = "simulation.seed";
  for (const scenario::SweepAxis& axis : sweep.vary) {
    if (axis.field != field) continue;
    throw InputError(Diagnostic{.field = "--seed",
                                .message = "the sweep varies simulation.seed itself",
                                .hint = "leave the option out"});
  }
  sweep.vary.push_back({.field = field, .values = {fmt::format("{}", seed)}});
}

sweep::SweepResult run(const std::string& path, const CommonOptions& common,
                       std::optional<std::uint64_t> seed, int jobs,
                       const std::function<void()>& before_running) {
  const catalog::Catalog catalog = scenario::read_run_catalog();
  scenario::Sweep sweep = scenario::read_sweep_file(path, common.overrides, catalog);
  if (seed) set_seed(sweep, *seed);
  before_running();
  Progress bar(sweep.name, common.quiet);
  return sweep::run_sweep(sweep, catalog, jobs, [&](std::int64_t done, std::int64_t count) {
    bar.update(static_cast<double>(done) / static_cast<double>(count),
               fmt::format("{}/{} candidates", done, count));
  });
}

}  // namespace

int run_sweep_command(const Arguments& arguments, std::ostream& out) {
  CommonOptions common;
  int jobs = 0;
  std::string path;
  po::options_description options("Options");
  add_common_options(options, common);
  add_jobs_option(options, jobs);
  po::options_description all;
  all.add(options);
  all.add_options()("sweep", po::value(&path)->value_name("SWEEP"));
  po::positional_options_description places;
  places.add("sweep", 1);
  po::variables_map found;
  if (!parse_options(arguments, all, places, found)) {
    out << kUsage << options;
    return kDone;
  }
  if (path.empty()) {
    throw InputError(Diagnostic{
        .field = "SWEEP", .message = "no sweep file given", .hint = "see moesim sweep --help"});
  }
  check_format(common.format, {"table", "json", "csv"});
  check_jobs(jobs);
  const auto start = std::chrono::steady_clock::now();
  std::optional<OutputDirectory> folder;
  const std::optional<std::uint64_t> seed = seed_of(found);
  const sweep::SweepResult result = run(path, common, seed, jobs, [&] {
    if (common.output_directory.empty()) return;
    folder.emplace(common.output_directory, common.overwrite,
                   Arguments{"sweep.json", "sweep.csv", "sweep.txt", "best.txtpb"});
  });
  if (folder) write_files(*folder, result);
  if (common.format == "json") {
    out << report::sweep_json(result);
  } else if (common.format == "csv") {
    out << report::sweep_csv(result);
  } else {
    out << report::sweep_table(result);
  }
  if (!common.quiet) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    fmt::print(stderr, "{} candidates, {} simulated, in {:.3g} s\n", result.candidates.size(),
               result.ranking.size(), took.count());
    if (folder) fmt::print(stderr, "results in {}\n", folder->path());
  }
  return result.feasible() ? kDone : kNothingFeasible;
}

}  // namespace moesim::cli
