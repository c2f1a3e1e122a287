// The requests a scenario asks to be served, and whether two scenarios ask for the same.
//
// Layer: sweep.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "scenario/scenario.h"
#include "workload/request_source.h"

namespace moesim::sweep {

/// The trace or the generator of the scenario, which must outlive it.
[[nodiscard]] std::unique_ptr<workload::RequestSource> make_source(
    const scenario::Scenario& scenario);

/// What makes a comparison of `other` with `first` unfair, one sentence each; empty if both serve
/// the same requests under the same limits. The first 1,000 requests of each are compared, and how
/// they are sent, how long, what counts, and the length of the month.
[[nodiscard]] std::vector<std::string> demand_differences(const scenario::Scenario& first,
                                                          const scenario::Scenario& other);

}  // namespace moesim::sweep
