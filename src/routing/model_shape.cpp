#include "routing/model_shape.h"

namespace moesim::routing {

std::optional<RoutingShape> routing_shape(const catalog::Model& model) {
  RoutingShape shape;
  shape.moe_layers = model.moe_layers();
  for (const catalog::LayerRun& run : model.runs) {
    const catalog::FeedForward& f = model.kinds[static_cast<std::size_t>(run.kind)].feed_forward;
    if (!f.is_moe()) continue;
    const bool first = shape.experts == 0;
    const bool same = f.routed_experts == shape.experts && f.top_k == shape.top_k &&
                      f.groups == shape.groups && f.top_groups == shape.top_groups;
    if (!first && !same) return std::nullopt;
    shape.experts = f.routed_experts;
    shape.top_k = f.top_k;
    shape.groups = f.groups;
    shape.top_groups = f.top_groups;
  }
  return shape;
}

}  // namespace moesim::routing
