#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "placement/evaluation.h"

namespace moesim::placement {
namespace {

constexpr double kSafe = 1e-9;  // Margin that keeps rounding on the sound side.

/// Asks whether replicas of some loads can be packed with no rank above a level.
///
/// Every replica gets a weight such that what fits on a rank weighs at most 1: a heavy one, above
/// `level - light`, weighs 1, because whatever lies beside it is below `light` and weighs nothing;
/// others weigh 1 / slots_per_rank. The least total weight over the numbers of replicas (their sum
/// given, priced by a multiplier) must not exceed the ranks.
class Packable {
 public:
  Packable(std::span<const double> load, std::int64_t ranks, std::int64_t slots_per_rank)
      : load_(load), ranks_(ranks), slots_per_rank_(slots_per_rank) {}

  /// False only if no placement stays at or below `level`.
  [[nodiscard]] bool at(double level) const {
    constexpr int kSteps = 24;
    for (int i = 1; i <= kSteps; ++i) {
      if (!weights_fit(level, level * i / (2.0 * kSteps))) return false;
    }
    return true;
  }

 private:
  /// The cheapest replicas of one expert if they are heavy, in between or light: how many, and
  /// their weight together.
  struct Choice {
    std::array<double, 3> count{};
    std::array<double, 3> weight{};
  };

  /// Looks for a multiplier at which the weights exceed the ranks: concave, and sound at each.
  [[nodiscard]] bool weights_fit(double level, double light) const {
    std::vector<Choice> choices;
    choices.reserve(load_.size());
    for (const double load : load_) {
      if (count_for(load, level * (1.0 + kSafe)) > static_cast<double>(ranks_)) return false;
      choices.push_back(choice_of(load, level, light));
    }
    const double most = static_cast<double>(ranks_) * (1.0 + kSafe);
    double low = 0.0;
    double high = 1.0;
    for (int step = 0; step < 16; ++step) {
      const double left = low + (high - low) / 3.0;
      const double right = high - (high - low) / 3.0;
      const double at_left = weight(choices, left);
      const double at_right = weight(choices, right);
      if (std::max(at_left, at_right) > most) return false;
      (at_left < at_right ? low : high) = at_left < at_right ? left : right;
    }
    return true;
  }

  /// The least count of each kind is its cheapest; a kind that cannot be had is like the one
  /// before.
  [[nodiscard]] Choice choice_of(double load, double level, double light) const {
    const auto most = static_cast<double>(ranks_);
    const double fits = count_for(load, level * (1.0 + kSafe));
    const double not_heavy = std::max(fits, count_for(load, (level - light) * (1.0 + kSafe)));
    const double is_light = std::max(fits, count_for(load, light * (1.0 + kSafe)));
    const auto each = [&](double count) {
      if (count >= is_light) return 0.0;
      return count >= not_heavy ? 1.0 / static_cast<double>(slots_per_rank_) : 1.0;
    };
    Choice choice;
    double last = fits;
    for (std::size_t kind = 0; kind < 3; ++kind) {
      const std::array<double, 3> least = {fits, not_heavy, is_light};
      if (least[kind] <= most) last = least[kind];
      choice.count[kind] = last;
      choice.weight[kind] = each(last) * last;
    }
    return choice;
  }

  /// Total weight if every slot beyond those used is worth `price`.
  [[nodiscard]] double weight(const std::vector<Choice>& choices, double price) const {
    double sum = -price * static_cast<double>(ranks_ * slots_per_rank_);
    for (const Choice& choice : choices) {
      sum += std::min({choice.weight[0] + price * choice.count[0],
                       choice.weight[1] + price * choice.count[1],
                       choice.weight[2] + price * choice.count[2]});
    }
    return sum;
  }

  static double count_for(double load, double level) {
    return std::max(1.0, std::ceil(load / level));
  }

  std::span<const double> load_;
  std::int64_t ranks_;
  std::int64_t slots_per_rank_;
};

}  // namespace

double even_split_bound(std::span<const double> load, std::int64_t ranks,
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

double balance_lower_bound(std::span<const double> load, std::int64_t ranks,
                           std::int64_t slots_per_rank) {
  const double even = even_split_bound(load, ranks, slots_per_rank);
  if (slots_per_rank == 1 || ranks == 1) return even;
  const double mean = std::accumulate(load.begin(), load.end(), 0.0) / static_cast<double>(ranks);
  const Packable packable(load, ranks, slots_per_rank);
  if (packable.at(even * mean)) return even;
  double low = even;  // Known not to be reachable.
  double high = 2.0 * even;
  for (int step = 0; step < 12; ++step) {
    const double middle = 0.5 * (low + high);
    (packable.at(middle * mean) ? high : low) = middle;
  }
  return low;
}

}  // namespace moesim::placement
