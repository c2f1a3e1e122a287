// Which layers of a model route tokens to experts: engine files count layers in different ways.
//
// DeepSeek-V3: 61 layers, the first three dense, so that MoE layers 0..57 are layers 3..60.
// Layer: interchange.
#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

namespace moesim::interchange {

struct ModelLayers {
  std::int64_t hidden_layers = 0;           ///< All of them, dense ones included.
  std::vector<std::int32_t> moe_layer_ids;  ///< Ascending, below hidden_layers.
  [[nodiscard]] bool known() const { return hidden_layers > 0; }
  [[nodiscard]] std::int64_t moe_layers() const { return std::ssize(moe_layer_ids); }
};

/// Dense layers first, then MoE layers to the end.
[[nodiscard]] inline ModelLayers dense_first(std::int64_t dense, std::int64_t moe_layers) {
  ModelLayers layers{.hidden_layers = dense + moe_layers, .moe_layer_ids = {}};
  layers.moe_layer_ids.resize(static_cast<std::size_t>(moe_layers));
  std::iota(layers.moe_layer_ids.begin(), layers.moe_layer_ids.end(),
            static_cast<std::int32_t>(dense));
  return layers;
}

}  // namespace moesim::interchange
