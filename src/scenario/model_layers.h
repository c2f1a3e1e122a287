// Which layers of a catalog model route tokens, as files of engines count them.
//
// Layer: scenario.
#pragma once

#include <cstdint>

#include "catalog/model.h"
#include "interchange/model_layers.h"

namespace moesim::scenario {

[[nodiscard]] inline interchange::ModelLayers model_layers(const catalog::Model& model) {
  interchange::ModelLayers layers{.hidden_layers = model.layers(), .moe_layer_ids = {}};
  for (std::int64_t i = 0; i < model.layers(); ++i) {
    if (model.layer(i).feed_forward.is_moe()) {
      layers.moe_layer_ids.push_back(static_cast<std::int32_t>(i));
    }
  }
  return layers;
}

}  // namespace moesim::scenario
