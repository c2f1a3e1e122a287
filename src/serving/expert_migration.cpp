#include "serving/expert_migration.h"

#include <map>
#include <utility>

#include "catalog/parameters.h"
#include "net/collective_flows.h"
#include "net/flow_runs.h"

namespace moesim::serving {

ExpertMigration::ExpertMigration(const Deployment& deployment, const topology::Topology& topology,
                                 std::vector<std::vector<GpuId>> groups)
    : groups_(std::move(groups)), shards_(deployment.layout.expert_tp()), fabric_(topology) {
  const catalog::Model& model = deployment.model;
  for (const catalog::LayerRun& run : model.runs) {
    const catalog::LayerKind& kind = model.kinds[static_cast<std::size_t>(run.kind)];
    if (!kind.feed_forward.is_moe()) continue;
    const auto weights = static_cast<double>(catalog::layer_parameters(model, kind).routed_expert);
    bytes_of_layer_.insert(bytes_of_layer_.end(), static_cast<std::size_t>(run.count),
                           weights * deployment.precision.routed_experts.bytes_per_weight());
  }
}

LimitedTime ExpertMigration::time(std::size_t stage, std::span<const strategies::Move> moves) {
  // Weights between the same two GPUs are one flow: they share its path anyway.
  std::map<std::pair<std::int64_t, std::int64_t>, Bytes> between;
  const std::vector<GpuId>& group = groups_[stage];
  for (const strategies::Move& move : moves) {
    for (std::int64_t shard = 0; shard < shards_; ++shard) {
      between[{move.from_rank * shards_ + shard, move.to_rank * shards_ + shard}] +=
          expert_bytes(move.layer) / static_cast<double>(shards_);
    }
  }
  std::vector<net::Transfer> transfers;
  bool leaves_domain = false;
  const topology::Topology& topology = fabric_.topology();
  for (const auto& [ends, bytes] : between) {
    const GpuId from = group[static_cast<std::size_t>(ends.first)];
    const GpuId to = group[static_cast<std::size_t>(ends.second)];
    if (from == to) continue;
    leaves_domain = leaves_domain || !topology.shares_scale_up(from, to);
    transfers.push_back({.from = from, .to = to, .bytes = bytes});
  }
  LimitedTime time;
  if (transfers.empty()) return time;
  time[leaves_domain ? Limit::ScaleOut : Limit::ScaleUp] =
      net::time_alone(fabric_, net::transfer_flows(topology, transfers));
  return time;
}

}  // namespace moesim::serving
