#include "calibration/expert_load_draw.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <numeric>
#include <queue>
#include <tuple>
#include <utility>

#include "core/check.h"
#include "core/index.h"
#include "core/math.h"

namespace moesim::calibration {
namespace {

constexpr std::uint64_t kSeed = 20260821;  // Of all draws; any other serves as well.

std::int64_t slots_of(const LoadDrawSpec& spec) {
  return spec.slots == 0 ? spec.experts : spec.slots;
}

/// Weights by inversion of the distribution function of x^-a on [low, high].
std::vector<double> power_law_weights(const LoadDrawSpec& spec, RandomStream& stream) {
  const bool crowded = spec.tokens * spec.topk > spec.experts;
  const double low = crowded ? 1.0 : 0.01;
  const double high = crowded ? 0.8 * static_cast<double>(spec.tokens) : 2.0;
  const double power = 1 - spec.exponent;
  const bool reciprocal = std::abs(power) < 1e-9;
  const double from = reciprocal ? math::log(low) : math::pow(low, power);
  const double to = reciprocal ? math::log(high) : math::pow(high, power);
  std::vector<double> weights(as_index(spec.experts));
  for (double& weight : weights) {
    const double at = from + (to - from) * stream.uniform();
    weight = reciprocal ? math::exp(at) : math::pow(at, 1 / power);
  }
  return weights;
}

/// Bits of `index` in reverse: experts taken in this order are spread over the whole range.
std::uint32_t reversed(std::uint32_t index, int bits) {
  std::uint32_t out = 0;
  for (int b = 0; b < bits; ++b) out |= ((index >> b) & 1U) << (bits - 1 - b);
  return out;
}

/// Experts, most loaded first; ties in the order of `rest`.
std::vector<std::size_t> by_load(std::span<const std::int32_t> load, RestOrder rest) {
  // One sortable number each: load, then tie, then expert.
  constexpr int kTieBits = 16;
  const int bits = static_cast<int>(std::bit_width(load.size() - 1));
  std::vector<std::uint64_t> keys(load.size());
  for (std::size_t e = 0; e < load.size(); ++e) {
    const auto index = static_cast<std::uint32_t>(e);
    const std::uint32_t tie = rest == RestOrder::Spread ? reversed(index, bits) : index;
    const auto falling =
        static_cast<std::uint32_t>(std::numeric_limits<std::int32_t>::max() - load[e]);
    keys[e] = (std::uint64_t{falling} << (2 * kTieBits)) | (std::uint64_t{tie} << kTieBits) | index;
  }
  std::sort(keys.begin(), keys.end());
  std::vector<std::size_t> order(load.size());
  std::transform(keys.begin(), keys.end(), order.begin(), [](std::uint64_t key) {
    return static_cast<std::size_t>(key & ((1U << kTieBits) - 1));
  });
  return order;
}

/// Deals what is missing to the least loaded, takes what is too much from the most loaded.
void settle(std::vector<std::int32_t>& load, const LoadDrawSpec& spec) {
  const auto full = static_cast<std::int32_t>(spec.tokens);
  for (std::int32_t& tokens : load) tokens = std::min(tokens, full);
  std::int64_t missing =
      spec.tokens * spec.topk - std::accumulate(load.begin(), load.end(), std::int64_t{0});
  while (missing != 0) {
    const std::vector<std::size_t> order = by_load(load, spec.rest);
    for (std::size_t i = 0; i < order.size() && missing != 0; ++i) {
      if (missing > 0) {
        std::int32_t& least = load[order[order.size() - 1 - i]];
        if (least == full) continue;
        ++least;
        --missing;
      } else if (load[order[i]] > 0) {
        --load[order[i]];
        ++missing;
      }
    }
  }
}

/// A share of an expert's tokens that one rank got.
struct Share {
  std::size_t expert = 0;
  std::int32_t skipped = 0;  ///< Tokens of the expert that other replicas before it took.
  std::int32_t tokens = 0;
};

/// Tokens covered by the shares when experts lie end to end in falling order of load.
std::int32_t distinct_tokens(std::span<const Share> shares, std::span<const std::int32_t> load,
                             std::int64_t tokens) {
  std::vector<std::int64_t> start(load.size());
  std::int64_t at = 0;
  for (const std::size_t e : by_load(load, RestOrder::ByIndex)) {
    start[e] = at;
    at += load[e];
  }
  std::vector<std::pair<std::int64_t, std::int64_t>> covered;
  for (const Share& share : shares) {
    const std::int64_t from = (start[share.expert] + share.skipped) % tokens;
    const std::int64_t to = from + share.tokens;
    covered.emplace_back(from, std::min(to, tokens));
    if (to > tokens) covered.emplace_back(0, to - tokens);
  }
  std::sort(covered.begin(), covered.end());
  std::int64_t sum = 0;
  std::int64_t end = 0;
  for (const auto& [from, to] : covered) {
    sum += std::max<std::int64_t>(0, to - std::max(from, end));
    end = std::max(end, to);
  }
  return static_cast<std::int32_t>(sum);
}

/// Replicas of each expert: every spare slot goes to the expert with most load per replica.
std::vector<std::int32_t> replicas_of(std::span<const std::int32_t> load, std::int64_t slots) {
  std::vector<std::int32_t> replicas(load.size(), 1);
  std::vector<double> per_replica(load.begin(), load.end());
  for (auto s = static_cast<std::int64_t>(load.size()); s < slots; ++s) {
    const auto hottest = static_cast<std::size_t>(
        std::max_element(per_replica.begin(), per_replica.end()) - per_replica.begin());
    ++replicas[hottest];
    per_replica[hottest] = static_cast<double>(load[hottest]) / replicas[hottest];
  }
  return replicas;
}

/// Expert of each slot, slots of a rank adjacent: replicas, heaviest first and those of one expert
/// together, each to the lightest rank that has room.
std::vector<std::size_t> packed(std::span<const std::int32_t> load,
                                std::span<const std::int32_t> replicas, const LoadDrawSpec& spec) {
  struct Item {
    double load;
    std::size_t expert;
  };
  std::vector<Item> items;
  for (std::size_t e = 0; e < load.size(); ++e) {
    const Item item{.load = static_cast<double>(load[e]) / replicas[e], .expert = e};
    items.insert(items.end(), static_cast<std::size_t>(replicas[e]), item);
  }
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.load > b.load || (a.load == b.load && a.expert < b.expert);
  });
  using Rank = std::pair<double, std::size_t>;  // Load so far, index.
  std::priority_queue<Rank, std::vector<Rank>, std::greater<>> open;
  for (std::size_t r = 0; r < as_index(spec.ranks); ++r) open.emplace(0.0, r);
  const std::size_t per_rank = items.size() / as_index(spec.ranks);
  std::vector<std::size_t> used(as_index(spec.ranks), 0);
  std::vector<std::size_t> expert_of_slot(items.size());
  for (const Item& item : items) {
    const auto [sum, rank] = open.top();
    open.pop();
    expert_of_slot[rank * per_rank + used[rank]] = item.expert;
    if (++used[rank] < per_rank) open.emplace(sum + item.load, rank);
  }
  return expert_of_slot;
}

