// Whether the attention-DP ranks of an instance hold their prompts back, so that all compute
// prompts in the same iterations and none waits at the exchanges for another's.
//
// Prompts pass if all ranks have some and a seat, and, where all decode as well, have had for
// batching_wait_iters iterations; or after timeout_iters iterations; or at once where a rank has
// nothing to decode meanwhile. Source: TensorRT-LLM's attention_dp_config (enable_balance), from
// memory, not re-read. Omits: its evening out of the number of prompts.
// Layer: serving.
#pragma once

#include <algorithm>
#include <span>

#include "serving/deployment.h"
#include "serving/rank_scheduler.h"

namespace moesim::serving {

class PromptGate {
 public:
  explicit PromptGate(const AttentionDpBalance& balance) : balance_(balance) {}

  /// Of the lane's next iteration; counts it.
  [[nodiscard]] bool holds(std::span<const RankScheduler> ranks, std::size_t lane) {
    if (!balance_.on) return false;
    const auto all = [&](auto has) { return std::all_of(ranks.begin(), ranks.end(), has); };
    const bool all_decode = all([&](const RankScheduler& r) { return r.decodes(lane); });
    if (all([&](const RankScheduler& r) { return r.has_prompts(lane); })) {
      without_ = 0;
      if (!all_decode || gathering_ >= balance_.batching_wait_iters) {
        gathering_ = 0;
        return false;
      }
      ++gathering_;
      return true;
    }
    if (++without_ >= balance_.timeout_iters || !all_decode) {
      without_ = 0;
      return false;
    }
    return true;
  }

 private:
  AttentionDpBalance balance_;
  std::int64_t without_ = 0;    ///< Iterations in a row in which some rank had no prompt.
  std::int64_t gathering_ = 0;  ///< In which all had, held to gather more.
};

}  // namespace moesim::serving
