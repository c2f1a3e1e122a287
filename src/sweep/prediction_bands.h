// Where measurements of a scenario would lie, by the catalog's record of errors.
//
// Layer: sweep.
#pragma once

#include <vector>

#include "catalog/catalog.h"
#include "scenario/scenario.h"
#include "sweep/run_scenario.h"

namespace moesim::sweep {

/// What its errors depend on. Of two pools: those of the one that decodes.
[[nodiscard]] catalog::Situation situation_of(const scenario::Scenario& scenario);

/// Throughput, TTFT, TPOT; what nothing is known of is left out.
[[nodiscard]] std::vector<PredictionBand> prediction_bands(const scenario::Scenario& scenario,
                                                           const catalog::Catalog& catalog);

}  // namespace moesim::sweep