/// Shares of all slots, slots of a rank adjacent.
std::vector<Share> shares_of(std::span<const std::int32_t> load, const LoadDrawSpec& spec) {
  std::vector<Share> shares(as_index(slots_of(spec)));
  if (!spec.rebalanced) {
    for (std::size_t e = 0; e < shares.size(); ++e) shares[e] = {.expert = e, .tokens = load[e]};
    return shares;
  }
  const std::vector<std::int32_t> replicas = replicas_of(load, slots_of(spec));
  const std::vector<std::size_t> expert_of_slot = packed(load, replicas, spec);
  std::vector<std::int32_t> taken(load.size(), 0);
  const std::size_t per_rank = shares.size() / as_index(spec.ranks);
  for (std::size_t s = 0; s < shares.size(); ++s) {
    const std::size_t e = expert_of_slot[s];
    const std::int32_t share = (load[e] + replicas[e] - 1) / replicas[e];
    shares[s] = {.expert = e, .skipped = std::min(taken[e], load[e] - share), .tokens = share};
    taken[e] += share;
    // A second replica on the same rank adds to the first.
    for (std::size_t other = s - s % per_rank; other < s && replicas[e] > 1; ++other) {
      if (shares[other].expert != e) continue;
      Share& first = shares[other];
      first.tokens = std::min(load[e], first.tokens + share);
      first.skipped = std::min(first.skipped, load[e] - first.tokens);
      shares[s].tokens = 0;
      break;
    }
  }
  return shares;
}

}  // namespace

