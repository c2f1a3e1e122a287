// Time of everything in one layer that depends only on the number of tokens: projections, norms,
// dense or shared feed-forward, router. Attention cores and routed experts are priced elsewhere.
//
// The GEMMs of a layer and their sizes: docs/models/iteration.md.
// Layer: serving.
#pragma once

#include <cstdint>
#include <vector>

#include "core/units.h"
#include "operators/gemm_timer.h"
#include "serving/deployment.h"
#include "serving/kernels.h"
#include "serving/step_time.h"

namespace moesim::serving {

/// Parts of one layer on one rank.
struct TokenTimes {
  LimitedTime attention;     ///< Norm, projections in and out, rotary embedding, cache write.
  LimitedTime feed_forward;  ///< Norm, dense block; or router and shared experts.
  LimitedTime feed_forward_beside;  ///< The same with shared experts beside the routed ones.
  Seconds before_core;  ///< Of attention: norm, projections of queries, keys and values.
  Seconds shared;       ///< Of the feed-forward: shared experts.
  bool known = false;
};

/// One layer kind on one rank; remembers each token count it has been asked for.
class LayerTokenCost {
 public:
  /// `whole_block`: a curve prices the projections of attention together with its core.
  LayerTokenCost(const Deployment& deployment, const catalog::LayerKind& kind, bool whole_block,
                 Kernels& kernels);
  [[nodiscard]] bool has_attention() const { return has_attention_; }
  [[nodiscard]] bool has_feed_forward() const { return !feed_forward_gemms_.empty(); }
  [[nodiscard]] const TokenTimes& at(std::int64_t tokens) {
    const auto i = static_cast<std::size_t>(tokens);
    if (i < known_.size() && known_[i].known) return known_[i];
    return compute(tokens);
  }

 private:
  struct Gemm {
    std::int64_t n;
    std::int64_t k;
    const catalog::WeightFormat* format;
    std::size_t timer = 0;  ///< Index into timers_.
    bool shared = false;    ///< Of the shared experts.
  };
  const TokenTimes& compute(std::int64_t tokens);
  void choose_timers(StepPart part, std::vector<Gemm>& gemms, Kernels& kernels);
  [[nodiscard]] operators::OperatorTime gemm_time(const Gemm& gemm, std::int64_t tokens) const {
    return timers_[gemm.timer].time({.m = tokens, .n = gemm.n, .k = gemm.k});
  }
  /// What the shared experts' GEMM, which takes so long alone, adds where the engine runs them on a
  /// second stream beside the routed ones: the memory bandwidth its weights take from those.
  [[nodiscard]] operators::OperatorTime time_beside(const Gemm& gemm, std::int64_t tokens,
                                                    const operators::OperatorTime& alone) const;
  void run(const std::vector<Gemm>& gemms, std::int64_t tokens, LimitedTime& time) const;
  void list_attention(const catalog::Attention& attention);
  void list_indexer(const catalog::Attention& attention);
  void list_grouped_query(const catalog::Attention& attention);
  void list_latent(const catalog::Attention& attention);
  void add_attention(std::int64_t n, std::int64_t k);
  void list_feed_forward(const catalog::FeedForward& block);

  const Deployment* deployment_;
  std::vector<operators::GemmTimer> timers_;
  std::vector<const catalog::WeightFormat*> timed_formats_;  ///< Of timers_.
  bool has_attention_ = false;
  bool projects_last_ = false;  ///< The last GEMM of attention follows its core.
  std::vector<Gemm> attention_gemms_;
  std::vector<Gemm> feed_forward_gemms_;
  double attention_pass_elements_ = 0;  ///< Activation elements moved per token by small kernels.
  double feed_forward_pass_elements_ = 0;
  int attention_kernels_ = 0;
  int feed_forward_kernels_ = 0;
  std::vector<TokenTimes> known_;
};

/// Embedding, final norm, head and sampling on one rank.
class HeadCost {
 public:
  HeadCost(const Deployment& deployment, Kernels& kernels)
      : deployment_(&deployment), timer_(kernels.head()) {}
  [[nodiscard]] operators::OperatorTime embedding(std::int64_t tokens) const;
  [[nodiscard]] const LimitedTime& head(std::int64_t rows);

 private:
  const Deployment* deployment_;
  operators::GemmTimer timer_;
  std::vector<LimitedTime> known_;
};

}  // namespace moesim::serving
