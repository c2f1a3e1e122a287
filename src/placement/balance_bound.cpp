#include <algorithm>
#include <numeric>

#include "placement/evaluation.h"

namespace moesim::placement {

double balance_lower_bound(std::span<const double> load, std::int64_t ranks,
                           std::int64_t slots_per_rank) {
  const double mean = std::accumulate(load.begin(), load.end(), 0.0) / static_cast<double>(ranks);
  std::vector<double> replicas(load.size(), 1.0);
  std::vector<double> share(load.begin(), load.end());
  const auto most = static_cast<double>(ranks);
  // The hottest expert with a free rank gets the next slot; one that has all ranks stays as it is.
  for (std::int64_t spare = ranks * slots_per_rank - std::ssize(load); spare > 0; --spare) {
    std::size_t hottest = share.size();
    for (std::size_t e = 0; e < share.size(); ++e) {
      if (replicas[e] < most && (hottest == share.size() || share[e] > share[hottest])) hottest = e;
    }
    if (hottest == share.size()) break;
    replicas[hottest] += 1.0;
    share[hottest] = load[hottest] / replicas[hottest];
  }
  return std::max(1.0, *std::max_element(share.begin(), share.end()) / mean);
}

}  // namespace moesim::placement
