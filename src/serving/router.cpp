#include "serving/router.h"

#include <optional>
#include <tuple>

#include "serving/rank_load.h"

namespace moesim::serving {

std::size_t Router::next_in_turn(const std::vector<Instance>& instances,
                                 const Autoscaler* units) const {
  const std::size_t count = instances.size() * ranks_per_instance_;
  std::size_t candidate = next_;
  while (!takes(units, candidate)) candidate = (candidate + 1) % count;
  return candidate;
}

std::size_t Router::least_load(const std::vector<Instance>& instances,
                               const Autoscaler* units) const {
  const std::size_t count = instances.size() * ranks_per_instance_;
  std::size_t best = next_;
  std::optional<RankLoad> least;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t candidate = (next_ + i) % count;
    if (!takes(units, candidate)) continue;
    const RankLoad load = load_of(policy_, rank(instances, candidate));
    if (!least || load < *least) {
      least = load;
      best = candidate;
    }
    if (*least == RankLoad{}) break;
  }
  return best;
}

std::size_t Router::longest_prefix(const std::vector<Instance>& instances, const Autoscaler* units,
                                   std::span<const std::uint64_t> prompt,
                                   std::int64_t input_tokens) const {
  const std::size_t count = instances.size() * ranks_per_instance_;
  std::int64_t all = 1;
  std::int64_t ranks = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!takes(units, i)) continue;
    all += rank(instances, i).requests();
    ++ranks;
  }
  // ceil(1.25 * all / ranks): with this request, no rank holds more.
  const std::int64_t most = (5 * all + 4 * ranks - 1) / (4 * ranks);
  std::size_t best = next_;
  std::tuple<std::int64_t, std::int64_t> least{-1, -1};
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t candidate = (next_ + i) % count;
    if (!takes(units, candidate)) continue;
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

Target Router::choose(const std::vector<Instance>& instances, const Autoscaler* units,
                      std::span<const std::uint64_t> prompt, std::int64_t input_tokens) {
  const std::size_t count = instances.size() * ranks_per_instance_;
  std::size_t best = 0;
  switch (policy_) {
    case RouterPolicy::RoundRobin:
      best = next_in_turn(instances, units);
      break;
    case RouterPolicy::LeastLoad:
    case RouterPolicy::LeastTokens:
    case RouterPolicy::LeastWaiting:
      best = least_load(instances, units);
      break;
    case RouterPolicy::PrefixAware:
      best = longest_prefix(instances, units, prompt, input_tokens);
      break;
  }
  next_ = (best + 1) % count;
  return {.instance = best / ranks_per_instance_, .rank = best % ranks_per_instance_};
}

}  // namespace moesim::serving
