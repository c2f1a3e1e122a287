// Where the pipeline stages of an instance lie, which layers each holds, and who shares its leaves.
#include <algorithm>
#include <utility>

#include "operators/collectives.h"
#include "serving/instance_cost.h"

namespace moesim::serving {

std::vector<std::vector<GpuId>> stage_groups(const Deployment& deployment, std::int64_t replica) {
  const plan::Layout& layout = deployment.layout;
  std::vector<std::vector<GpuId>> groups(static_cast<std::size_t>(layout.pp));
  std::int64_t gpu = deployment.first_gpu + replica * layout.gpus_per_instance();
  for (std::vector<GpuId>& group : groups) {
    for (std::int64_t i = 0; i < layout.tp * layout.dp; ++i) group.emplace_back(gpu++);
  }
  return groups;
}

void InstanceCost::count_neighbours(const topology::Topology& topology,
                                    const std::vector<std::vector<GpuId>>& groups) {
  const auto leaves_of = [&](const std::vector<GpuId>& group) {
    std::vector<std::int32_t> leaves;
    for (const GpuId gpu : group) {
      if (const auto attachment = topology.attachment(gpu)) leaves.push_back(attachment->leaf);
    }
    std::sort(leaves.begin(), leaves.end());
    leaves.erase(std::unique(leaves.begin(), leaves.end()), leaves.end());
    return leaves;
  };
  const plan::Layout& layout = deployment_->layout;
  if (layout.dp == 1 || layout.replicas * layout.pp == 1) return;
  for (std::int64_t replica = 0; replica < layout.replicas; ++replica) {
    for (const std::vector<GpuId>& other : stage_groups(*deployment_, replica)) {
      const std::vector<std::int32_t> theirs = leaves_of(other);
      if (theirs.size() < 2) continue;  // never above its leaf
      for (std::size_t s = 0; s < groups.size(); ++s) {
        if (groups[s] == other) continue;
        const std::vector<std::int32_t> ours = leaves_of(groups[s]);
        const bool shared = std::any_of(ours.begin(), ours.end(), [&](std::int32_t leaf) {
          return std::binary_search(theirs.begin(), theirs.end(), leaf);
        });
        stages_[s].neighbours += shared ? 1 : 0;
      }
    }
  }
}

void InstanceCost::lay_out_stages(const topology::Topology& topology,
                                  const std::vector<std::vector<GpuId>>& groups) {
  const catalog::Model& model = deployment_->model;
  const auto split = plan::split_layers(model, deployment_->layout);
  const bool exchanges = deployment_->layout.dp > 1;
  std::int64_t moe_layer = 0;
  for (std::size_t s = 0; s < split.size(); ++s) {
    Stage& stage = stages_.emplace_back();
    stage.group = groups[s];
    stage.layers_of_kind.resize(model.kinds.size());
    std::vector<std::int32_t> layers(model.kinds.size(), 0);
    for (std::int64_t i = split[s].first; i < split[s].last; ++i) {
      const catalog::LayerKind& kind = model.layer(i);
      ++layers[static_cast<std::size_t>(&kind - model.kinds.data())];
      ++stage.layers_of_kind[static_cast<std::size_t>(&kind - model.kinds.data())];
      if (!kind.feed_forward.is_moe()) continue;
      stage.moe_layers.push_back(moe_layer++);
      if (!exchanges) continue;
      stage.kind_of_moe_layer.push_back(static_cast<std::size_t>(&kind - model.kinds.data()));
      stage.stretch_of_moe_layer.push_back(
          add_stretch(stage, std::exchange(layers, std::vector<std::int32_t>(layers.size(), 0))));
    }
    stage.trailing = layers;
    add_stretch(stage, layers);
    count_split_layers(stage);
    const std::span<const GpuId> tp_group(groups[s].data(),
                                          static_cast<std::size_t>(deployment_->layout.tp));
    if (deployment_->layout.tp > 1) {
      stage.all_reduce =
          GroupCollective::all_reduce(*deployment_, model_->kernels, topology, tp_group);
      if (model.is_moe() && deployment_->layout.dp > 1) {
        stage.all_gather =
            GroupCollective::all_gather(*deployment_, model_->kernels, topology, tp_group);
      }
    }
    if (s + 1 < split.size()) {
      stage.to_next = operators::point_to_point(topology, groups[s].front(), groups[s + 1].front());
    }
  }
}

std::size_t InstanceCost::add_stretch(Stage& stage,
                                      const std::vector<std::int32_t>& layers_of_kind) {
  for (std::size_t i = 0; i < stage.stretches.size(); ++i) {
    if (stage.stretches[i].layers_of_kind == layers_of_kind) {
      ++stage.stretches[i].times;
      return i;
    }
  }
  stage.stretches.push_back({layers_of_kind, 1});
  return stage.stretches.size() - 1;
}

}  // namespace moesim::serving
