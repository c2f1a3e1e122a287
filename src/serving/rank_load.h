// What a router compares: the load of an attention rank, by requests or by tokens.
//
// Formula: docs/models/serving.md, "Router". Source: SGLang's data-parallel controller
// (total_tokens: KV in use and waiting prompts, then requests), vLLM's (4 * waiting + running).
// Omits: that engines know other ranks' loads late (a tenth of a second in both).
// Layer: serving.
#pragma once

#include <compare>
#include <cstdint>

#include "serving/deployment.h"
#include "serving/rank_scheduler.h"

namespace moesim::serving {

/// The least is chosen; of equal ones the first that is met.
struct RankLoad {
  std::int64_t first = 0;
  std::int64_t then = 0;
  auto operator<=>(const RankLoad&) const = default;
};

/// By requests for policies that measure no load of their own.
[[nodiscard]] inline RankLoad load_of(RouterPolicy policy, const RankScheduler& rank) {
  constexpr std::int64_t kWaitingOverRunning = 4;
  switch (policy) {
    case RouterPolicy::LeastTokens:
      return {.first = rank.tokens(), .then = rank.requests()};
    case RouterPolicy::LeastWaiting:
      // 4 * waiting + running, running = requests - waiting.
      return {.first = (kWaitingOverRunning - 1) * rank.requests_waiting() + rank.requests()};
    case RouterPolicy::RoundRobin:
    case RouterPolicy::LeastLoad:
    case RouterPolicy::PrefixAware:
      break;
  }
  return {.first = rank.requests()};
}

}  // namespace moesim::serving
