// Where a cluster starts from, which of its links are degraded, and whether all GPUs are reached.
#include <fmt/format.h>

#include <utility>

#include "scenario/catalog_reader.h"
#include "scenario/cluster_presets.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"
#include "topology/cluster_check.h"

namespace moesim::scenario {
namespace {

constexpr int kMaxDegraded = 256;
constexpr std::size_t kMaxLinkName = 100;

}  // namespace

bool Resolver::resolve_cluster_preset(proto::Cluster& cluster) {
  if (!cluster.has_preset()) return true;
  const std::string path = "cluster.preset";
  if (!may_open(path)) return false;
  const std::vector<proto::ClusterPreset> presets =
      read_cluster_presets(find_catalog_directory() + "/clusters.txtpb");
  if (find_preset(presets, cluster.preset()) != nullptr) {
    cluster = filled_in(cluster, presets);
    return true;
  }
  std::vector<std::string> names;
  for (const proto::ClusterPreset& preset : presets) {
    names.push_back(preset.name());
    names.insert(names.end(), preset.alias().begin(), preset.alias().end());
  }
  const std::string nearest = did_you_mean(cluster.preset(), names);
  error(path, "is no cluster of the catalog, got " + shown(cluster.preset()),
        nearest.empty() ? "see moesim catalog list clusters" : nearest);
  return false;
}

void Resolver::resolve_degraded(const proto::Cluster& cluster) {
  topology::Cluster& c = scenario_.deployment.cluster;
  if (cluster.degraded_size() > kMaxDegraded) {
    error("cluster.degraded",
          fmt::format("has {} entries, at most {}", cluster.degraded_size(), kMaxDegraded));
    return;
  }
  for (int i = 0; i < cluster.degraded_size(); ++i) {
    const proto::DegradedLink& entry = cluster.degraded(i);
    const std::string path = fmt::format("cluster.degraded[{}]", i);
    topology::DegradedLink link{.link = entry.link(), .share = 0.0};
    if (entry.link().empty()) {
      findings_.missing(path + ".link", "is missing", "name it as moesim fabric does: node0/nic2");
    } else if (entry.link().size() > kMaxLinkName) {
      error(path + ".link", fmt::format("has more than {} bytes", kMaxLinkName));
    }
    switch (entry.state_case()) {
      case proto::DegradedLink::kShare:
        link.share = checked_real(findings_, path + ".share", entry.share(), kLeastEfficiency,
                                  LowEnd::Included, 1.0);
        break;
      case proto::DegradedLink::kDown:
        if (!entry.down()) error(path + ".down", "is false", "leave the entry out");
        break;
      case proto::DegradedLink::STATE_NOT_SET:
        findings_.missing(path, "says neither which share of the rate is left nor down",
                          "write share: 0.5 or down: true");
        break;
    }
    c.degraded.push_back(std::move(link));
  }
}

void Resolver::check_reach() {
  const topology::Cluster& c = scenario_.deployment.cluster;
  for (topology::ClusterFault& fault : topology::faults_of(c)) {
    std::string path = "cluster.scale_out";
    if (fault.degraded) path = fmt::format("cluster.degraded[{}].link", *fault.degraded);
    // An entry that is wrong by itself has been told of.
    if (fault.degraded && findings_.any_at(fmt::format("cluster.degraded[{}]", *fault.degraded))) {
      continue;
    }
    error(path, std::move(fault.message), std::move(fault.hint));
  }
}

void Resolver::note_degraded() {
  for (const topology::DegradedLink& link : scenario_.deployment.cluster.degraded) {
    note(link.share > 0.0 ? fmt::format("{} runs at {} of its rate", link.link, link.share)
                          : fmt::format("{} is down", link.link));
  }
}

}  // namespace moesim::scenario
