// What a rank needs beside weights and KV cache: activations, graphs, buffers, the runtime.
//
// Activations: the largest set of tensors alive at once in one forward pass of
// max_num_batched_tokens tokens: residual, input and output of a block plus what the block holds in
// between; or the logits of max_num_seqs sequences. docs/models/memory.md derives each term.
// Omits: allocator fragmentation, imbalance of the tokens that ranks of an expert group receive.
// Layer: plan.
#pragma once

#include <cstdint>

#include "catalog/model.h"
#include "catalog/precision.h"
#include "core/units.h"
#include "plan/layout.h"
#include "plan/memory.h"

namespace moesim::plan {

/// Device memory of a process before any tensor: CUDA context, loaded kernels, cuBLAS workspace,
/// library state. Assumption, of the order `nvidia-smi` shows for an idle serving process.
inline constexpr Bytes kRuntime = Bytes::from_base(1.0 * 1073741824.0);
/// Captured CUDA graphs of the usual batch sizes. Assumption, of the order engines log at start.
inline constexpr Bytes kCudaGraphs = Bytes::from_base(0.5 * 1073741824.0);
/// Channels of the collective library and the buffers of a one-shot all-reduce, once ranks of a
/// stage talk to each other. Assumption.
inline constexpr Bytes kCollectiveBuffers = Bytes::from_base(0.25 * 1073741824.0);
/// Tokens one rank may dispatch in one step of the low-latency all-to-all: DeepEP's own example
/// and the usual setting of engines.
inline constexpr std::int64_t kLowLatencyDispatchTokens = 128;

/// Peak of one forward pass on a rank of `stage`.
[[nodiscard]] Bytes activation_peak(const catalog::Model& model,
                                    const catalog::Precision& precision, const Layout& layout,
                                    const MemoryOptions& options, std::int64_t stage);

/// CUDA graphs, collective buffers, and with attention data parallelism the all-to-all buffers.
[[nodiscard]] Bytes graphs_and_communication(const catalog::Model& model,
                                             const catalog::Precision& precision,
                                             const Layout& layout, const MemoryOptions& options);

}  // namespace moesim::plan
