// The presets of scenarios/catalog/clusters.txtpb, and a cluster with those of its preset filled
// in.
//
// Internal to the folder; other folders use cluster_reader.h.
// Layer: scenario.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "scenario.pb.h"

namespace moesim::scenario {

/// All presets of a catalog file, checked: names once, required fields there, references known and
/// without a loop. Throws InputError, IoError.
[[nodiscard]] std::vector<proto::ClusterPreset> read_cluster_presets(const std::string& path);

/// The preset of that name or alias, in any case; nullptr if there is none.
[[nodiscard]] const proto::ClusterPreset* find_preset(
    const std::vector<proto::ClusterPreset>& presets, std::string_view name);

/// `given` over the fields of its preset and of that one's, and so on; no preset is left in it.
/// Precondition: the preset is one of `presets`.
[[nodiscard]] proto::Cluster filled_in(const proto::Cluster& given,
                                       const std::vector<proto::ClusterPreset>& presets);

}  // namespace moesim::scenario
