// The clusters of the catalog as tables.
#include <string>

#include "cli/catalog_lists.h"
#include "cli/catalog_words.h"
#include "report/fabric_report.h"

namespace moesim::cli {
namespace {

using namespace moesim::literals;

std::string note_of(const scenario::NamedCluster& c) {
  std::string text = c.note;
  for (const std::string& note : c.notes) text += (text.empty() ? "" : "; ") + note;
  return text;
}

}  // namespace

Table list_clusters(const catalog::Catalog& catalog, const std::string& filter) {
  Table table{.columns = {{"name", "cluster"},
                          {"nodes", "nodes"},
                          {"gpus", "GPUs"},
                          {"gpu", "GPU"},
                          {"scale_up", "scale-up"},
                          {"nic", "NIC"},
                          {"nics_per_node", "a node"},
                          {"wiring", "wiring"},
                          {"description", ""},
                          {"aliases", ""},
                          {"source", ""},
                          {"note", ""}},
              .rows = {}};
  for (const scenario::NamedCluster& c : scenario::list_clusters(catalog)) {
    const bool network = c.cluster.scale_out != topology::ScaleOut::None;
    table.rows.push_back({c.name, c.cluster.nodes, c.cluster.gpus(), c.cluster.gpu.name,
                          c.cluster.scale_up.name, network ? Cell{c.cluster.nic.name} : Cell{},
                          network ? Cell{c.cluster.nics_per_node} : Cell{},
                          report::wiring_words(c.cluster.scale_out), c.description,
                          joined(c.aliases), c.source, note_of(c)});
  }
  return filtered(std::move(table), filter);
}

Table show_cluster(const scenario::NamedCluster& named) {
  const topology::Cluster& c = named.cluster;
  Table table{.columns = {}, .rows = {{}}};
  const auto add = [&](const char* key, const char* title, Cell cell) {
    if (const auto* text = std::get_if<std::string>(&cell); text != nullptr && text->empty()) {
      cell = Cell{};
    }
    table.columns.push_back({key, title});
    table.rows[0].push_back(std::move(cell));
  };
  add("name", "cluster", named.name);
  add("aliases", "also called", joined(named.aliases));
  add("description", "what it is", named.description);
  add("gpu", "GPU", c.gpu.name);
  add("nodes", "nodes", c.nodes);
  add("gpus_per_node", "GPUs per node", c.gpus_per_node);
  add("nodes_per_scale_up_domain", "nodes per domain", c.nodes_per_scale_up_domain);
  add("scale_up", "scale-up", c.scale_up.name);
  add("scale_up_gb_per_s", "  GB/s", c.scale_up.bandwidth / 1.0_GBps);
  add("pcie", "GPU to NIC", c.pcie.name);
  add("wiring", "wiring", report::wiring_words(c.scale_out));
  if (c.scale_out != topology::ScaleOut::None) {
    add("nic", "NIC", c.nic.name);
    add("nic_gb_per_s", "  GB/s per port", c.nic.bandwidth / 1.0_GBps);
    add("nics_per_node", "  ports per node", c.nics_per_node);
    add("leaf_ports", "leaf ports", c.leaf_ports);
    add("spine_switches", "spine switches", c.spine_switches);
    add("oversubscription", "oversubscription", c.oversubscription);
  }
  add("source", "source", named.source);
  add("note", "note", note_of(named));
  return table;
}

}  // namespace moesim::cli
