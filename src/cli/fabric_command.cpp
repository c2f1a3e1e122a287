#include "cli/fabric_command.h"

#include <boost/program_options.hpp>
#include <filesystem>
#include <ostream>
#include <utility>

#include "core/diagnostics.h"
#include "report/fabric_report.h"
#include "scenario/catalog_reader.h"
#include "scenario/cluster_reader.h"
#include "topology/topology.h"

namespace moesim::cli {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "moesim fabric CLUSTER [options]\n\n"
    "Draws a cluster: one node in detail, how nodes are joined, usable bandwidths, bisection,\n"
    "oversubscription and the longest path. CLUSTER is a cluster of the catalog (moesim catalog\n"
    "list clusters) or a scenario file, of which only the cluster is read.\n\n"
    "  moesim fabric hgx-h100-rail\n"
    "  moesim fabric gb200-nvl72 --set cluster.nodes=4\n"
    "  moesim fabric hgx-h100 --set 'cluster.degraded[0]={link: \"node0/nic2\" down: true}'\n"
    "  moesim fabric fat-tree-4096 --format dot | dot -Tsvg -o fabric.svg\n"
    "  moesim fabric scenarios/deepseek_v3_h200_ep32.txtpb --format json\n\n"
    "Every name it shows (node3/nic2, rail2/leaf0, spine) can stand in cluster.degraded.\n"
    "Exit codes: 0 done, 2 wrong input.\n\n";

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

}  // namespace

int run_fabric(const Arguments& arguments, std::ostream& out) {
  std::string name;
  std::string format;
  std::vector<std::string> overrides;
  bool full = false;
  po::options_description options("Options");
  auto add = options.add_options();
  add("set", po::value(&overrides)->value_name("A.B.C=VALUE")->composing(),
      "override a field, as in cluster.nodes=16; repeatable");
  add("format", po::value(&format)->value_name("FORMAT")->default_value("text"),
      "text, dot (Graphviz) or json");
  add("full", po::bool_switch(&full), "dot: every GPU and link, not one of each kind of node");
  add("quiet,q", "accepted as by the other verbs; nothing is printed beside the result");
  add("help,h", "this text");
  po::options_description all;
  all.add(options).add_options()("cluster", po::value(&name)->value_name("CLUSTER"));
  po::positional_options_description places;
  places.add("cluster", 1);
  po::variables_map found;
  if (!parse_options(arguments, all, places, found)) {
    out << kUsage << options;
    return kDone;
  }
  if (name.empty()) {
    throw InputError(Diagnostic{.field = "CLUSTER",
                                .message = "no cluster given",
                                .hint = "see moesim catalog list clusters"});
  }
  check_format(format, {"text", "dot", "json"});
  if (full && format != "dot") {
    throw InputError(
        Diagnostic{.field = "--full", .message = "is only for dot", .hint = "add --format dot"});
  }
  const catalog::Catalog catalog =
      scenario::read_catalog(scenario::find_catalog_directory(),
                             scenario::CatalogParts::Gpus | scenario::CatalogParts::Fabrics);
  const scenario::NamedCluster cluster = names_file(name)
                                             ? scenario::read_cluster_file(name, overrides, catalog)
                                             : scenario::read_preset(name, overrides, catalog);
  const topology::Topology topology(cluster.cluster);
  const report::FabricSubject subject = subject_of(cluster);
  if (format == "dot") {
    out << report::fabric_dot(subject, topology,
                              full ? report::DotDetail::Full : report::DotDetail::Collapsed);
  } else if (format == "json") {
    out << report::fabric_json(subject, topology);
  } else {
    out << report::fabric_text(subject, topology);
  }
  return kDone;
}

}  // namespace moesim::cli
