#include "routing/routing_statistics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/check.h"
#include "core/math.h"

namespace moesim::routing {
namespace {

/// Part of all pairs whose mass is the top share.
constexpr double kTopPairs = 0.05;

std::vector<double> shares(const TokenTrace& tokens, std::int64_t row) {
  std::vector<double> share(static_cast<std::size_t>(tokens.experts), 0.0);
  const auto chosen = tokens.experts_of(row);
  for (const std::uint16_t e : chosen) share[e] += 1.0;
  for (double& s : share) s /= static_cast<double>(chosen.size());
  return share;
}

/// Mass of the largest kTopPairs of all.
double top_mass(std::vector<double> mass) {
  const auto top =
      std::max<std::ptrdiff_t>(1, std::lround(kTopPairs * static_cast<double>(mass.size())));
  std::nth_element(mass.begin(), mass.begin() + (top - 1), mass.end(), std::greater<>());
  return std::accumulate(mass.begin(), mass.begin() + top, 0.0);
}

double log2(double x) { return math::log(x) / math::log(2.0); }

/// Marks the k largest of `score`; of equal ones the first.
void mark_largest(const std::vector<float>& score, std::size_t k, std::vector<std::size_t>& order) {
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k) - 1, order.end(),
                   [&](std::size_t a, std::size_t b) {
                     return score[a] != score[b] ? score[a] > score[b] : a < b;
                   });
}

/// How many of a token's experts are among the first k of `order`.
std::int64_t hits(const std::uint16_t* experts, std::size_t k,
                  const std::vector<std::size_t>& order) {
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(k);
  return std::count_if(experts, experts + k, [&](std::uint16_t e) {
    return std::find(order.begin(), end, std::size_t{e}) != end;
  });
}

/// joint[i * experts + j]: how often a token has i in `row` and j in the row after it.
std::vector<float> joint_counts(const TokenTrace& tokens, std::int64_t row) {
  const auto experts = static_cast<std::size_t>(tokens.experts);
  const auto k = static_cast<std::size_t>(tokens.top_k);
  const auto here = tokens.experts_of(row);
  const auto there = tokens.experts_of(row + 1);
  std::vector<float> joint(experts * experts, 0.0F);
  for (std::size_t t = 0; t < here.size(); t += k) {
    for (std::size_t a = 0; a < k; ++a) {
      float* of = &joint[here[t + a] * experts];
      for (std::size_t b = 0; b < k; ++b) of[there[t + b]] += 1.0F;
    }
  }
  return joint;
}

double mutual_information(const std::vector<float>& joint, const std::vector<double>& here,
                          const std::vector<double>& there, double total) {
  double sum = 0.0;
  for (std::size_t i = 0; i < here.size(); ++i) {
    for (std::size_t j = 0; j < there.size(); ++j) {
      const double p = static_cast<double>(joint[i * there.size() + j]) / total;
      if (p > 0.0) sum += p * log2(p / (here[i] * there[j]));
    }
  }
  return sum;
}

}  // namespace

LoadSkew load_skew(std::span<const double> load, std::int64_t groups) {
  const auto n = static_cast<double>(load.size());
  std::vector<double> sorted(load.begin(), load.end());
  std::sort(sorted.begin(), sorted.end());
  const double sum = std::accumulate(sorted.begin(), sorted.end(), 0.0);
  MOESIM_CHECK(sum > 0.0, "loads without any load were refused before");
  LoadSkew skew{.max_over_mean = sorted.back() / sum * n};
  double square = 0.0;
  double ranked = 0.0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const double share = sorted[i] / sum * n;
    square += (share - 1.0) * (share - 1.0);
    ranked += (2.0 * static_cast<double>(i + 1) - n - 1.0) * share;
  }
  skew.cv = std::sqrt(square / n);
  skew.gini = ranked / (n * n);
  double used = 0.0;
  double mean = 0.0;
  for (const double l : load) {
    if (l > 0.0) used += 1.0;
    if (l > 0.0) mean += math::log(l / sum);
  }
  mean /= used;
  skew.unused = n - used;
  double variance = 0.0;
  double between = 0.0;
  const std::size_t size = load.size() / static_cast<std::size_t>(groups);
  for (std::size_t begin = 0; begin < load.size(); begin += size) {
    double of_group = 0.0;
    double members = 0.0;
    for (const double l : load.subspan(begin, size)) {
      if (l <= 0.0) continue;
      const double d = math::log(l / sum) - mean;
      variance += d * d / used;
      of_group += d;
      members += 1.0;
    }
    if (members > 0.0) between += of_group * of_group / (members * used);
  }
  skew.sigma_ln = std::sqrt(variance);
  if (groups > 1 && variance > 0.0) skew.between_groups = between / variance;
  return skew;
}

