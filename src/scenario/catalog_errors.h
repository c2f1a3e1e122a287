// Recorded errors of predictions as text: what scenarios/catalog/prediction_errors.txtpb holds.
//
// Layer: scenario.
#pragma once

#include <span>
#include <string>

#include "catalog/prediction_error.h"

namespace moesim::scenario {

/// The file that holds them, ratios to four significant digits.
[[nodiscard]] std::string errors_text(std::span<const catalog::ScoredFigure> scored);

}  // namespace moesim::scenario
