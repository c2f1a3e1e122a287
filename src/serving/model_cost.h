// Prices of one model on one kind of GPU: what each of its kinds of layers, its head and its
// drafting module take for a batch, on one rank. Shared by all instances of a run. Layer: serving.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "operators/attention.h"
#include "operators/gemm_timer.h"
#include "operators/mla_block_curve.h"
#include "serving/context_law.h"
#include "serving/deployment.h"
#include "serving/kernels.h"
#include "serving/step_time.h"
#include "serving/token_cost.h"

namespace moesim::serving {

/// How far the layer looks back, as its timer reads the cache.
[[nodiscard]] ContextLaw context_law(const catalog::Attention& attention,
                                     const operators::AttentionTimer& timer);

class ModelCost {
 public:
  explicit ModelCost(const Deployment& deployment);
  [[nodiscard]] std::span<const ContextLaw> laws() const { return laws_; }

  struct Kind {
    LayerTokenCost tokens;
    operators::AttentionTimer attention;
    std::optional<operators::MlaBlockCurve> block;  ///< In place of `attention` and its GEMMs.
    std::size_t law;
    /// Law of the whole context, for layers that hide part of it behind a window; else `law`.
    std::size_t whole_law;
    bool moe;
    /// Attention cores of the batch.
    void add_attention(const RankBatch& batch, LimitedTime& time) const;
    /// What of attention, `fixed` included, runs before the core of a decoding batch: norm,
    /// projections of queries, keys and values.
    [[nodiscard]] Seconds before_core(const RankBatch& batch, const TokenTimes& fixed) const;
  };
  Kernels kernels;
  std::vector<Kind> kinds;
  HeadCost head;
  /// Embedding, projection and head of the drafting module. Precondition: the deployment drafts by
  /// it.
  [[nodiscard]] LimitedTime draft_ends(const RankBatch& batch);

 private:
  const Deployment* deployment_;
  std::optional<operators::GemmTimer> draft_projection_;
  /// Of that law among `laws_`, added if new.
  std::size_t index_of(const ContextLaw& law);
  std::vector<ContextLaw> laws_;
};

}  // namespace moesim::serving