PairStatistics pair_statistics(const TokenTrace& tokens, std::int64_t row) {
  const auto experts = static_cast<std::size_t>(tokens.experts);
  const auto k = static_cast<std::size_t>(tokens.top_k);
  MOESIM_CHECK(k >= 2 && !tokens.empty(), "pairs need tokens of two experts");
  const auto chosen = tokens.experts_of(row);
  std::vector<float> count(experts * experts, 0.0F);
  for (std::size_t t = 0; t < chosen.size(); t += k) {
    for (std::size_t a = 0; a < k; ++a) {
      for (std::size_t b = 0; b < k; ++b) count[chosen[t + a] * experts + chosen[t + b]] += 1.0F;
    }
  }
  const std::vector<double> share = shares(tokens, row);
  double squares = 0.0;
  for (const double s : share) squares += s * s;
  const double all = static_cast<double>(tokens.tokens() * tokens.top_k * (tokens.top_k - 1)) / 2.0;
  std::vector<double> mass;
  std::vector<double> independent;
  PairStatistics result;
  for (std::size_t i = 0; i < experts; ++i) {
    for (std::size_t j = i + 1; j < experts; ++j) {
      mass.push_back(static_cast<double>(count[i * experts + j]) / all);
      independent.push_back(2.0 * share[i] * share[j] / (1.0 - squares));
      result.total_variation += 0.5 * std::abs(mass.back() - independent.back());
    }
  }
  result.top_share = top_mass(std::move(mass));
  result.top_share_independent = top_mass(std::move(independent));
  return result;
}

NextLayerStatistics next_layer_statistics(const TokenTrace& tokens, std::int64_t row) {
  MOESIM_CHECK(row + 1 < tokens.rows(), "the last row has no next one");
  const auto experts = static_cast<std::size_t>(tokens.experts);
  const auto k = static_cast<std::size_t>(tokens.top_k);
  const auto here = tokens.experts_of(row);
  const auto there = tokens.experts_of(row + 1);
  const std::vector<double> share = shares(tokens, row);
  const std::vector<double> next = shares(tokens, row + 1);
  std::vector<float> joint = joint_counts(tokens, row);
  NextLayerStatistics result;
  const double choices = static_cast<double>(here.size());
  result.mutual_information_bits =
      mutual_information(joint, share, next, choices * static_cast<double>(k));
  for (std::size_t i = 0; i < experts; ++i) {  // ln of the frequencies given i.
    const double times = share[i] * choices;
    for (std::size_t j = 0; j < experts; ++j) {
      const double both = static_cast<double>(joint[i * experts + j]);
      joint[i * experts + j] = static_cast<float>(math::log((both + 0.5) / (times + 1.0)));
    }
  }
  std::vector<std::size_t> popular(experts);
  mark_largest(std::vector<float>(next.begin(), next.end()), k, popular);
  std::vector<std::size_t> order(experts);
  std::vector<float> score(experts);
  std::int64_t hit = 0;
  std::int64_t hit_by_chance = 0;
  for (std::size_t t = 0; t < here.size(); t += k) {
    std::fill(score.begin(), score.end(), 0.0F);
    for (std::size_t a = 0; a < k; ++a) {
      const float* of = &joint[here[t + a] * experts];
      for (std::size_t j = 0; j < experts; ++j) score[j] += of[j];
    }
    mark_largest(score, k, order);
    hit += hits(&there[t], k, order);
    hit_by_chance += hits(&there[t], k, popular);
  }
  result.hit_rate = static_cast<double>(hit) / choices;
  result.hit_rate_chance = static_cast<double>(hit_by_chance) / choices;
  return result;
}

