// Exchanges inside a node that leave less to drift: last step of a plan, copies stay as they are.
//
// Repeatedly the GPU that adds most to the risk (partition_drift.h) exchanges the slot with another
// GPU of its node that lowers the node's risk most, no GPU above its cap, no expert twice on one.
// Layer: strategies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "strategies/partition_drift.h"

namespace moesim::strategies {

/// `slots`: experts of the node, GPU by GPU, each `slots_per_gpu`. `share`: [expert] load of one
/// replica; `full`: what a GPU may carry. At most `steps` exchanges; returns how many were made.
std::int64_t settle(std::span<std::int32_t> slots, std::span<const double> share,
                    std::size_t slots_per_gpu, const DriftRisk& drift, double full,
                    std::int64_t steps);

}  // namespace moesim::strategies
