// Summary figures of a sequence of requests.
//
// Percentiles: nearest rank (core/percentile.h). Mean rate: gaps over span, (n - 1) / span.
// Gap variation: population standard deviation over mean of the gaps between arrivals, zero gaps
// included. Dispersion: population variance over mean of the counts in full bins from the first
// arrival; 1 for a Poisson process.
// Layer: workload.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/sim_time.h"
#include "workload/request.h"

namespace moesim::workload {

struct LengthSummary {
  std::int64_t total = 0;
  double mean = 0.0;
  std::int32_t p50 = 0;
  std::int32_t p90 = 0;
  std::int32_t p95 = 0;
  std::int32_t p99 = 0;
  std::int32_t max = 0;
};

struct TraceSummary {
  std::int64_t requests = 0;
  SimTime span;  ///< First to last arrival.
  double mean_rate_per_s = 0.0;
  std::int64_t equal_arrivals = 0;  ///< Neighbours with the same time.
  double gap_cv = 0.0;
  LengthSummary input;
  LengthSummary output;
};

/// Population standard deviation over mean of the gaps; 0 for fewer than two requests.
[[nodiscard]] double gap_cv(std::span<const Request> requests);

/// Variance over mean of the counts in full bins; 0 if there is no full bin.
[[nodiscard]] double dispersion(std::span<const Request> requests, SimTime bin);

/// Lengths sorted ascending, for core/percentile.h.
[[nodiscard]] std::vector<std::int32_t> sorted_inputs(std::span<const Request> requests);
[[nodiscard]] std::vector<std::int32_t> sorted_outputs(std::span<const Request> requests);

/// All figures at once. Precondition: arrivals ascending.
[[nodiscard]] TraceSummary summarize(std::span<const Request> requests);

}  // namespace moesim::workload
