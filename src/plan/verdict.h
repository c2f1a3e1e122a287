// From bytes left for the KV cache to "fits", "marginal" or "no", in words.
//
// Layer: plan.
#pragma once

#include <cstdint>

#include "plan/memory.h"

namespace moesim::plan {

/// What decides, under the given settings and under tightened ones.
struct Headroom {
  bool holds_one = false;        ///< One sequence of `sequence_tokens` on every stage.
  bool holds_one_tight = false;  ///< The same with tightened settings.
  Bytes tight_weights;           ///< On the GPU with the largest shortfall, tightened settings.
  Bytes tight_workspace;
  Bytes tight_budget;
};

/// Sets `verdict` and `reason` of a report whose other fields are filled in.
void judge(const Headroom& headroom, const MemoryOptions& options, MemoryReport& report);

}  // namespace moesim::plan
