// Reads a placement file into a task: what is placed on what, for which routing, by which strategy.
//
// Layer: scenario.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"
#include "scenario/placement_task.h"
#include "scenario/scenario_reader.h"

namespace moesim::scenario {

/// Throws InputError with every mistake of the file, of its scenario and of the routing and
/// placement files it names; IoError. `judged`: path of a placement to be judged in place of a
/// strategy, or "".
[[nodiscard]] PlacementTask read_placement_file(const std::string& path,
                                                const std::vector<std::string>& overrides,
                                                const std::string& judged,
                                                const catalog::Catalog& catalog);
[[nodiscard]] PlacementTask read_placement_text(std::string_view text, const TextOrigin& origin,
                                                const std::vector<std::string>& overrides,
                                                const std::string& judged,
                                                const catalog::Catalog& catalog);

}  // namespace moesim::scenario
