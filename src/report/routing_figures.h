// The figures of routing::LayerStatistics, named as in proto/routing.proto.
//
// Layer: report.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "routing/routing_statistics.h"

namespace moesim::report {

struct RoutingFigure {
  std::string_view field;  ///< Of RoutingFigures in proto/routing.proto.
  std::string_view words;
  std::string_view column;  ///< Short head of a column.
  std::optional<double> (*value)(const routing::LayerStatistics& layer);
};

[[nodiscard]] const std::vector<RoutingFigure>& routing_figures();

}  // namespace moesim::report
