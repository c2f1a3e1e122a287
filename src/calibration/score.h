// How far predictions lie from measurements, per operation, GPU, number format and engine.
//
// Error of a row: |predicted - measured| / measured. Bias: median of predicted / measured, less 1.
// Layer: calibration.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "calibration/study.h"
#include "catalog/curve.h"

namespace moesim::calibration {

struct ErrorSummary {
  std::int64_t rows = 0;
  double median = 0;
  double p90 = 0;
  double bias = 0;
  double low = 1;   ///< 10th percentile of measured / predicted.
  double high = 1;  ///< 90th percentile.
};

/// Summary of pairs; all zero for none. `predicted` that is not positive counts as an error of 1.
[[nodiscard]] ErrorSummary summarize(std::span<const double> measured,
                                     std::span<const double> predicted);

[[nodiscard]] catalog::ErrorBand error_band(const ErrorSummary& summary);

/// One line of a score. Empty parts: all of them.
struct ScoreLine {
  std::string label;
  std::string gpu;
  std::string dtype;
  std::string engine;
  bool estimate = false;  ///< Of another GPU's, format's or engine's curve.
  ErrorSummary error;
};

struct Score {
  std::vector<ScoreLine> pooled;  ///< One line per label, over everything.
  std::vector<ScoreLine> lines;   ///< Per label, GPU, dtype and engine, largest median first.
};

/// Adds the lines of one study. `predicted` is in the order of study.samples(); NaN: no curve, the
/// row is not scored. `estimated`: per curve of the study.
void add_scores(const Study& study, std::span<const double> predicted,
                std::span<const std::uint8_t> estimated, Score& score);

}  // namespace moesim::calibration
