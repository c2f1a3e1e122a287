#include "validation/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "core/check.h"
#include "core/percentile.h"

namespace moesim::validation {
namespace {

double at_percent(std::vector<double> values, double percent) {
  std::sort(values.begin(), values.end());
  return percentile(values, percent);
}

int sign(double x) { return x > 0 ? 1 : (x < 0 ? -1 : 0); }

}  // namespace

ErrorFigures error_figures(std::span<const double> measured, std::span<const double> predicted) {
  MOESIM_CHECK(measured.size() == predicted.size(), "pairs that lack a partner");
  ErrorFigures figures{.rows = static_cast<std::int64_t>(measured.size())};
  if (measured.empty()) return figures;
  std::vector<double> relative;
  std::vector<double> absolute;
  std::vector<double> inverse;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    relative.push_back(predicted[i] / measured[i] - 1.0);
    absolute.push_back(std::abs(relative.back()));
    if (predicted[i] > 0) inverse.push_back(measured[i] / predicted[i]);
  }
  figures.median = at_percent(absolute, 50);
  figures.p90 = at_percent(absolute, 90);
  figures.bias = at_percent(relative, 50);
  if (!inverse.empty()) {
    figures.low = at_percent(inverse, 10);
    figures.high = at_percent(inverse, 90);
  }
  return figures;
}

std::optional<double> kendall_tau(std::span<const double> a, std::span<const double> b) {
  MOESIM_CHECK(a.size() == b.size(), "pairs that lack a partner");
  double balance = 0;
  double untied_a = 0;
  double untied_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = i + 1; j < a.size(); ++j) {
      const int in_a = sign(a[i] - a[j]);
      const int in_b = sign(b[i] - b[j]);
      balance += in_a * in_b;
      untied_a += in_a != 0 ? 1.0 : 0.0;
      untied_b += in_b != 0 ? 1.0 : 0.0;
    }
  }
  if (untied_a == 0.0 || untied_b == 0.0) return std::nullopt;
  return balance / std::sqrt(untied_a * untied_b);
}

double ks_distance(std::span<const double> a, std::span<const double> b) {
  MOESIM_CHECK(!a.empty() && !b.empty(), "the distance of an empty sample");
  std::vector<double> x(a.begin(), a.end());
  std::vector<double> y(b.begin(), b.end());
  std::sort(x.begin(), x.end());
  std::sort(y.begin(), y.end());
  std::size_t i = 0;
  std::size_t j = 0;
  double largest = 0;
  while (i < x.size() && j < y.size()) {
    const double value = std::min(x[i], y[j]);
    while (i < x.size() && x[i] == value) ++i;
    while (j < y.size() && y[j] == value) ++j;
    largest = std::max(largest, std::abs(static_cast<double>(i) / static_cast<double>(x.size()) -
                                         static_cast<double>(j) / static_cast<double>(y.size())));
  }
  return largest;
}

}  // namespace moesim::validation
