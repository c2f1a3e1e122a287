#include "plan/weights.h"

#include <algorithm>

#include "catalog/parameters.h"

namespace moesim::plan {
namespace {

using catalog::LayerKind;
using catalog::LayerParameters;

double as_double(std::int64_t count) { return static_cast<double>(count); }

/// Share of the key-value projections on the fullest rank: whole heads, repeated beyond kv_heads.
double kv_share(const catalog::Attention& attention, std::int64_t tp) {
  if (attention.kv_heads <= 0) return 1.0 / as_double(tp);
  const std::int64_t heads = (attention.kv_heads + tp - 1) / tp;
  return as_double(heads) / as_double(attention.kv_heads);
}

/// Adds `count` layers of one kind as one rank holds them.
void add_layers(const LayerKind& kind, const LayerParameters& p, std::int64_t count,
                const catalog::Precision& precision, const Layout& layout, std::int64_t redundant,
                MemoryBreakdown& out) {
  const double layers = as_double(count);
  const double tp = as_double(layout.tp);
  out.attention += layers *
                   (as_double(p.attention_sharded) / tp +
                    as_double(p.attention_kv) * kv_share(kind.attention, layout.tp) +
                    as_double(p.attention_replicated)) *
                   precision.attention.bytes_per_weight();
  out.dense_ffn += layers * as_double(p.dense_ffn) / tp * precision.dense_ffn.bytes_per_weight();
  out.router += layers * as_double(p.router) * precision.router.bytes_per_weight();
  out.norms += layers * as_double(p.norms) * precision.norms.bytes_per_weight();
  out.shared_experts +=
      layers * as_double(p.shared_experts) / tp * precision.shared_experts.bytes_per_weight();
  if (p.routed_expert_count == 0) return;
  const double experts = as_double(p.routed_expert_count + redundant) / as_double(layout.ep);
  out.routed_experts += layers * experts * as_double(p.routed_expert) /
                        as_double(layout.expert_tp()) * precision.routed_experts.bytes_per_weight();
}

/// MTP modules: each is a layer of the last kind, what it has beyond that stands on every rank. Its
/// embedding and head are those of the main model.
Bytes mtp_bytes(const catalog::Model& model, const catalog::Precision& precision,
                const Layout& layout, std::int64_t redundant) {
  if (model.mtp_modules == 0) return {};
  const LayerKind& kind = model.layer(model.layers() - 1);
  const LayerParameters p = catalog::layer_parameters(model, kind);
  const std::int64_t rest = model.mtp_parameters - model.mtp_modules * p.total();
  if (rest < 0) {  // Smaller than a layer of the model: divided like a dense block.
    return as_double(model.mtp_parameters) / as_double(layout.tp) *
           precision.attention.bytes_per_weight();
  }
  MemoryBreakdown module;
  add_layers(kind, p, model.mtp_modules, precision, layout, redundant, module);
  return module.weights() + as_double(rest) * precision.attention.bytes_per_weight();
}

}  // namespace

MemoryBreakdown stage_weights(const catalog::Model& model, const catalog::Precision& precision,
                              const Layout& layout, const MemoryOptions& options,
                              std::int64_t stage) {
  MemoryBreakdown out;
  const StageLayers range = split_layers(model, layout)[static_cast<std::size_t>(stage)];
  std::int64_t begin = 0;
  for (const catalog::LayerRun& run : model.runs) {
    const std::int64_t end = begin + run.count;
    const std::int64_t count = std::min(end, range.last) - std::max(begin, range.first);
    if (count > 0) {
      const LayerKind& kind = model.kinds[static_cast<std::size_t>(run.kind)];
      add_layers(kind, catalog::layer_parameters(model, kind), count, precision, layout,
                 options.redundant_experts, out);
    }
    begin = end;
  }
  const double table = as_double(model.vocabulary * model.hidden) / as_double(layout.tp);
  const bool last = stage == layout.pp - 1;
  if (stage == 0) {
    out.embedding = table * precision.embedding.bytes_per_weight();
    out.other = as_double(model.parameters_vision + model.parameters_other) *
                precision.norms.bytes_per_weight();
  }
  if (last) {
    out.norms += as_double(model.hidden) * precision.norms.bytes_per_weight();
    if (!model.tied_embeddings) {
      out.head = table * precision.head.bytes_per_weight();
    } else if (stage > 0) {  // The tied table stands on both ends of the pipeline.
      out.head = table * precision.embedding.bytes_per_weight();
    }
    if (options.load_mtp) {
      out.mtp = mtp_bytes(model, precision, layout, options.redundant_experts);
    }
  }
  return out;
}

}  // namespace moesim::plan
