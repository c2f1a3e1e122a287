// Exchanges of whole GPUs between nodes: fewer copies at unchanged loads.
//
// What a GPU holds stays together, so its load is what it was, now and however loads drift. For
// layers without recorded tokens: drawn tokens know the routing groups and the loads, not which
// experts meet, and what they promise is not worth more exposure to drift. Layer: strategies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/random.h"
#include "strategies/partition_cluster.h"
#include "strategies/partition_search.h"

namespace moesim::strategies {

/// Descends by exchanges for `work` nanoseconds of the reference machine. `slots`: by position, GPU
/// by GPU. Returns the slots after them.
[[nodiscard]] std::vector<std::int32_t> exchange_gpus(const std::vector<CopyLevel>& levels,
                                                      const NodeGrid& grid,
                                                      std::vector<std::int32_t> slots,
                                                      std::int64_t work, RandomStream& stream);

}  // namespace moesim::strategies
