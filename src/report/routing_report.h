// The answer of `moesim routing stats` as a table for people and as JSON for programs.
//
// JSON: message RoutingStatistics of proto/routing.proto. Definitions: docs/models/affinity.md.
// Layer: report.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "routing/published_figures.h"
#include "routing/routing_statistics.h"

namespace moesim::report {

struct RoutingSource {
  std::string name;
  std::string kind;  ///< "loads", "tokens", "generated tokens"
  std::string description;
  std::int64_t experts = 0;
  std::int64_t top_k = 0;  ///< 0: unknown.
  std::int64_t groups = 1;
  std::int64_t tokens = 0;
  std::vector<routing::LayerStatistics> layers;
  std::vector<routing::PublishedFigure> published{};
};

/// Means over layers, a column per source; with `by_layer` every layer of every source too.
[[nodiscard]] std::string routing_table(const std::vector<RoutingSource>& sources, bool by_layer);
[[nodiscard]] std::string routing_json(const std::vector<RoutingSource>& sources);

}  // namespace moesim::report
