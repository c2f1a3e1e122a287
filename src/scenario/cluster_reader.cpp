#include "scenario/cluster_reader.h"

#include <filesystem>
#include <utility>

#include "scenario/catalog_reader.h"
#include "scenario/cluster_presets.h"
#include "scenario/findings.h"
#include "scenario/message_reader.h"
#include "scenario/resolver.h"

namespace moesim::scenario {
namespace {

NamedCluster resolved(proto::Scenario& message, const TextOrigin& origin,
                      const catalog::Catalog& catalog, Findings& findings) {
  Scenario scenario = Resolver(message, origin, catalog, findings).resolve_only_cluster();
  findings.throw_if_any();
  NamedCluster result;
  result.name = message.name();
  result.description = message.description();
  result.cluster = std::move(scenario.deployment.cluster);
  result.notes = std::move(scenario.notes);
  return result;
}

NamedCluster resolved_preset(const proto::ClusterPreset& preset, proto::Scenario& message,
                             const catalog::Catalog& catalog, Findings& findings) {
  message.mutable_cluster()->set_preset(preset.name());
  NamedCluster result = resolved(message, TextOrigin{}, catalog, findings);
  result.name = preset.name();
  result.aliases.assign(preset.alias().begin(), preset.alias().end());
  result.description = preset.description();
  result.source = preset.source();
  result.note = preset.note();
  return result;
}

std::string presets_path() { return find_catalog_directory() + "/clusters.txtpb"; }

}  // namespace

std::vector<NamedCluster> list_clusters(const catalog::Catalog& catalog) {
  std::vector<NamedCluster> clusters;
  for (const proto::ClusterPreset& preset : read_cluster_presets(presets_path())) {
    Findings findings(presets_path());
    proto::Scenario message;
    clusters.push_back(resolved_preset(preset, message, catalog, findings));
  }
  return clusters;
}

NamedCluster read_preset(const std::string& name, const std::vector<std::string>& overrides,
                         const catalog::Catalog& catalog) {
  const std::vector<proto::ClusterPreset> presets = read_cluster_presets(presets_path());
  const proto::ClusterPreset* preset = find_preset(presets, name);
  if (preset == nullptr) {
    std::vector<std::string> names;
    for (const proto::ClusterPreset& known : presets) {
      names.push_back(known.name());
      names.insert(names.end(), known.alias().begin(), known.alias().end());
    }
    const std::string nearest = did_you_mean(name, names);
    throw InputError(
        Diagnostic{.field = "CLUSTER",
                   .message = "is neither a cluster of the catalog nor a file, got " + shown(name),
                   .hint = nearest.empty() ? "see moesim catalog list clusters" : nearest});
  }
  Findings findings("");
  proto::Scenario message;
  message.mutable_cluster();
  for (const std::string& assignment : overrides) apply_override(assignment, message, findings);
  return resolved_preset(*preset, message, catalog, findings);
}

NamedCluster read_cluster_file(const std::string& path, const std::vector<std::string>& overrides,
                               const catalog::Catalog& catalog) {
  const TextOrigin origin = origin_of(path);
  Findings findings(path);
  proto::Scenario message;
  const bool complete =
      read_message(read_file(path, kMaxInputBytes), origin.syntax, message, findings);
  for (const std::string& assignment : overrides) apply_override(assignment, message, findings);
  if (!complete) findings.throw_if_any();
  NamedCluster result = resolved(message, origin, catalog, findings);
  if (result.name.empty()) result.name = std::filesystem::path(path).stem().string();
  return result;
}

}  // namespace moesim::scenario
