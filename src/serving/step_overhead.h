// What an engine adds to the kernels of an iteration (catalog/engine_overhead.h has the formula).
//
// Layer: serving.
#pragma once

#include <cstdint>
#include <span>

#include "core/units.h"
#include "serving/context_law.h"
#include "serving/deployment.h"
#include "serving/step_time.h"

namespace moesim::serving {

/// Kernels of the engine over those that were priced.
[[nodiscard]] double kernel_stretch(const Deployment& deployment);

/// What the engine itself takes in a stage of `layers` layers, kernels apart.
[[nodiscard]] Seconds engine_host_time(const Deployment& deployment,
                                       std::span<const RankBatch> ranks, bool first_stage,
                                       std::int64_t layers);

/// Turns priced kernels into the time of a stage of `layers` layers. What happens once an iteration
/// is booked on the first stage. Migration is no kernel and keeps its time.
void add_engine_overhead(const Deployment& deployment, std::span<const RankBatch> ranks,
                         bool first_stage, std::int64_t layers, StepTime& time);

/// Between a request's arrival and the moment it can be scheduled: exponential, of which the mean
/// is known. Constant, it would keep requests of equal length in step for ever.
[[nodiscard]] Seconds delay_of_request(const Deployment& deployment, std::uint64_t seed,
                                       std::int64_t number);

}  // namespace moesim::serving
