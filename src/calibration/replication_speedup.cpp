#include "calibration/replication_speedup.h"

#include <cmath>
#include <cstddef>
#include <map>

#include "core/check.h"

namespace moesim::calibration {

Derived replication_speedups(std::span<const ReplicationRow> rows, std::span<const Sample> samples,
                             std::span<const double> predicted) {
  MOESIM_CHECK(rows.size() == samples.size() && rows.size() == predicted.size(),
               "a row, a sample and a prediction each");
  std::map<std::uint64_t, std::size_t> plain;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].rebalanced) plain.emplace(rows[i].configuration, i);
  }
  Derived gains{.label = "replication speed-up"};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].rebalanced) continue;
    const auto partner = plain.find(rows[i].configuration);
    if (partner == plain.end()) continue;
    const std::size_t other = partner->second;
    if (std::isnan(predicted[i]) || std::isnan(predicted[other])) continue;
    gains.measured.push_back(samples[other].measured / samples[i].measured);
    gains.predicted.push_back(predicted[other] / predicted[i]);
  }
  return gains;
}

}  // namespace moesim::calibration
