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
  if (layout.ep == 1 && layout.dp > 1) {
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

}  // namespace moesim::plan
