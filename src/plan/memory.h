// What one GPU must hold under a layout, and whether it fits.
//
// Formula: as the engine counts (catalog::MemoryShare). Total: room for the KV cache is what
// weights, activations, CUDA graphs, communication buffers and the runtime leave of memory *
// gpu_memory_utilization. Free: that share of what they leave of the card. Reserved: what weights
// leave of that share of the card less the runtime, as long as the workspace fits beside it.
// The stage with the fewest tokens of KV cache decides for all.
// Verdict: "no" if not even tightened settings (tightened()) hold one sequence of kUsefulContext
// tokens (or of the context asked for); "fits" if the given settings hold that and kUsefulBatch
// sequences of kUsefulContext tokens; "marginal" in between.
// Omits: fragmentation, imbalance of received tokens, memory of other processes.
// Sources and margins: docs/models/memory.md.
// Layer: plan.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catalog/engine.h"
#include "catalog/gpu.h"
#include "catalog/model.h"
#include "catalog/precision.h"
#include "core/units.h"
#include "plan/layout.h"

namespace moesim::plan {

struct MemoryOptions {
  double gpu_memory_utilization = 0.9;  ///< Share of the GPU's memory, of what:
  catalog::MemoryShare memory_share = catalog::MemoryShare::Total;
  std::int64_t max_num_batched_tokens = 8192;  ///< Per rank; sizes the activation peak.
  std::int64_t max_num_seqs = 256;             ///< Per rank.
  std::int64_t context =
      0;  ///< Tokens one sequence must be able to reach; 0 = model's own is not required.
  std::int64_t block_size = 16;  ///< Tokens per KV block.
  std::int64_t redundant_experts = 0;
  bool load_mtp = false;
  bool cuda_graphs = true;  ///< False = eager mode: no memory for captured graphs.
};

/// A sequence shorter than this is not worth a deployment: tokens (or the model's own context).
inline constexpr std::int64_t kUsefulContext = 4096;
/// Sequences of that length below which a GPU mostly waits for memory: the border of "fits".
inline constexpr std::int64_t kUsefulBatch = 8;

/// What one turns when memory runs out: gpu_memory_utilization at least 0.95, at most 2048 tokens
/// and 8 sequences in a batch, no CUDA graphs. Never looser than `options`.
[[nodiscard]] MemoryOptions tightened(MemoryOptions options);

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
  Bytes budget;  ///< Of weights, workspace and cache together.
  MemoryBreakdown per_gpu;
  Bytes kv_room;                     ///< What is left for KV on the fullest GPU; may be negative.
  BytesPerToken kv_bytes_per_token;  ///< Of the whole model (all layers, one copy).
  BytesPerToken kv_bytes_per_token_per_gpu;  ///< On the fullest GPU, growing layers only.
  std::int64_t kv_capacity_tokens = 0;  ///< Of one instance: all its attention-DP ranks together.
  std::int64_t kv_capacity_tokens_per_rank =
      0;  ///< Of one attention-DP rank (tp GPUs of each stage).
  std::int64_t kv_blocks_per_rank = 0;
  std::int64_t workspace_tokens = 0;  ///< Batch the activations were sized for.
  std::int64_t fullest_stage = 0;     ///< Pipeline stage that per_gpu describes.
  /// Length of the sequences that kv_capacity_tokens is stated for; matters only where windows or
  /// constant states make a sequence's bytes not proportional to its length.
  std::int64_t sequence_tokens = 0;
  Bytes kv_bytes_per_sequence_per_gpu;  ///< One such sequence on the fullest GPU.
  /// Tokens of all kUsefulBatch sequences: kv_capacity_tokens below this is "marginal".
  std::int64_t useful_tokens = 0;
  std::int64_t tight_kv_capacity_tokens = 0;  ///< Of one instance under tightened settings.
  Bytes tight_shortfall;  ///< Missing per GPU for one sequence under tightened settings; 0 if none.
};

/// Memory of one instance. Precondition: check_layout() found nothing.
[[nodiscard]] MemoryReport plan_memory(const catalog::Model& model,
                                       const catalog::Precision& precision, const catalog::Gpu& gpu,
                                       const Layout& layout, const MemoryOptions& options);

}  // namespace moesim::plan
