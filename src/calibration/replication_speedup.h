// What placing and replicating experts by load gains on the slowest rank.
//
// A rebalanced row against the row that is not and otherwise the same (replicas aside): measured
// gain = ratio of the two measured times, predicted gain = ratio of the two predicted ones. A
// common error of both rows cancels, so this tests the simulated loads more than the curve.
// Layer: calibration.
#pragma once

#include <cstdint>
#include <span>

#include "calibration/study.h"

namespace moesim::calibration {

/// A row as a partner of others.
struct ReplicationRow {
  std::uint64_t configuration = 0;  ///< Hash of all but slots and rebalancing.
  bool rebalanced = false;
};

/// Time without rebalancing over time with it, of all rebalanced rows that have a partner, in the
/// order of `rows`. One row per sample. `predicted` NaN: the pair is left out.
[[nodiscard]] Derived replication_speedups(std::span<const ReplicationRow> rows,
                                           std::span<const Sample> samples,
                                           std::span<const double> predicted);

}  // namespace moesim::calibration