std::vector<std::int32_t> power_law_load(const LoadDrawSpec& spec, RandomStream& stream) {
  MOESIM_CHECK(spec.tokens >= 1 && spec.topk >= 1 && spec.topk <= spec.experts &&
                   spec.experts <= kMostDrawnExperts && spec.exponent > 0,
               "a draw needs tokens, and no more choices than experts");
  const std::vector<double> weights = power_law_weights(spec, stream);
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  const double scale = static_cast<double>(spec.tokens * spec.topk) / sum;
  std::vector<std::int32_t> load(weights.size());
  std::transform(weights.begin(), weights.end(), load.begin(), [&](double weight) {
    return static_cast<std::int32_t>(std::nearbyint(weight * scale));
  });
  settle(load, spec);
  return load;
}

std::vector<std::int32_t> balanced_load(const LoadDrawSpec& spec) {
  const std::int64_t stride = (spec.experts + spec.topk - 1) / spec.topk;
  const std::int64_t rounds = spec.tokens / spec.experts;  // Whole rounds give each expert k.
  const std::int64_t rest = spec.tokens % spec.experts;
  std::vector<std::int32_t> load(as_index(spec.experts),
                                 static_cast<std::int32_t>(rounds * spec.topk));
  for (std::int64_t t = 0; t < rest; ++t) {
    const std::int64_t first = spec.tokens < stride ? t * stride / spec.tokens : t;
    for (std::int64_t j = 0; j < spec.topk; ++j) {
      ++load[as_index((first + j * stride) % spec.experts)];
    }
  }
  return load;
}

HotRank hot_rank(std::span<const std::int32_t> load, const LoadDrawSpec& spec) {
  MOESIM_CHECK(spec.ranks >= 1 && slots_of(spec) % spec.ranks == 0 &&
                   (spec.rebalanced || slots_of(spec) == spec.experts),
               "ranks hold equal numbers of slots; only rebalancing fills spare ones");
  const std::vector<Share> shares = shares_of(load, spec);
  const std::size_t per_rank = shares.size() / as_index(spec.ranks);
  std::size_t hottest = 0;
  std::int32_t most = -1;
  for (std::size_t first = 0; first < shares.size(); first += per_rank) {
    std::int32_t sum = 0;
    for (std::size_t s = first; s < first + per_rank; ++s) sum += shares[s].tokens;
    if (sum > most) {
      most = sum;
      hottest = first;
    }
  }
  const std::span<const Share> own(shares.data() + hottest, per_rank);
  HotRank rank{.tokens = std::vector<std::int32_t>(per_rank), .pairs = most, .distinct = 0};
  std::transform(own.begin(), own.end(), rank.tokens.begin(),
                 [](const Share& share) { return share.tokens; });
  std::sort(rank.tokens.begin(), rank.tokens.end(), std::greater<>());
  rank.distinct = distinct_tokens(own, load, spec.tokens);
  return rank;
}

bool ExpertLoadDraws::Order::operator()(const LoadDrawSpec& a, const LoadDrawSpec& b) const {
  const auto key = [](const LoadDrawSpec& s) {
    return std::make_tuple(s.tokens, s.experts, s.topk, s.ranks, s.slots, s.exponent, s.rebalanced,
                           static_cast<int>(s.rest));
  };
  return key(a) < key(b);
}

const std::vector<std::vector<std::int32_t>>& ExpertLoadDraws::loads_of(LoadDrawSpec spec) {
  spec.ranks = 1;
  spec.slots = 0;
  spec.rebalanced = false;
  std::vector<std::vector<std::int32_t>>& loads = loads_[spec];
  if (!loads.empty()) return loads;
  if (spec.exponent <= 0) {
    loads.push_back(balanced_load(spec));
    return loads;
  }
  // A stream per spec and draw: the order of rows does not matter.
  std::uint64_t entity = mix64(static_cast<std::uint64_t>(spec.tokens));
  for (const std::int64_t part : {spec.experts, spec.topk}) {
    entity = mix64(entity ^ static_cast<std::uint64_t>(part));
  }
  entity = mix64(entity ^ std::bit_cast<std::uint64_t>(spec.exponent));
  RandomStream stream(kSeed, "expert_load_draw", entity);
  for (std::int64_t d = 0; d < draws_; ++d) loads.push_back(power_law_load(spec, stream));
  return loads;
}

const std::vector<HotRank>& ExpertLoadDraws::of(const LoadDrawSpec& spec) {
  std::vector<HotRank>& ranks = ranks_[spec];
  if (!ranks.empty()) return ranks;
  for (const std::vector<std::int32_t>& load : loads_of(spec)) {
    ranks.push_back(hot_rank(load, spec));
  }
  return ranks;
}

}  // namespace moesim::calibration
