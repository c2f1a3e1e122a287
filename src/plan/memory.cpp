#include "plan/memory.h"

#include <algorithm>
#include <cmath>

#include "catalog/kv_cache.h"
#include "core/check.h"
#include "plan/verdict.h"
#include "plan/weights.h"
#include "plan/workspace.h"

namespace moesim::plan {
namespace {

using catalog::KvFootprint;

double as_double(std::int64_t count) { return static_cast<double>(count); }

/// One pipeline stage under one set of options, per GPU.
struct StageMemory {
  std::int64_t stage = 0;
  MemoryBreakdown use;
  KvFootprint kv;
  Bytes room;          ///< Left for the KV cache; may be negative.
  double tokens = 0;   ///< KV capacity of one attention-DP rank.
  Bytes one_sequence;  ///< KV of a sequence of the length asked for.
  [[nodiscard]] Bytes spare() const { return room - one_sequence; }
};

void add(const KvFootprint& more, KvFootprint& sum) {
  sum.per_token_full += more.per_token_full;
  sum.per_token_index += more.per_token_index;
  sum.per_sequence_state += more.per_sequence_state;
  sum.windowed.insert(sum.windowed.end(), more.windowed.begin(), more.windowed.end());
}

/// Cache of the layers of a stage and, on the last one, of the MTP modules: a layer each.
KvFootprint stage_kv(const catalog::Model& model, const catalog::Precision& precision,
                     const Layout& layout, const MemoryOptions& options, std::int64_t stage) {
  const StageLayers range = split_layers(model, layout)[static_cast<std::size_t>(stage)];
  KvFootprint kv =
      catalog::kv_footprint(model, precision.kv_element, layout.tp, range.first, range.last);
  if (options.load_mtp && stage == layout.pp - 1) {
    const std::int64_t layers = model.layers();
    const KvFootprint module =
        catalog::kv_footprint(model, precision.kv_element, layout.tp, layers - 1, layers);
    for (std::int64_t i = 0; i < model.mtp_modules; ++i) add(module, kv);
  }
  return kv;
}

/// Tokens that sequences of `length` tokens can hold in `room`. What does not grow with the context
/// (full windows, states) is paid for each sequence, for at most `max_seqs` of them; room beyond
/// that lets the sequences grow. Continuous and monotone in `room`.
double capacity(Bytes room, const KvFootprint& kv, std::int64_t length, std::int64_t max_seqs) {
  if (room <= Bytes{}) return 0.0;
  const Bytes sequence = kv.of_sequence(length);
  const double most = as_double(max_seqs);
  const double sequences = sequence > Bytes{} ? std::min(room / sequence, most) : most;
  if (sequences < most || kv.per_token() <= Bytes{}) return sequences * as_double(length);
  const Bytes fixed = sequence - as_double(length) * kv.per_token();
  return (room - most * fixed) / kv.per_token();
}

/// Bytes the engine gives to the KV cache beside `use`; may be negative.
Bytes kv_room(const MemoryBreakdown& use, Bytes memory, const MemoryOptions& options) {
  const double share = options.gpu_memory_utilization;
  const Bytes left = memory - use.weights() - use.workspace();
  switch (options.memory_share) {
    case catalog::MemoryShare::Total:
      return memory * share - use.weights() - use.workspace();
    case catalog::MemoryShare::Free:
      return left > Bytes{} ? left * share : left;
    case catalog::MemoryShare::Reserved:
      return std::min(left, (memory - use.runtime) * share - use.weights());
  }
  return left;
}

/// The stage with the fewest tokens of KV cache; of several, the one that has least to spare.
StageMemory fullest_stage(const catalog::Model& model, const catalog::Precision& precision,
                          const catalog::Gpu& gpu, const Layout& layout,
                          const MemoryOptions& options, std::int64_t length) {
  StageMemory fullest;
  for (std::int64_t stage = 0; stage < layout.pp; ++stage) {
    StageMemory s;
    s.stage = stage;
    s.use = stage_weights(model, precision, layout, options, stage);
    s.use.activations = activation_peak(model, precision, layout, options, stage);
    s.use.graphs_and_communication = graphs_and_communication(model, precision, layout, options);
    s.use.runtime = kRuntime;
    s.kv = stage_kv(model, precision, layout, options, stage);
    s.room = kv_room(s.use, gpu.memory, options);
    s.tokens = capacity(s.room, s.kv, length, options.max_num_seqs);
    s.one_sequence = s.kv.of_sequence(length);
    const bool fuller =
        s.tokens < fullest.tokens || (s.tokens <= fullest.tokens && s.spare() < fullest.spare());
    if (stage == 0 || fuller) fullest = std::move(s);
  }
  return fullest;
}

/// Weights, workspace and cache together.
Bytes budget(const StageMemory& s, Bytes memory, const MemoryOptions& options) {
  if (options.memory_share == catalog::MemoryShare::Total) {
    return memory * options.gpu_memory_utilization;
  }
  return s.use.weights() + s.use.workspace() + s.room;
}

std::int64_t whole_blocks(double tokens, std::int64_t block_size) {
  return static_cast<std::int64_t>(std::floor(tokens / as_double(block_size)));
}

/// The shortest sequence that counts: what was asked for, or kUsefulContext within the model's own.
std::int64_t useful_context(const catalog::Model& model) {
  return model.context_length > 0 ? std::min(kUsefulContext, model.context_length) : kUsefulContext;
}

}  // namespace

Bytes MemoryBreakdown::weights() const {
  return attention + dense_ffn + routed_experts + shared_experts + router + embedding + head +
         norms + mtp + other;
}

Bytes MemoryBreakdown::workspace() const {
  return activations + graphs_and_communication + runtime;
}

MemoryReport plan_memory(const catalog::Model& model, const catalog::Precision& precision,
                         const catalog::Gpu& gpu, const Layout& given,
                         const MemoryOptions& options) {
  MOESIM_CHECK(check_layout(given, model, options.redundant_experts).empty(),
               "memory is planned for a layout that cannot be built");
  MOESIM_CHECK(options.max_num_seqs >= 1 && options.max_num_batched_tokens >= 1 &&
                   options.block_size >= 1 && options.context >= 0,
               "memory is planned for an empty batch");
  const Layout layout = normalised(given);
  const std::int64_t useful = useful_context(model);
  const std::int64_t length = options.context > 0 ? options.context : useful;
  const StageMemory s = fullest_stage(model, precision, gpu, layout, options, length);
  const MemoryOptions tight_options = tightened(options);
  const StageMemory tight = fullest_stage(model, precision, gpu, layout, tight_options, length);

  MemoryReport report;
  report.gpu_memory = gpu.memory;
  report.budget = budget(s, gpu.memory, options);
  report.per_gpu = s.use;
  report.kv_room = s.room;
  report.kv_bytes_per_token = catalog::kv_bytes_per_token(model, precision.kv_element) / kToken;
  report.kv_bytes_per_token_per_gpu = s.kv.per_token() / kToken;
  report.kv_bytes_per_sequence_per_gpu = s.one_sequence;
  report.kv_blocks_per_rank = whole_blocks(s.tokens, options.block_size);
  report.kv_capacity_tokens_per_rank = report.kv_blocks_per_rank * options.block_size;
  report.kv_capacity_tokens = report.kv_capacity_tokens_per_rank * layout.dp;
  report.workspace_tokens = options.max_num_batched_tokens;
  report.fullest_stage = s.stage;
  report.sequence_tokens = length;
  report.useful_tokens = useful * std::min(kUsefulBatch, options.max_num_seqs * layout.dp);
  report.tight_kv_capacity_tokens =
      whole_blocks(tight.tokens, options.block_size) * options.block_size * layout.dp;
  report.tight_shortfall = std::max(Bytes{}, -tight.spare());
  judge({.holds_one = s.spare() >= Bytes{},
         .holds_one_tight = tight.spare() >= Bytes{},
         .tight_weights = tight.use.weights(),
         .tight_workspace = tight.use.workspace(),
         .tight_budget = budget(tight, gpu.memory, tight_options)},
        options, report);
  return report;
}

}  // namespace moesim::plan
