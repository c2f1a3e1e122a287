// What the links of a cluster carried in a run: use by kind of link, the busiest links, and whether
// links or something else held the run back.
//
// The figures: serving/link_use.h.
// Layer: report.
#pragma once

#include <cstddef>
#include <string>

#include "serving/link_use.h"
#include "serving/run_result.h"

namespace moesim::proto {
class FabricUse;
}

namespace moesim::report {

/// The tables below the drawing.
[[nodiscard]] std::string fabric_use_text(const serving::FabricUse& use);

/// One sentence: the link used most while exchanging, and which limit of the time breakdown holds
/// the run back most.
[[nodiscard]] std::string bottleneck_text(const serving::FabricUse& use,
                                          const serving::TimeBreakdown& time);

/// With the `shown` busiest links.
void write_use(const serving::FabricUse& use, const serving::TimeBreakdown& time, std::size_t shown,
               proto::FabricUse& out);

}  // namespace moesim::report
