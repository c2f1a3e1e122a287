#include "calibration/score.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "core/percentile.h"

namespace moesim::calibration {
namespace {

struct Pairs {
  std::vector<double> measured;
  std::vector<double> predicted;
  bool estimate = false;
};

constexpr double kTenth = 10.0;
constexpr double kNinety = 90.0;

}  // namespace

ErrorSummary summarize(std::span<const double> measured, std::span<const double> predicted) {
  ErrorSummary summary{.rows = static_cast<std::int64_t>(measured.size())};
  if (measured.empty()) return summary;
  std::vector<double> errors;
  std::vector<double> ratios;
  std::vector<double> inverse;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    const bool good = predicted[i] > 0.0 && std::isfinite(predicted[i]);
    errors.push_back(good ? std::abs(predicted[i] - measured[i]) / measured[i] : 1.0);
    ratios.push_back(good ? predicted[i] / measured[i] : 0.0);
    if (good) inverse.push_back(measured[i] / predicted[i]);
  }
  std::sort(errors.begin(), errors.end());
  std::sort(ratios.begin(), ratios.end());
  std::sort(inverse.begin(), inverse.end());
  summary.median = percentile(errors, 50.0);
  summary.p90 = percentile(errors, kNinety);
  summary.bias = percentile(ratios, 50.0) - 1.0;
  if (!inverse.empty()) {
    summary.low = percentile(inverse, kTenth);
    summary.high = percentile(inverse, kNinety);
  }
  return summary;
}

catalog::ErrorBand error_band(const ErrorSummary& summary) {
  return {.median = summary.median, .p90 = summary.p90, .low = summary.low, .high = summary.high};
}

void add_scores(const Study& study, std::span<const double> predicted,
                std::span<const std::uint8_t> estimated, Score& score) {
  using Key = std::tuple<std::int32_t, std::string, std::string, std::string>;
  std::map<Key, Pairs> groups;
  std::vector<Pairs> pools(study.labels().size());
  for (std::size_t i = 0; i < study.samples().size(); ++i) {
    if (std::isnan(predicted[i])) continue;
    const Sample& sample = study.samples()[i];
    const auto curve = static_cast<std::size_t>(sample.curve);
    const catalog::CurveKey& key = study.curves()[curve];
    Pairs& pairs = groups[{sample.label, key.gpu, key.dtype, key.engine}];
    for (Pairs* each : {&pairs, &pools[static_cast<std::size_t>(sample.label)]}) {
      each->measured.push_back(sample.measured);
      each->predicted.push_back(predicted[i]);
      each->estimate = each->estimate || estimated[curve] != 0;
    }
  }
  for (std::size_t label = 0; label < pools.size(); ++label) {
    if (pools[label].measured.empty()) continue;
    score.pooled.push_back({.label = std::string(study.labels()[label]),
                            .gpu = {},
                            .dtype = {},
                            .engine = {},
                            .estimate = pools[label].estimate,
                            .error = summarize(pools[label].measured, pools[label].predicted)});
  }
  for (const Derived& derived : study.derived(predicted)) {
    if (derived.measured.empty()) continue;
    score.pooled.push_back({.label = derived.label,
                            .gpu = {},
                            .dtype = {},
                            .engine = {},
                            .error = summarize(derived.measured, derived.predicted)});
  }
  const auto first = static_cast<std::ptrdiff_t>(score.lines.size());
  for (const auto& [key, pairs] : groups) {
    const auto& [label, gpu, dtype, engine] = key;
    score.lines.push_back({.label = std::string(study.labels()[static_cast<std::size_t>(label)]),
                           .gpu = gpu,
                           .dtype = dtype,
                           .engine = engine,
                           .estimate = pairs.estimate,
                           .error = summarize(pairs.measured, pairs.predicted)});
  }
  std::stable_sort(score.lines.begin() + first, score.lines.end(),
                   [](const ScoreLine& a, const ScoreLine& b) {
                     if (a.label != b.label) return a.label < b.label;
                     return a.error.median > b.error.median;
                   });
}

}  // namespace moesim::calibration
