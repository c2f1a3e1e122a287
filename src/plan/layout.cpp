#include "plan/layout.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/check.h"

namespace moesim::plan {

std::string to_string(const Layout& layout) {
  return fmt::format("tp{} pp{} dp{} ep{} x{}", layout.tp, layout.pp, layout.dp, layout.ep,
                     layout.replicas);
}

Layout normalised(Layout layout) {
  if (layout.ep == 1 && layout.dp > 1 && !layout.splits_every_expert) {
    layout.replicas *= layout.dp;
    layout.dp = 1;
  }
  return layout;
}

std::vector<StageLayers> split_layers(std::int64_t layers, std::int64_t stages) {
  MOESIM_CHECK(layers >= 0 && stages >= 1, "layers are split over no stage");
  std::vector<StageLayers> split;
  split.reserve(static_cast<std::size_t>(stages));
  std::int64_t first = 0;
  for (std::int64_t stage = 0; stage < stages; ++stage) {
    const std::int64_t last = first + layers / stages + (stage < layers % stages ? 1 : 0);
    split.push_back({.first = first, .last = last});
    first = last;
  }
  return split;
}

std::vector<StageLayers> split_layers(const catalog::Model& model, const Layout& layout) {
  if (layout.layers_per_stage.empty()) return split_layers(model.layers(), layout.pp);
  MOESIM_CHECK(std::ssize(layout.layers_per_stage) == layout.pp, "a number of layers per stage");
  std::vector<StageLayers> split;
  std::int64_t first = 0;
  for (const std::int64_t layers : layout.layers_per_stage) {
    split.push_back({.first = first, .last = first + layers});
    first += layers;
  }
  MOESIM_CHECK(first == model.layers(), "every layer stands in a stage");
  return split;
}

}  // namespace moesim::plan
