// Published kernels of expert dispatch and combine, priced by the collective models alone.
//
// Covers: dispatch_latency and combine_latency of low-latency kernels; dispatch_ and
//         combine_bottleneck_bandwidth of high-throughput ones, whose bytes count as the publisher
//         counts them: each token once for every node (RDMA) or rank (NVLink) it goes to, its own
//         included. Experts are drawn evenly, within at most four nodes.
// Layer:  validation.
#pragma once

#include <string>
#include <variant>

#include "catalog/catalog.h"
#include "scenario/published_row.h"
#include "validation/row_scenario.h"

namespace moesim::validation {

/// In the unit of the row.
[[nodiscard]] std::variant<double, LeftOut> kernel_value(const scenario::PublishedRow& row,
                                                         const catalog::Catalog& catalog);

}  // namespace moesim::validation
