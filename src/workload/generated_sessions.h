// Conversations drawn from a workload model: turns, pauses, a context that grows.
//
//   prompt of turn k = system prompt + sum over turns j <= k of new text (j)
//                                    + sum over turns j < k of answer (j)
//   arrival of turn k = end of answer k - 1 + pause
//
// New texts and answers are lengths of the model, pauses exponential or fixed, turns geometric or
// fixed. Prompts of one session share all they have in common, those of all sessions the system
// prompt. A session ends before the turn that would exceed the longest context.
// Omits: users who change the subject or edit what they said. docs/models/workload.md.
// Layer: workload.
#pragma once

#include <cstdint>
#include <memory>

#include "core/units.h"
#include "workload/model.h"
#include "workload/request_source.h"

namespace moesim::workload {

inline constexpr std::int64_t kMostTurns = 1000;

struct SessionModel {
  double turns = 1.0;        ///< Mean, 1..kMostTurns.
  bool fixed_turns = false;  ///< As many in each session; else geometric.
  Seconds think_time = {};   ///< Mean pause after an answer.
  bool fixed_think = false;  ///< Always so long; else exponential.
  std::int64_t system_tokens = 0;
  std::int64_t most_tokens = 1'000'000;  ///< Of a prompt and its answer.
};

/// `starts`: the first turn of each session, with the model's lengths. `block_tokens`: of the
/// prefix blocks that prompts name; 0: none. Preconditions: check_model(model) is empty.
[[nodiscard]] std::unique_ptr<RequestSource> make_sessions(std::unique_ptr<RequestSource> starts,
                                                           const WorkloadModel& model,
                                                           const SessionModel& sessions,
                                                           std::int32_t block_tokens,
                                                           std::uint64_t seed);

}  // namespace moesim::workload