std::optional<AdjacentOverlap> adjacent_overlap(const TokenTrace& tokens, std::int64_t row) {
  const auto k = static_cast<std::size_t>(tokens.top_k);
  const auto chosen = tokens.experts_of(row);
  std::int64_t same = 0;
  std::int64_t compared = 0;
  for (std::size_t t = 1; t < tokens.request.size(); ++t) {
    if (tokens.request[t] != tokens.request[t - 1]) continue;
    const auto before = chosen.subspan((t - 1) * k, k);
    for (const std::uint16_t e : chosen.subspan(t * k, k)) {
      same += std::find(before.begin(), before.end(), e) != before.end() ? 1 : 0;
    }
    compared += tokens.top_k;
  }
  if (compared == 0) return std::nullopt;
  AdjacentOverlap result{.overlap = static_cast<double>(same) / static_cast<double>(compared)};
  for (const double s : shares(tokens, row)) {
    result.independent += s * s * static_cast<double>(tokens.top_k);
  }
  return result;
}

std::vector<LayerStatistics> load_statistics(std::span<const double> load, std::int64_t experts,
                                             std::int64_t groups) {
  std::vector<LayerStatistics> layers;
  const auto width = static_cast<std::size_t>(experts);
  for (std::size_t begin = 0; begin < load.size(); begin += width) {
    LayerStatistics& layer = layers.emplace_back();
    layer.layer = static_cast<std::int32_t>(layers.size() - 1);
    layer.load = load_skew(load.subspan(begin, width), groups);
  }
  return layers;
}

std::vector<LayerStatistics> token_statistics(const TokenTrace& tokens, std::int64_t groups) {
  std::vector<LayerStatistics> layers;
  for (std::int64_t row = 0; row < tokens.rows(); ++row) {
    LayerStatistics& layer = layers.emplace_back();
    layer.layer = tokens.layer[static_cast<std::size_t>(row)];
    layer.load = load_skew(shares(tokens, row), groups);
    if (tokens.top_k >= 2) layer.pairs = pair_statistics(tokens, row);
    const bool followed = row + 1 < tokens.rows() &&
                          tokens.layer[static_cast<std::size_t>(row) + 1] == layer.layer + 1;
    if (followed) layer.next = next_layer_statistics(tokens, row);
    layer.adjacent = adjacent_overlap(tokens, row);
  }
  return layers;
}

LayerStatistics mean_statistics(std::span<const LayerStatistics> layers) {
  const auto mean = [&](auto&& figure) {
    double sum = 0.0;
    double number = 0.0;
    for (const LayerStatistics& layer : layers) {
      const std::optional<double> value = figure(layer);
      if (!value) continue;
      sum += *value;
      number += 1.0;
    }
    return number > 0.0 ? sum / number : 0.0;
  };
  const auto of = [&](auto part, auto field) {
    return mean([&](const LayerStatistics& l) -> std::optional<double> {
      return l.*part ? std::optional<double>((*(l.*part)).*field) : std::nullopt;
    });
  };
  const auto has = [&](auto part) {
    return std::any_of(layers.begin(), layers.end(),
                       [&](const LayerStatistics& l) { return (l.*part).has_value(); });
  };
  const auto of_load = [&](double LoadSkew::*field) {
    return mean([&](const LayerStatistics& l) { return std::optional<double>(l.load.*field); });
  };
  using L = LayerStatistics;
  L result{.layer = static_cast<std::int32_t>(layers.size()),
           .load = {.max_over_mean = of_load(&LoadSkew::max_over_mean),
                    .cv = of_load(&LoadSkew::cv),
                    .gini = of_load(&LoadSkew::gini),
                    .sigma_ln = of_load(&LoadSkew::sigma_ln),
                    .between_groups = of_load(&LoadSkew::between_groups),
                    .unused = of_load(&LoadSkew::unused)},
           .pairs = {},
           .next = {},
           .adjacent = {}};
  if (has(&L::pairs)) {
    using P = PairStatistics;
    result.pairs = P{of(&L::pairs, &P::top_share), of(&L::pairs, &P::top_share_independent),
                     of(&L::pairs, &P::total_variation)};
  }
  if (has(&L::next)) {
    using N = NextLayerStatistics;
    result.next = N{of(&L::next, &N::hit_rate), of(&L::next, &N::hit_rate_chance),
                    of(&L::next, &N::mutual_information_bits)};
  }
  if (has(&L::adjacent)) {
    using A = AdjacentOverlap;
    result.adjacent = A{of(&L::adjacent, &A::overlap), of(&L::adjacent, &A::independent)};
  }
  return result;
}

}  // namespace moesim::routing
