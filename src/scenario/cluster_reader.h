// Clusters by themselves: the presets of the catalog, and the cluster of a scenario file without
// the rest of it.
//
// Layer: scenario.
#pragma once

#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "topology/cluster.h"

namespace moesim::scenario {

/// A cluster with the names and origin of its description.
struct NamedCluster {
  std::string name;
  std::vector<std::string> aliases;
  std::string description;
  std::string source;
  std::string note;
  topology::Cluster cluster;
  std::vector<std::string> notes;  ///< Estimates among its figures.
};

/// All presets of scenarios/catalog/clusters.txtpb. `catalog` holds at least GPUs and fabrics.
/// Throws InputError, IoError.
[[nodiscard]] std::vector<NamedCluster> list_clusters(const catalog::Catalog& catalog);

/// The cluster of preset `name` (any case, aliases included) with overrides "cluster.nodes=16".
/// Throws InputError, for an unknown name with the nearest one.
[[nodiscard]] NamedCluster read_preset(const std::string& name,
                                       const std::vector<std::string>& overrides,
                                       const catalog::Catalog& catalog);

/// The cluster of a scenario file; what else the file holds is read but not looked at, so nothing
/// it names is opened. Throws InputError, IoError.
[[nodiscard]] NamedCluster read_cluster_file(const std::string& path,
                                             const std::vector<std::string>& overrides,
                                             const catalog::Catalog& catalog);

}  // namespace moesim::scenario
