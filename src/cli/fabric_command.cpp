#include "cli/fabric_command.h"

#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <filesystem>
#include <ostream>
#include <utility>

#include "cli/watched_run.h"
#include "core/diagnostics.h"
#include "report/fabric_report.h"
#include "report/fabric_use.h"
#include "report/text_layout.h"
#include "scenario/catalog_reader.h"
#include "scenario/cluster_reader.h"
#include "scenario/scenario_reader.h"
#include "topology/topology.h"

namespace moesim::cli {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "moesim fabric CLUSTER [options]\n\n"
    "Draws a cluster: one node in detail, how nodes are joined, usable bandwidths, bisection,\n"
    "oversubscription and the longest path. CLUSTER is a cluster of the catalog (moesim catalog\n"
    "list clusters) or a scenario file, of which only the cluster is read. With --run the "
    "scenario\n"
    "is simulated, and what its links carried and which one is the bottleneck is added.\n\n"
    "  moesim fabric hgx-h100-rail\n"
    "  moesim fabric gb200-nvl72 --set cluster.nodes=4\n"
    "  moesim fabric hgx-h100 --set 'cluster.degraded[0]={link: \"node0/nic2\" down: true}'\n"
    "  moesim fabric fat-tree-4096 --format dot | dot -Tsvg -o fabric.svg\n"
    "  moesim fabric scenarios/deepseek_v3_h200_ep32.txtpb --format json\n"
    "  moesim fabric scenarios/mixtral_8x7b_h100_tp2.txtpb --run\n\n"
    "Every name it shows (node3/nic2, rail2/leaf0, spine) can stand in cluster.degraded.\n"
    "Exit codes: 0 done, 2 wrong input, 3 (--run) does not fit into memory.\n\n";

/// A file if it looks like one or is there, else a name of the catalog.
bool names_file(const std::string& text) {
  const std::filesystem::path path(text);
  std::error_code ignored;
  return path.has_parent_path() || path.extension() == ".txtpb" || path.extension() == ".json" ||
         std::filesystem::exists(path, ignored);
}

report::FabricSubject subject_of(const scenario::NamedCluster& cluster) {
  report::FabricSubject subject{.name = cluster.name,
                                .description = cluster.description,
                                .source = cluster.source,
                                .notes = {}};
  if (!cluster.note.empty()) subject.notes.push_back(cluster.note);
  subject.notes.insert(subject.notes.end(), cluster.notes.begin(), cluster.notes.end());
  return subject;
}

struct Options {
  std::string name;
  std::string format;
  std::vector<std::string> overrides;
  bool full = false;
  bool run = false;
  bool quiet = false;
};

InputError wrong(const char* field, const char* message, const char* hint) {
  return InputError(Diagnostic{.field = field, .message = message, .hint = hint});
}

void check(const Options& o, bool seeded) {
  if (o.name.empty()) {
    throw wrong("CLUSTER", "no cluster given", "see moesim catalog list clusters");
  }
  check_format(o.format, {"text", "dot", "json"});
  if (o.full && o.format != "dot") throw wrong("--full", "is only for dot", "add --format dot");
  if (seeded && !o.run) throw wrong("--seed", "is only for a run", "add --run");
  if (!o.run) return;
  if (o.format == "dot") throw wrong("--run", "is not for dot", "use --format text or json");
  if (!names_file(o.name)) {
    throw wrong("--run", "needs a scenario, not a cluster of the catalog",
                "give a scenario file, see scenarios/");
  }
}

int draw_run(const Options& o, std::ostream& out) {
  const catalog::Catalog catalog = scenario::read_run_catalog();
  const scenario::Scenario scenario = scenario::read_scenario_file(o.name, o.overrides, catalog);
  report::FabricSubject subject =
      subject_of(scenario::read_cluster_file(o.name, o.overrides, catalog));
  const topology::Topology topology(scenario.deployment.cluster);
  const sweep::ScenarioResult result = watched_run(scenario, o.quiet);
  if (!result.fits) subject.notes.push_back("nothing was run: " + result.memory.reason);
  const serving::RunResult* const run = result.fits ? &result.run : nullptr;
  if (o.format == "json") {
    out << report::fabric_json(subject, topology, run);
  } else {
    out << report::fabric_text(subject, topology);
    if (run != nullptr) {
      out << "\n"
          << report::fabric_use_text(run->fabric) << "\n"
          << report::labelled("bottleneck", report::bottleneck_text(run->fabric, run->time));
    }
  }
  return result.fits ? kDone : kDoesNotFit;
}

}  // namespace

int run_fabric(const Arguments& arguments, std::ostream& out) {
  Options o;
  po::options_description options("Options");
  auto add = options.add_options();
  add("set", po::value(&o.overrides)->value_name("A.B.C=VALUE")->composing(),
      "override a field, as in cluster.nodes=16; repeatable");
  add("format", po::value(&o.format)->value_name("FORMAT")->default_value("text"),
      "text, dot (Graphviz) or json");
  add("full", po::bool_switch(&o.full), "dot: every GPU and link, not one of each kind of node");
  add("run", po::bool_switch(&o.run), "simulate the scenario and tell what its links carried");
  add("seed", po::value<std::string>()->value_name("N"), "with --run: seed of its random streams");
  add("quiet,q", po::bool_switch(&o.quiet), "no progress on stderr");
  add("help,h", "this text");
  po::options_description all;
  all.add(options).add_options()("cluster", po::value(&o.name)->value_name("CLUSTER"));
  po::positional_options_description places;
  places.add("cluster", 1);
  po::variables_map found;
  if (!parse_options(arguments, all, places, found)) {
    out << kUsage << options;
    return kDone;
  }
  const auto seed = seed_of(found);
  check(o, seed.has_value());
  if (seed) o.overrides.push_back(fmt::format("simulation.seed={}", *seed));
  if (o.run) return draw_run(o, out);
  const catalog::Catalog catalog =
      scenario::read_catalog(scenario::find_catalog_directory(),
                             scenario::CatalogParts::Gpus | scenario::CatalogParts::Fabrics);
  const scenario::NamedCluster cluster =
      names_file(o.name) ? scenario::read_cluster_file(o.name, o.overrides, catalog)
                         : scenario::read_preset(o.name, o.overrides, catalog);
  const topology::Topology topology(cluster.cluster);
  const report::FabricSubject subject = subject_of(cluster);
  if (o.format == "dot") {
    out << report::fabric_dot(subject, topology,
                              o.full ? report::DotDetail::Full : report::DotDetail::Collapsed);
  } else if (o.format == "json") {
    out << report::fabric_json(subject, topology);
  } else {
    out << report::fabric_text(subject, topology);
  }
  return kDone;
}

}  // namespace moesim::cli
