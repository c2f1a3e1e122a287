// Published runs whose requests are known one by one, replayed.
//
// Compared: time to first token and end to end of each run, by median, 90th percentile and the
//           distance of Kolmogorov and Smirnov.
// Layer: validation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "scenario/published_row.h"

namespace moesim::validation {

struct LatencyComparison {
  double measured_median_ms = 0, predicted_median_ms = 0;
  double measured_p90_ms = 0, predicted_p90_ms = 0;
  double ks_distance = 0;
};

struct Replay {
  std::string run;
  std::int64_t requests = 0;
  LatencyComparison ttft, end_to_end;
  std::string reason;  ///< Why it was not replayed; empty: it was.
};

/// Every recording that one of the rows describes.
[[nodiscard]] std::vector<Replay> replay_recordings(const scenario::PublishedRows& rows,
                                                    const catalog::Catalog& catalog, int jobs);

/// Percentiles by nearest rank. Precondition: neither is empty.
[[nodiscard]] LatencyComparison compare_latencies(std::vector<double> measured,
                                                  std::vector<double> predicted);

}  // namespace moesim::validation
