// Overheads of engines as text: what scenarios/catalog/engine_overheads.txtpb holds.
//
// Layer: scenario.
#pragma once

#include <span>
#include <string>

#include "catalog/engine_overhead.h"

namespace moesim::scenario {

/// The file that holds them, numbers to six significant digits.
[[nodiscard]] std::string overheads_text(std::span<const catalog::EngineOverhead> overheads);

}  // namespace moesim::scenario
