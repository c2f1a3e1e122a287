// Runs whose tokens are those of given workloads: what a placement is judged on, served.
//
// The workloads' tokens stand one after the other, as many of each as its weight asks for, around
// the end of short ones. Layers without recorded tokens draw theirs from the router of the loads,
// one token like the other, as the judge's price does. Drawing with affinity and drift of the
// scenario give way.
// Layer: sweep.
#pragma once

#include <cstdint>
#include <vector>

#include "placement/problem.h"
#include "routing/expert_router.h"
#include "serving/expert_settings.h"

namespace moesim::sweep {

/// Precondition: the workloads fit the shape (placement::verify); at least one.
void replay(const routing::RoutingShape& shape, const std::vector<placement::Workload>& workloads,
            std::uint64_t seed, serving::ExpertSettings& experts);

}  // namespace moesim::sweep
