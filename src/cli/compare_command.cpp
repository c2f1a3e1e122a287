#include "cli/compare_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "cli/compared_scenarios.h"
#include "cli/output_directory.h"
#include "cli/progress.h"
#include "core/diagnostics.h"
#include "report/comparison_report.h"
#include "sweep/compare_scenarios.h"
#include "sweep/varied_fields.h"

namespace moesim::cli {
namespace {

namespace po = boost::program_options;

constexpr std::int64_t kUsualReplications = 5;
constexpr std::int64_t kMostReplications = 1000;

constexpr const char* kUsage =
    "moesim compare SCENARIO SCENARIO... [options]\n"
    "moesim compare SCENARIO --vary FIELD=VALUE,VALUE... [options]\n\n"
    "Simulates several deployments of the same demand and puts them beside each other: GPUs,\n"
    "memory, arithmetic and memory traffic per token, throughput, latency, balance of experts, "
    "cost,\n"
    "and the ratio of each figure to the first scenario. Either several files, or variants of "
    "one.\n"
    "--set applies to all of them.\n\n"
    "Each runs under several seeds (--replications), the same for all: figures are means, with\n"
    "their 95 % interval and that of the differences from the first, which says which of them are\n"
    "settled. Intervals tell of chance alone, not of errors of the model.\n\n"
    "  moesim compare scenarios/dense_vs_moe_*.txtpb\n"
    "  moesim compare a.txtpb --vary experts.placement.strategy=contiguous,eplb,partition\n"
    "  moesim compare a.txtpb b.txtpb --set simulation.max_requests=2000 --format csv\n\n"
    "With -o: comparison.json, comparison.csv and comparison.txt. The output is the same for any\n"
    "--jobs.\n"
    "Exit codes: 0 done, 2 wrong input, 3 none of them fits into memory.\n\n";

void check_scenarios(const Arguments& paths, bool varies) {
  if (paths.empty()) {
    throw InputError(Diagnostic{.field = "SCENARIO",
                                .message = "no scenario file given",
                                .hint = "name two or more; see moesim compare --help"});
  }
  if (paths.size() == 1 && !varies) {
    throw InputError(Diagnostic{.field = "SCENARIO",
                                .message = "one scenario has nothing to be compared with",
                                .hint = "name two or more, vary a field of it with --vary, or use "
                                        "moesim simulate"});
  }
  if (paths.size() > 1 && varies) {
    throw InputError(Diagnostic{
        .field = "--vary",
        .message = fmt::format("takes one scenario, got {}", paths.size()),
        .hint = "compare variants of one scenario, or several scenarios without --vary"});
  }
}

void check_replications(std::int64_t count) {
  if (count >= 1 && count <= kMostReplications) return;
  throw InputError(
      Diagnostic{.field = "--replications",
                 .message = fmt::format("must lie within 1..{}, got {}", kMostReplications, count),
                 .hint = "1 means: the scenario's own seed alone, no intervals"});
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
  std::vector<std::string> varied;
  std::int64_t replications = kUsualReplications;
  options.add_options()("vary", po::value(&varied)->value_name("A.B.C=VALUE,VALUE...")->composing(),
                        "compare variants of one scenario; repeatable: all combinations")(
      "replications", po::value(&replications)->value_name("N")->default_value(replications),
      "runs of each scenario, under different seeds; 1: no intervals");
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
  std::vector<scenario::SweepAxis> axes = sweep::parse_varied_fields(varied);
  check_scenarios(paths, !axes.empty());
  check_replications(replications);
  check_format(common.format, {"table", "json", "csv"});
  check_jobs(jobs);
  if (const auto seed = seed_of(found)) {
    common.overrides.push_back(fmt::format("simulation.seed={}", *seed));
  }
  const auto start = std::chrono::steady_clock::now();
  ComparedScenarios compared(paths, common.overrides, std::move(axes));
  std::optional<OutputDirectory> folder;
  if (!common.output_directory.empty()) {
    folder.emplace(common.output_directory, common.overwrite,
                   Arguments{"comparison.json", "comparison.csv", "comparison.txt"});
  }
  Progress bar("compare", common.quiet);
  sweep::Comparison comparison = sweep::compare_scenarios(
      compared.take(), jobs,
      [&](std::int64_t done, std::int64_t count) {
        bar.update(static_cast<double>(done) / static_cast<double>(count),
                   fmt::format("{}/{} runs", done, count));
      },
      {.count = replications, .reseed = [&](std::size_t scenario, std::uint64_t seed) {
         return compared.reseeded(scenario, seed);
       }});
  comparison.varied = compared.axes();
  comparison.settings = compared.settings();
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
    fmt::print(stderr, "{} scenarios simulated {} times each in {:.3g} s\n",
               comparison.results.size(), replications, took.count());
    if (folder) fmt::print(stderr, "results in {}\n", folder->path());
  }
  const bool any = std::any_of(comparison.results.begin(), comparison.results.end(),
                               [](const sweep::ScenarioResult& r) { return r.fits; });
  return any ? kDone : kDoesNotFit;
}

}  // namespace moesim::cli
