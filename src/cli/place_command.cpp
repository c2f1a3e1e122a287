#include "cli/place_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <optional>
#include <ostream>
#include <utility>

#include "cli/output_directory.h"
#include "cli/place_options.h"
#include "cli/progress.h"
#include "core/diagnostics.h"
#include "core/text.h"
#include "interchange/placement_file.h"
#include "report/go_no_go_report.h"
#include "report/place_front_report.h"
#include "report/place_report.h"
#include "scenario/catalog_reader.h"
#include "scenario/placement_reader.h"
#include "sweep/go_no_go.h"
#include "sweep/placement_front.h"
#include "sweep/placement_study.h"

namespace moesim::cli {
namespace {

namespace po = boost::program_options;
using interchange::EngineFormat;

constexpr const char* kUsage =
    "moesim place PLACEMENT [options]\n"
    "moesim place --instance DIR --gpus G --slots P [options]\n\n"
    "Decides which expert each slot of each GPU holds, replicas included, so that no GPU is late "
    "and\nfew copies of a token cross nodes; judges the result beside what engines start with.\n"
    "PLACEMENT is a file (docs/formats/placement.md): a scenario or a number of GPUs, recorded\n"
    "routing, a strategy.\n\n"
    "  moesim place scenarios/place_deepseek_v3_h200.txtpb -o plan --export sglang\n"
    "  moesim place --instance recorded/ --gpus 32 --slots 288 --strategy partition --budget 5s\n"
    "  moesim place --instance recorded/ --gpus 32 --slots 288 \\\n"
    "    --evaluate plan/sglang_expert_location.json\n"
    "  moesim place --instance now/ --gpus 32 --slots 288 --strategy rebalance \\\n"
    "    --current plan/sglang_expert_location.json --max-moves 10%\n"
    "  moesim place scenarios/place_deepseek_v3_h200.txtpb --go-no-go\n\n"
    "--go-no-go with a scenario runs it for every option: that takes minutes, not seconds.\n"
    "With -o: plan.json, report.json, report.txt, layers.csv, and for each --export the engine's "
    "file\nand how_to_load.txt. Exit codes: 0 done, 2 wrong input.\n\n";

std::vector<EngineFormat> engines_of(const std::vector<std::string>& names) {
  std::vector<EngineFormat> formats;
  for (const std::string& name : names) {
    const auto format = interchange::engine_format(name);
    if (!format) {
      std::vector<std::string> known;
      for (const EngineFormat f : interchange::engine_formats()) {
        known.emplace_back(interchange::name_of(f));
      }
      const std::string near = nearest_name(name, known);
      throw InputError(
          Diagnostic{.field = "--export",
                     .message = fmt::format("expected {}, got '{}'", fmt::join(known, ", "), name),
                     .hint = near.empty() ? "" : fmt::format("did you mean {}?", near)});
    }
    if (std::find(formats.begin(), formats.end(), *format) == formats.end()) {
      formats.push_back(*format);
    }
  }
  return formats;
}

std::vector<std::string> file_names(const std::vector<EngineFormat>& engines) {
  std::vector<std::string> names = {"plan.json", "report.json", "report.txt", "layers.csv"};
  for (const EngineFormat f : engines) names.emplace_back(interchange::file_name_of(f));
  if (!engines.empty()) names.emplace_back("how_to_load.txt");
  return names;
}

/// The engines' files, each read back before anything is called done.
void write_engine_files(const OutputDirectory& folder, const scenario::PlacementTask& task,
                        const placement::Placement& placement,
                        const std::vector<EngineFormat>& engines) {
  std::string notes;
  for (const EngineFormat format : engines) {
    const std::string name(interchange::file_name_of(format));
    const std::string text = interchange::engine_text(format, placement, task.layers);
    const placement::Placement again =
        interchange::parse_placement(text, name, placement.shape, task.layers);
    if (again.expert_of_slot != placement.expert_of_slot) {
      throw IoError(name + ": does not read back as it was written");
    }
    folder.write(name, text);
    notes += fmt::format("{} ({})\n\n{}\n", interchange::name_of(format), name,
                         interchange::how_to_load(format, placement, task.layers, name));
  }
  if (!engines.empty()) folder.write("how_to_load.txt", notes);
}

int place(const scenario::PlacementTask& task, const PlaceOptions& options,
          const std::vector<EngineFormat>& engines, std::ostream& out) {
  std::optional<OutputDirectory> folder;
  if (!options.common.output_directory.empty()) {
    folder.emplace(options.common.output_directory, options.common.overwrite, file_names(engines));
  }
  Progress bar("place", options.common.quiet);
  const sweep::PlacementStudy study =
      sweep::study_placement(task, [&](double share) { bar.update(share, task.strategy); });
  bar.finish();
  if (folder) {
    folder->write("plan.json", report::place_plan_json(task, study.result.placement));
    folder->write("report.json", report::place_json(task, study));
    folder->write("report.txt", report::place_table(task, study));
    folder->write("layers.csv", report::place_layers_csv(study));
    write_engine_files(*folder, task, study.result.placement, engines);
  }
  if (options.common.format == "json") {
    out << report::place_json(task, study);
  } else if (options.common.format == "csv") {
    out << report::place_layers_csv(study);
  } else {
    out << report::place_table(task, study);
  }
  if (folder && !options.common.quiet) fmt::print(stderr, "results in {}\n", folder->path());
  return kDone;
}

/// Pages that write no placement.
int weigh(const scenario::PlacementTask& task, const PlaceOptions& options, std::ostream& out) {
  Progress bar("go or no go", options.common.quiet);
  const sweep::GoNoGo weighed =
      sweep::weigh_placement(task, [&](double share) { bar.update(share, task.strategy); });
  bar.finish();
  out << (options.common.format == "json" ? report::go_no_go_json(task, weighed)
                                          : report::go_no_go_page(task, weighed));
  return kDone;
}

int show_front(const scenario::PlacementTask& task, const PlaceOptions& options,
               std::ostream& out) {
  Progress bar("front", options.common.quiet);
  const sweep::PlacementFronts fronts =
      sweep::placement_fronts(task, [&](double share) { bar.update(share, task.strategy); });
  bar.finish();
  out << (options.common.format == "json" ? report::place_front_json(task, fronts)
                                          : report::place_front_table(task, fronts));
  return kDone;
}

void check_combination(const PlaceOptions& options, const std::string& path) {
  const auto refuse = [](const char* field, const char* message, const char* hint) {
    throw InputError(Diagnostic{.field = field, .message = message, .hint = hint});
  };
  if (path.empty() && options.instances.empty()) {
    refuse("PLACEMENT", "no placement file and no --instance given", "see moesim place --help");
  }
  if (!path.empty() && !options.instances.empty()) {
    refuse("--instance", "stands in place of a placement file", "give one of them");
  }
  if (!options.exports.empty() && options.common.output_directory.empty()) {
    refuse("--export", "needs a folder to write to", "add -o DIR");
  }
  const int modes =
      (options.front ? 1 : 0) + (options.go_no_go ? 1 : 0) + (options.evaluated.empty() ? 0 : 1);
  if (modes > 1) {
    refuse(options.evaluated.empty() ? "--front" : "--evaluate",
           "--evaluate, --front and --go-no-go exclude each other", "give one");
  }
  if (options.mode() != PlaceMode::Place) {
    if (options.common.format == "csv") refuse("--format", "is a page or JSON", "table or json");
    if (!options.common.output_directory.empty()) {
      refuse("-o", "this page makes no placement to be written", "redirect the page to a file");
    }
  }
}

}  // namespace

int run_place(const Arguments& arguments, std::ostream& out) {
  PlaceOptions options;
  std::string path;
  po::options_description shown("Options");
  add_place_options(shown, options);
  po::options_description all;
  all.add(shown);
  all.add_options()("placement", po::value(&path)->value_name("PLACEMENT"));
  po::positional_options_description places;
  places.add("placement", 1);
  po::variables_map found;
  if (!parse_options(arguments, all, places, found)) {
    out << kUsage << shown;
    return kDone;
  }
  check_combination(options, path);
  check_format(options.common.format, {"table", "json", "csv"});
  const std::vector<EngineFormat> engines = engines_of(options.exports);
  const std::vector<std::string> overrides = place_overrides(found, options);
  const catalog::Catalog catalog = scenario::read_run_catalog();
  const std::string unnamed = "name: \"placement\"\n";  // The options say the rest.
  const scenario::PlacementTask task =
      path.empty()
          ? scenario::read_placement_text(
                unnamed, {.file_name = "command line", .folder = "", .may_open_files = true},
                overrides, options.evaluated, catalog)
          : scenario::read_placement_file(path, overrides, options.evaluated, catalog);
  switch (options.mode()) {
    case PlaceMode::GoNoGo:
      return weigh(task, options, out);
    case PlaceMode::Front:
      return show_front(task, options, out);
    case PlaceMode::Place:
      break;
  }
  return place(task, options, engines, out);
}

}  // namespace moesim::cli
