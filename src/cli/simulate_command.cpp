#include "cli/simulate_command.h"

#include <chrono>
#include <optional>
#include <ostream>

#include <fmt/format.h>
#include <boost/program_options.hpp>

#include "cli/output_directory.h"
#include "cli/output_file.h"
#include "cli/timeline_options.h"
#include "cli/watched_run.h"
#include "core/diagnostics.h"
#include "report/request_csv.h"
#include "report/result_json.h"
#include "report/result_table.h"
#include "report/timeline_json.h"
#include "scenario/catalog_reader.h"
#include "scenario/scenario_reader.h"
#include "sweep/prediction_bands.h"
#include "sweep/run_scenario.h"

namespace moesim::cli {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "moesim simulate SCENARIO [options]\n\n"
    "Simulates one deployment under one workload and reports throughput, latency, memory and\n"
    "monthly cost. SCENARIO is a .txtpb (Protocol Buffers text format) or .json file; see\n"
    "scenarios/ for examples and docs/formats/scenario.md for every field.\n\n"
    "  moesim simulate scenarios/llama_70b_h100_tp4.txtpb\n"
    "  moesim simulate scenarios/llama_70b_h100_tp4.txtpb --set deployment.tp=8 --format json\n"
    "  moesim simulate scenarios/deepseek_v3_h200_ep32.txtpb -o results/flagship\n"
    "  moesim simulate scenarios/deepseek_v3_h200_ep32.txtpb --trace timeline.json\n\n"
    "With -o: result.json, result.pb, requests.csv and scenario.txtpb (all defaults filled in;\n"
    "simulate runs it again to the same fingerprint). With --trace: a timeline of a few\n"
    "iterations (docs/formats/timeline.md).\n"
    "Exit codes: 0 done, 2 wrong input, 3 does not fit into memory.\n\n";

void write_files(const OutputDirectory& folder, const sweep::ScenarioResult& result) {
  folder.write("result.json", report::result_json(result));
  folder.write("result.pb", report::result_binary(result));
  folder.write("requests.csv", report::requests_csv(result));
  folder.write("scenario.txtpb", result.scenario_text);
}

/// After everything else: a timeline that finds nothing to draw must not cost the result.
void write_timeline(OutputFile& file, const sweep::ScenarioResult& result, bool quiet) {
  if (!result.fits) return;
  if (result.run.timeline.empty()) {
    throw InputError(Diagnostic{
        .field = "--trace",
        .message = fmt::format("nothing to draw among {} iterations in {:.6g} s",
                               result.run.time.iterations, result.run.end.seconds() / kSecond),
        .hint = "start elsewhere with --trace-from, \"0 s\" or 1 for the beginning"});
  }
  report::write_timeline(file.stream(), result);
  file.commit();
  if (!quiet) fmt::print(stderr, "timeline in {}\n", file.path());
}

}  // namespace

int run_simulate(const Arguments& arguments, std::ostream& out) {
  CommonOptions common;
  std::string path;
  po::options_description options("Options");
  add_common_options(options, common);
  TimelineOptions timeline;
  add_timeline_options(options, timeline);
  po::options_description all;
  all.add(options);
  all.add_options()("scenario", po::value(&path)->value_name("SCENARIO"));
  po::positional_options_description places;
  places.add("scenario", 1);
  po::variables_map found;
  if (!parse_options(arguments, all, places, found)) {
    out << kUsage << options;
    return kDone;
  }
  if (path.empty()) {
    throw InputError(Diagnostic{.field = "SCENARIO",
                                .message = "no scenario file given",
                                .hint = "see moesim simulate --help"});
  }
  check_format(common.format, {"table", "json", "csv"});
  if (const auto seed = seed_of(found)) {
    common.overrides.push_back(fmt::format("simulation.seed={}", *seed));
  }
  const serving::TimelineSettings drawn = timeline_settings(timeline, found);
  const auto start = std::chrono::steady_clock::now();
  const catalog::Catalog catalog = scenario::read_run_catalog();
  scenario::Scenario scenario = scenario::read_scenario_file(path, common.overrides, catalog);
  scenario.run.timeline = drawn;
  std::optional<OutputDirectory> folder;
  if (!common.output_directory.empty()) {
    folder.emplace(common.output_directory, common.overwrite,
                   Arguments{"result.json", "result.pb", "requests.csv", "scenario.txtpb"});
  }
  std::optional<OutputFile> drawing;
  if (!timeline.file.empty()) drawing.emplace(timeline.file, common.overwrite);
  sweep::ScenarioResult result = watched_run(scenario, common.quiet);
  result.bands = sweep::prediction_bands(scenario, catalog);
  if (folder) write_files(*folder, result);
  if (common.format == "json") {
    out << report::result_json(result);
  } else if (common.format == "csv") {
    out << report::summary_csv(result);
  } else {
    out << report::result_table(result);
  }
  if (!common.quiet) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    fmt::print(stderr, "{} requests simulated in {:.3g} s\n", result.run.summary.requests_completed,
               took.count());
    if (folder) fmt::print(stderr, "results in {}\n", folder->path());
  }
  if (drawing) write_timeline(*drawing, result, common.quiet);
  return result.fits ? kDone : kDoesNotFit;
}

}  // namespace moesim::cli
