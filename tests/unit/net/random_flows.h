// Random flow problems for properties, and a progressive filling too simple to be wrong.
#pragma once

#include <rapidcheck.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/units.h"
#include "net/max_min.h"

namespace moesim::net {

/// Links of 1 to 1000 GB/s.
inline std::vector<BytesPerSecond> random_capacities(std::int64_t links) {
  std::vector<BytesPerSecond> capacity;
  for (std::int64_t l = 0; l < links; ++l) {
    capacity.push_back(1.0_GBps * static_cast<double>(*rc::gen::inRange(1, 1001)));
  }
  return capacity;
}

/// One to four different links.
inline std::vector<LinkId> random_path(std::int64_t links) {
  std::vector<LinkId> path;
  const auto hops = *rc::gen::inRange<std::int64_t>(1, 5);
  for (std::int64_t i = 0; i < hops; ++i) {
    const LinkId link{*rc::gen::inRange<std::int64_t>(0, links)};
    if (std::find(path.begin(), path.end(), link) == path.end()) path.push_back(link);
  }
  return path;
}

/// Rate of each flow: every round looks at every link and every flow.
inline std::vector<double> brute_force_rates(std::span<const BytesPerSecond> capacity,
                                             const FlowSet& flows) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  std::vector<double> rate(flows.size(), -1.0);
  for (;;) {
    double lowest = kNone;
    std::size_t fullest = 0;
    for (std::size_t l = 0; l < capacity.size(); ++l) {
      long double left = capacity[l] / 1.0_Bps;
      long double weight = 0;
      for (std::size_t f = 0; f < flows.size(); ++f) {
        const auto path = flows.path(f);
        if (std::none_of(path.begin(), path.end(), [&](LinkId id) { return id.index() == l; })) {
          continue;
        }
        if (rate[f] >= 0.0) {
          left -= static_cast<long double>(rate[f]);
        } else {
          weight += static_cast<long double>(flows.weight(f));
        }
      }
      if (weight > 0 && static_cast<double>(left / weight) < lowest) {
        lowest = static_cast<double>(left / weight);
        fullest = l;
      }
    }
    if (lowest == kNone) return rate;
    for (std::size_t f = 0; f < flows.size(); ++f) {
      const auto path = flows.path(f);
      const bool crosses =
          std::any_of(path.begin(), path.end(), [&](LinkId id) { return id.index() == fullest; });
      if (rate[f] < 0.0 && crosses) rate[f] = lowest * flows.weight(f);
    }
  }
}

}  // namespace moesim::net
