#include "report/interval.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstddef>
#include <vector>

#include "core/check.h"

namespace moesim::report {

double t_quantile(std::int64_t degrees) {
  MOESIM_CHECK(degrees >= 1, "an interval of one sample");
  return boost::math::quantile(boost::math::students_t(static_cast<double>(degrees)), 0.975);
}

Interval mean_interval(std::span<const double> samples) {
  MOESIM_CHECK(samples.size() >= 2, "an interval of one sample");
  const auto n = static_cast<double>(samples.size());
  // About the first sample, so that equal samples have exactly their own mean and no width.
  double sum = 0;
  for (const double x : samples) sum += x - samples.front();
  const double offset = sum / n;
  double squares = 0;
  for (const double x : samples) {
    const double off = x - samples.front() - offset;
    squares += off * off;
  }
  const double deviation = std::sqrt(squares / (n - 1.0));
  const auto degrees = static_cast<std::int64_t>(samples.size()) - 1;
  return {.mean = samples.front() + offset,
          .half_width = t_quantile(degrees) * deviation / std::sqrt(n)};
}

Interval paired_difference(std::span<const double> first, std::span<const double> other) {
  MOESIM_CHECK(first.size() == other.size(), "pairs that lack a partner");
  std::vector<double> differences;
  differences.reserve(first.size());
  double largest = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    differences.push_back(other[i] - first[i]);
    largest = std::max({largest, std::abs(first[i]), std::abs(other[i])});
  }
  Interval interval = mean_interval(differences);
  const double rounding = 1e-12 * largest;
  if (std::abs(interval.mean) <= rounding) interval.mean = 0;
  if (interval.half_width <= rounding) interval.half_width = 0;
  return interval;
}

}  // namespace moesim::report
