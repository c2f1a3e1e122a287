// Batch sizes that engines capture as CUDA graphs, and the padding of decode batches up to them.
//
// A decode step replays the smallest captured graph that holds its sequences; the empty places are
// computed like sequences of one token. With attention data parallelism all ranks replay the same
// graph: that of the largest batch among them, idle ranks too. Beyond the largest size, and with
// prompts, kernels are launched one by one and nothing is padded.
// Source: defaults of the engines, scenarios/catalog/engines.txtpb; docs/models/iteration.md.
// Layer:  serving.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "catalog/engine.h"
#include "core/units.h"
#include "serving/context_law.h"

namespace moesim::serving {

/// Host time to launch the kernels of one layer without a graph: 15 to 20 launches of about 6 us
/// from Python. Assumption, of the order that eager decoding of small models shows.
inline constexpr Seconds kEagerLayer = Seconds::from_base(100e-6);

/// Sizes in sequences, ascending; empty: the engine captures none, or is not known to.
[[nodiscard]] std::vector<std::int64_t> default_graph_sizes(const catalog::EngineGraphs& graphs,
                                                            std::int64_t max_num_seqs);

/// The smallest of `sizes` (ascending) that is at least `batch`; 0 if none is.
[[nodiscard]] std::int64_t graph_for(std::span<const std::int64_t> sizes, std::int64_t batch);

/// The graph that all ranks replay in an iteration; 0: none, as prompts are among the batches or
/// they are too large.
[[nodiscard]] std::int64_t graph_for(std::span<const std::int64_t> sizes,
                                     std::span<const RankBatch> ranks);

/// Each batch filled up to `sequences` decoding ones; those that are added have one token of
/// context. Precondition: none is larger, none has prompts.
void pad_to(std::int64_t sequences, std::span<RankBatch> batches);

}  // namespace moesim::serving
