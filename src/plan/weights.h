// Bytes of weights on one rank of one pipeline stage.
//
// Attention and dense feed-forward blocks are divided over tp; key-value projections over
// min(tp, kv_heads); MLA down-projections, indexers, router and norms stand on every rank. Routed
// experts: (experts + redundant) / ep on each rank, each divided by tp * dp / ep. Embedding (first
// stage) and head (last stage) are divided over tp by vocabulary. With attention data parallelism
// each of the dp ranks repeats all but the routed experts.
// Sources and conventions: docs/models/memory.md.
// Layer: plan.
#pragma once

#include <cstdint>

#include "catalog/model.h"
#include "catalog/precision.h"
#include "plan/layout.h"
#include "plan/memory.h"

namespace moesim::plan {

/// Weights of the fullest rank of stage `stage`; the other classes of the result are zero.
/// Precondition: `layout` is normalised and check_layout() found nothing.
[[nodiscard]] MemoryBreakdown stage_weights(const catalog::Model& model,
                                            const catalog::Precision& precision,
                                            const Layout& layout, const MemoryOptions& options,
                                            std::int64_t stage);

}  // namespace moesim::plan
