// Reads one scenario for each combination of the varied fields. Internal to the folder.
//
// Layer: sweep.
#pragma once

#include <string>
#include <vector>

#include "sweep/candidates.h"

namespace moesim::sweep {

/// All combinations; the last axis changes fastest. A layout of the base that does not suit a
/// variant (other nodes, another model) is replaced: the layout is what the sweep looks for.
[[nodiscard]] std::vector<Variant> read_variants(const scenario::Sweep& sweep,
                                                 const catalog::Catalog& catalog);

/// "deployment.tp=2", ...
[[nodiscard]] std::vector<std::string> layout_overrides(const plan::Layout& layout);

/// The SLO and the number of requests of `scenario`, where the sweep has set them.
[[nodiscard]] std::vector<std::string> limit_overrides(const scenario::Sweep& sweep,
                                                       const scenario::Scenario& scenario);

}  // namespace moesim::sweep
