// Runs a sweep: candidates on all cores, ranking, Pareto front, the best as a scenario.
//
// The result is the same for any number of threads.
// Layer: sweep.
#pragma once

#include <cstddef>
#include <vector>

#include "catalog/catalog.h"
#include "scenario/sweep_reader.h"
#include "sweep/parallel_runs.h"
#include "sweep/sweep_result.h"

namespace moesim::sweep {

/// `jobs`: threads, 0 for all cores. Progress counts the candidates that are run. Throws InputError
/// if the space is larger than the sweep allows.
[[nodiscard]] SweepResult run_sweep(const scenario::Sweep& sweep, const catalog::Catalog& catalog,
                                    int jobs, const CountProgress& progress = {});

/// Two figures of which more is better.
struct TradeOff {
  double x = 0;
  double y = 0;
};
/// Indices of the points that no other point beats (at least as good in both, better in one), by
/// rising x; of equal points the first. O(n log n).
[[nodiscard]] std::vector<std::size_t> pareto_front(const std::vector<TradeOff>& points);

}  // namespace moesim::sweep
