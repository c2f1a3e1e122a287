// The strategies by name.
#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "strategies/factories.h"

namespace moesim::strategies {
namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<Strategy> (*make)();
};

constexpr std::array kStrategies = {
    Entry{"contiguous", make_contiguous},   Entry{"round_robin", make_round_robin},
    Entry{"random", make_random},           Entry{"eplb", make_eplb},
    Entry{"eplb_global", make_eplb_global}, Entry{"metis", make_metis},
    Entry{"partition", make_partition},     Entry{"rebalance", make_rebalance},
};

}  // namespace

std::unique_ptr<Strategy> make_strategy(const std::string& name) {
  const auto entry = std::find_if(kStrategies.begin(), kStrategies.end(),
                                  [&](const Entry& e) { return e.name == name; });
  return entry == kStrategies.end() ? nullptr : entry->make();
}

std::vector<std::string> strategy_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kStrategies) names.emplace_back(entry.name);
  return names;
}

std::vector<double> planned_load(const placement::Problem& problem) {
  if (problem.workloads.size() == 1) return problem.workloads.front().load;
  const auto experts = static_cast<std::size_t>(problem.shape.experts);
  std::vector<double> sum(static_cast<std::size_t>(problem.shape.moe_layers) * experts, 0.0);
  for (const placement::Workload& workload : problem.workloads) {
    for (std::size_t row = 0; row < sum.size(); row += experts) {
      double total = 0.0;
      for (std::size_t e = row; e < row + experts; ++e) total += workload.load[e];
      for (std::size_t e = row; e < row + experts; ++e) {
        sum[e] += workload.weight * workload.load[e] / total;
      }
    }
  }
  return sum;
}

}  // namespace moesim::strategies
