// The shape of a model's routed layers, as the experts' popularity and the draw need it.
//
// Models: one shape for all of them.
// Omits: models whose routed layers differ in experts, top-k or groups; those have no shape here.
// Layer: routing.
#pragma once

#include <optional>

#include "catalog/model.h"
#include "routing/popularity.h"

namespace moesim::routing {

/// Nothing if the routed layers differ from each other. A dense model has the shape of no layers.
[[nodiscard]] std::optional<RoutingShape> routing_shape(const catalog::Model& model);

}  // namespace moesim::routing
