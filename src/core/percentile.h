// Percentiles of finite samples by nearest rank, the inverse of the empirical distribution.
//
// Formula: the p-th percentile of n sorted values is the one of rank max(1, ceil(p / 100 * n)).
// Source:  Hyndman, Fan, "Sample quantiles in statistical packages", 1996, definition 1.
// Omits:   interpolation: every answer is a value that occurred.
// The rank is found in integers from the percent rounded to 10^-6, so p = 7 of 100 values is rank 7
// though 0.07 * 100 is above 7 in floating point.
// Layer: core.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <ranges>

#include "core/check.h"

namespace moesim {

/// Rank (1..count) of the percentile among `count` sorted values. Precondition (checked):
/// count >= 1, 0 <= percent <= 100.
[[nodiscard]] inline std::int64_t percentile_rank(std::int64_t count, double percent) {
  MOESIM_CHECK(count >= 1, "a percentile of no values");
  MOESIM_CHECK(percent >= 0.0 && percent <= 100.0, "a percentile outside 0..100");
  __extension__ using Wide = __int128;
  constexpr std::int64_t kWhole = 100'000'000;  // 100 % in units of 10^-6 %
  const auto part = static_cast<std::int64_t>(percent * 1e6 + 0.5);
  const Wide rank = (static_cast<Wide>(count) * part + (kWhole - 1)) / kWhole;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(rank));
}

/// Percentile of values sorted ascending. O(1). Precondition (checked): not empty.
template <std::ranges::random_access_range Values>
[[nodiscard]] auto percentile(const Values& sorted, double percent) {
  const auto count = static_cast<std::int64_t>(std::ranges::size(sorted));
  return std::ranges::begin(sorted)[percentile_rank(count, percent) - 1];
}

/// Percentile of (value, count) pairs sorted ascending by value; a value counts `count` times
/// (>= 0). O(pairs). Precondition (checked): the counts sum to at least 1.
template <std::ranges::forward_range Pairs>
[[nodiscard]] auto percentile_of_counts(const Pairs& sorted, double percent) {
  std::int64_t total = 0;
  for (const auto& [value, count] : sorted) total += static_cast<std::int64_t>(count);
  std::int64_t rest = percentile_rank(total, percent);
  auto it = std::ranges::begin(sorted);
  for (;; ++it) {
    const auto& [value, count] = *it;
    rest -= static_cast<std::int64_t>(count);
    if (rest <= 0) return value;
  }
}

}  // namespace moesim
