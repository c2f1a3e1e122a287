// Words for the parts of an iteration and for what limits them, as reports print them.
//
// Layer: report.
#pragma once

#include <array>
#include <string_view>

#include "serving/step_time.h"

namespace moesim::report {

/// In the order of serving::StepPart.
inline constexpr std::array<std::string_view, serving::kStepParts> kPartNames = {
    "attention",       "feed-forward",   "experts",          "dispatch",
    "combine",         "all-reduce",     "waiting for rank", "head",
    "engine overhead", "moving experts", "swapping"};

/// In the order of serving::Limit.
inline constexpr std::array<std::string_view, serving::kLimits> kLimitNames = {
    "arithmetic",      "memory bandwidth", "kernel launches", "scale-up links",
    "scale-out links", "message latency",  "host link"};

}  // namespace moesim::report
