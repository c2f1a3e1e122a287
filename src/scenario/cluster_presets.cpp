#include "scenario/cluster_presets.h"

#include <fmt/format.h>

#include <set>

#include "core/check.h"
#include "core/text.h"
#include "scenario/findings.h"
#include "scenario/message_reader.h"

namespace moesim::scenario {
namespace {

std::vector<std::string> names_of(const std::vector<proto::ClusterPreset>& presets) {
  std::vector<std::string> names;
  for (const proto::ClusterPreset& preset : presets) names.push_back(preset.name());
  return names;
}

void check_fields(const proto::ClusterPreset& preset, const std::string& path,
                  std::set<std::string>& seen, Findings& findings) {
  const auto needed = [&](const char* field, bool given, const char* hint) {
    if (!given) findings.missing(join_path(path, field), "is missing", hint);
  };
  needed("name", !preset.name().empty(), "write the name scenarios use");
  needed("description", !preset.description().empty(), "write one line for lists");
  needed("cluster", preset.has_cluster(), "write cluster { gpu: \"H200-SXM\" }");
  needed("source", !preset.source().empty(), "say where it comes from");
  std::vector<std::string> names(preset.alias().begin(), preset.alias().end());
  names.push_back(preset.name());
  for (const std::string& name : names) {
    if (name.empty() || seen.insert(to_lower(name)).second) continue;
    findings.error(path, "has the name " + shown(name) + " of another entry",
                   "rename one entry or alias");
  }
}

/// Follows the presets that entry `index` starts from until one that starts from none.
void check_references(const std::vector<proto::ClusterPreset>& presets, std::size_t index,
                      Findings& findings) {
  const std::string path = fmt::format("cluster[{}].cluster.preset", index);
  std::string way = presets[index].name();
  const proto::ClusterPreset* at = &presets[index];
  for (std::size_t steps = 0; at->cluster().has_preset(); ++steps) {
    const std::string& next = at->cluster().preset();
    const proto::ClusterPreset* found = find_preset(presets, next);
    if (found == nullptr) {
      // Said of the entry that names it.
      if (at != &presets[index]) return;
      const std::string nearest = did_you_mean(next, names_of(presets));
      findings.error(path, "is no cluster of the catalog, got " + shown(next),
                     nearest.empty() ? "name another entry of this file" : nearest);
      return;
    }
    way += " -> " + found->name();
    if (found == &presets[index]) {
      findings.error(path, "leads back to itself: " + way, "start one of them from its GPU");
      return;
    }
    if (steps > presets.size()) return;  // A loop further on: said of its own entries.
    at = found;
  }
}

}  // namespace

const proto::ClusterPreset* find_preset(const std::vector<proto::ClusterPreset>& presets,
                                        std::string_view name) {
  for (const proto::ClusterPreset& preset : presets) {
    if (equal_ignoring_case(preset.name(), name)) return &preset;
    for (const std::string& alias : preset.alias()) {
      if (equal_ignoring_case(alias, name)) return &preset;
    }
  }
  return nullptr;
}

std::vector<proto::ClusterPreset> read_cluster_presets(const std::string& path) {
  Findings findings(path);
  proto::ClusterCatalog catalog;
  std::vector<proto::ClusterPreset> presets;
  std::set<std::string> seen;
  if (read_message(read_file(path, kMaxInputBytes), Syntax::Text, catalog, findings)) {
    for (int i = 0; i < catalog.cluster_size(); ++i) {
      presets.push_back(catalog.cluster(i));
      check_fields(catalog.cluster(i), fmt::format("cluster[{}]", i), seen, findings);
    }
    for (std::size_t i = 0; i < presets.size(); ++i) check_references(presets, i, findings);
  }
  findings.throw_if_any();
  return presets;
}

proto::Cluster filled_in(const proto::Cluster& given,
                         const std::vector<proto::ClusterPreset>& presets) {
  if (!given.has_preset()) return given;
  const proto::ClusterPreset* preset = find_preset(presets, given.preset());
  MOESIM_CHECK(preset != nullptr, "the preset is known");
  proto::Cluster result = filled_in(preset->cluster(), presets);
  if (given.degraded_size() > 0) result.clear_degraded();
  result.MergeFrom(given);
  result.clear_preset();
  return result;
}

}  // namespace moesim::scenario
