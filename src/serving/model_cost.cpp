#include "serving/model_cost.h"

#include <algorithm>
#include <utility>

namespace moesim::serving {

ContextLaw context_law(const catalog::Attention& attention,
                       const operators::AttentionTimer& timer) {
  constexpr std::int64_t kBeyondAnyContext = std::int64_t{1} << 40;
  const std::int64_t cap = timer.effective_context(kBeyondAnyContext);
  return {.cap = cap == kBeyondAnyContext ? kNoCap : cap,
          .window = timer.mask_window(),
          .chunked = attention.chunked};
}

void ModelCost::Kind::add_attention(const RankBatch& batch, LimitedTime& time) const {
  if (batch.decode_sequences > 0) {
    const operators::DecodeBatch decode{
        .sequences = batch.decode_sequences,
        .context_tokens = batch.decode_context[law],
        .hidden_tokens = batch.decode_context[whole_law] - batch.decode_context[law],
        .queries = batch.decode_queries};
    if (block) {
      time.add(block->decode(attention.attended(decode)));
      time.add(attention.indexer(decode));
    } else {
      time.add(attention.decode(decode));
    }
  }
  if (batch.prefill_tokens > 0) {
    const operators::PrefillBatch prefill{.new_tokens = batch.prefill_tokens,
                                          .context_tokens = batch.prefill_context[law],
                                          .pairs = batch.prefill_pairs[law]};
    if (block) {
      time.add(block->prefill({.sequences = batch.prefill_chunks,
                               .new_tokens = prefill.new_tokens,
                               .context_tokens = prefill.context_tokens,
                               .pairs = attention.attended_pairs(prefill)}));
      time.add(attention.indexer(prefill));
    } else {
      time.add(attention.prefill(prefill));
    }
  }
}

Seconds ModelCost::Kind::before_core(const RankBatch& batch, const TokenTimes& fixed) const {
  Seconds time = fixed.before_core;
  if (block && batch.decode_sequences > 0) {
    const operators::DecodeBatch decode{.sequences = batch.decode_sequences,
                                        .context_tokens = batch.decode_context[law],
                                        .queries = batch.decode_queries};
    time += block->decode_before_core(attention.attended(decode)) + attention.indexer(decode).time;
  }
  return time;
}

ModelCost::ModelCost(const Deployment& deployment)
    : kernels(deployment), head(deployment, kernels), deployment_(&deployment) {
  if (deployment.scheduler.speculation.method == DraftMethod::Mtp) {
    draft_projection_ = kernels.gemm(StepPart::Head, deployment.precision.attention);
  }
  for (const catalog::LayerKind& kind : deployment.model.kinds) {
    auto block = kernels.mla_block(kind.attention);
    const operators::AttentionTimer timer =
        block ? operators::AttentionTimer(kind.attention, deployment.layout.tp,
                                          deployment.precision.kv_element, deployment.cluster.gpu,
                                          deployment.efficiency.prefill_attention,
                                          deployment.efficiency.decode_attention)
              : kernels.attention(kind.attention);
    const ContextLaw law = context_law(kind.attention, timer);
    const std::size_t own = index_of(law);
    // Some kernels visit what a window hides: the whole context is summed as well, if there is
    // room.
    const bool hides = law.cap != kNoCap && law.cap > 0 && laws_.size() < kMaxContextLaws;
    const std::size_t whole = hides ? index_of(ContextLaw{}) : own;
    kinds.push_back({LayerTokenCost(deployment, kind, block.has_value(), kernels), timer,
                     std::move(block), own, whole, kind.feed_forward.is_moe()});
  }
}

std::size_t ModelCost::index_of(const ContextLaw& law) {
  const auto known = std::find(laws_.begin(), laws_.end(), law);
  const auto index = static_cast<std::size_t>(known - laws_.begin());
  if (known == laws_.end()) laws_.push_back(law);
  return index;
}

LimitedTime ModelCost::draft_ends(const RankBatch& batch) {
  LimitedTime time;
  const std::int64_t hidden = deployment_->model.hidden;
  time.add(head.embedding(batch.tokens()));
  time.add(draft_projection_->time({.m = batch.tokens(), .n = hidden, .k = 2 * hidden}));
  time.add(1.0, head.head(batch.logit_rows));
  return time;
}

}  // namespace moesim::serving
