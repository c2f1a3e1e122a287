#include "serving/router.h"

namespace moesim::serving {

Target Router::choose(const std::vector<Instance>& instances) {
  const std::size_t count = instances.size() * ranks_per_instance_;
  std::size_t best = next_;
  if (policy_ == RouterPolicy::LeastLoad) {
    std::int64_t fewest = -1;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t candidate = (next_ + i) % count;
      const std::int64_t load = instances[candidate / ranks_per_instance_]
                                    .ranks()[candidate % ranks_per_instance_]
                                    .requests();
      if (fewest < 0 || load < fewest) {
        fewest = load;
        best = candidate;
      }
      if (fewest == 0) break;
    }
  }
  next_ = (best + 1) % count;
  return {.instance = best / ranks_per_instance_, .rank = best % ranks_per_instance_};
}

}  // namespace moesim::serving
