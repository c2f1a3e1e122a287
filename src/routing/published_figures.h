// Statistics of recorded routing that the presets were fitted to, to stand beside generated ones.
//
// Source: docs/models/affinity.md (token traces) and docs/models/routing.md (loads).
// Layer: routing.
#pragma once

#include <string_view>
#include <vector>

namespace moesim::routing {

/// A figure of LayerStatistics, by its name in proto/routing.proto, over the recordings.
struct PublishedFigure {
  std::string_view figure;
  double lowest;
  double highest;
  std::string_view source;
};

/// Of an affinity or popularity preset; empty if it was not fitted to a recording.
[[nodiscard]] std::vector<PublishedFigure> published_figures(std::string_view preset);

}  // namespace moesim::routing
