// Gives each request to one attention-DP rank of one instance.
//
// Layer: serving.
#pragma once

#include <cstdint>
#include <vector>

#include "serving/deployment.h"
#include "serving/instance.h"

namespace moesim::serving {

struct Target {
  std::size_t instance = 0;
  std::size_t rank = 0;
};

/// Round robin over all ranks, or the rank with the fewest requests (the next after the last
/// choice, in rank order, when several have as few).
class Router {
 public:
  Router(RouterPolicy policy, std::size_t ranks_per_instance)
      : policy_(policy), ranks_per_instance_(ranks_per_instance) {}
  [[nodiscard]] Target choose(const std::vector<Instance>& instances);

 private:
  RouterPolicy policy_;
  std::size_t ranks_per_instance_;
  std::size_t next_ = 0;
};

}  // namespace moesim::serving
