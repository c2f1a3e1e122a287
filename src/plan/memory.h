// What one GPU must hold under a layout, and whether it fits.
//
// Model and sources: docs/models/memory.md.
// Layer: plan.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catalog/gpu.h"
#include "catalog/model.h"
#include "catalog/precision.h"
#include "core/units.h"
#include "plan/layout.h"

namespace moesim::plan {

struct MemoryOptions {
  double gpu_memory_utilization = 0.9;         ///< Share of the GPU's memory the engine may use.
  std::int64_t max_num_batched_tokens = 8192;  ///< Per rank; sizes the activation peak.
  std::int64_t max_num_seqs = 256;             ///< Per rank.
  std::int64_t context =
      0;  ///< Tokens one sequence must be able to reach; 0 = model's own is not required.
  std::int64_t block_size = 16;  ///< Tokens per KV block.
  std::int64_t redundant_experts = 0;
  bool load_mtp = false;
};

/// Bytes on the fullest GPU (the stage and rank that hold most), by class.
struct MemoryBreakdown {
  Bytes attention;
  Bytes dense_ffn;
  Bytes routed_experts;  ///< Redundant copies included.
  Bytes shared_experts;
  Bytes router;
  Bytes embedding;
  Bytes head;
  Bytes norms;
  Bytes mtp;
  Bytes other;
  Bytes activations;  ///< Peak of one forward pass.
  Bytes graphs_and_communication;
  Bytes runtime;  ///< CUDA context, libraries.
  [[nodiscard]] Bytes weights() const;
  [[nodiscard]] Bytes workspace() const;  ///< activations + graphs_and_communication + runtime
};

enum class Verdict { Fits, Marginal, No };
[[nodiscard]] std::string to_string(Verdict verdict);

struct MemoryReport {
  Verdict verdict = Verdict::No;
  std::string reason;
  Bytes gpu_memory;
  Bytes budget;  ///< gpu_memory * gpu_memory_utilization
  MemoryBreakdown per_gpu;
  Bytes kv_room;                     ///< What is left for KV on the fullest GPU; may be negative.
  BytesPerToken kv_bytes_per_token;  ///< Of the whole model (all layers, one copy).
  BytesPerToken kv_bytes_per_token_per_gpu;  ///< On the fullest GPU, growing layers only.
  std::int64_t kv_capacity_tokens = 0;  ///< Of one instance: all its attention-DP ranks together.
  std::int64_t kv_capacity_tokens_per_rank =
      0;  ///< Of one attention-DP rank (tp GPUs of each stage).
  std::int64_t kv_blocks_per_rank = 0;
  std::int64_t workspace_tokens = 0;  ///< Batch the activations were sized for.
};

/// Memory of one instance. Precondition: check_layout() found nothing.
[[nodiscard]] MemoryReport plan_memory(const catalog::Model& model,
                                       const catalog::Precision& precision, const catalog::Gpu& gpu,
                                       const Layout& layout, const MemoryOptions& options);

/// Layouts with the fewest GPUs that fit (at most `limit`), smallest first: for "does not fit"
/// answers. Searches tp, pp, ep up to `max_gpus` GPUs of one instance.
struct FittingLayout {
  Layout layout;
  MemoryReport report;
};
[[nodiscard]] std::vector<FittingLayout> smallest_fitting_layouts(
    const catalog::Model& model, const catalog::Precision& precision, const catalog::Gpu& gpu,
    const MemoryOptions& options, std::int64_t max_gpus, std::size_t limit);

}  // namespace moesim::plan
