#include "serving/router.h"

#include <tuple>

namespace moesim::serving {

std::size_t Router::least_load(const std::vector<Instance>& instances) const {
  const std::size_t count = instances.size() * ranks_per_instance_;
  std::size_t best = next_;
  std::int64_t fewest = -1;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t candidate = (next_ + i) % count;
    const std::int64_t load = rank(instances, candidate).requests();
    if (fewest < 0 || load < fewest) {
      fewest = load;
      best = candidate;
    }
    if (fewest == 0) break;
  }
  return best;
}

std::size_t Router::longest_prefix(const std::vector<Instance>& instances,
                                   std::span<const std::uint64_t> prompt,
                                   std::int64_t input_tokens) const {
  const std::size_t count = instances.size() * ranks_per_instance_;
  std::int64_t all = 1;
  for (std::size_t i = 0; i < count; ++i) all += rank(instances, i).requests();
  // ceil(1.25 * all / count): with this request, no rank holds more.
  const auto ranks = static_cast<std::int64_t>(count);
  const std::int64_t most = (5 * all + 4 * ranks - 1) / (4 * ranks);
  std::size_t best = next_;
  std::tuple<std::int64_t, std::int64_t> least{-1, -1};
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t candidate = (next_ + i) % count;
    const RankScheduler& here = rank(instances, candidate);
    if (here.requests() + 1 > most) continue;
    const std::tuple ahead{
        here.backlog() + input_tokens - here.kv().cached_tokens(prompt, input_tokens),
        here.requests()};
    if (std::get<0>(least) >= 0 && ahead >= least) continue;
    least = ahead;
    best = candidate;
  }
  return best;
}

Target Router::choose(const std::vector<Instance>& instances, std::span<const std::uint64_t> prompt,
                      std::int64_t input_tokens) {
  const std::size_t count = instances.size() * ranks_per_instance_;
  std::size_t best = next_;
  if (policy_ == RouterPolicy::LeastLoad) best = least_load(instances);
  if (policy_ == RouterPolicy::PrefixAware) best = longest_prefix(instances, prompt, input_tokens);
  next_ = (best + 1) % count;
  return {.instance = best / ranks_per_instance_, .rank = best % ranks_per_instance_};
}

}  // namespace moesim::serving
