// Fits every curve of a study and measures its error on configurations it has not seen.
//
// Folds: a configuration group belongs to the fold its hash names, so no group is on both sides.
// Coarse folds leave whole families (shapes, node counts) out instead.
// Layer: calibration.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calibration/robust_fit.h"
#include "calibration/study.h"
#include "catalog/curve.h"
#include "core/diagnostics.h"

namespace moesim::calibration {

struct ValidationSettings {
  FitSettings fit;
  int folds = 5;
  /// Rows of one curve the fit looks at; of more, an even sample of this many.
  std::int64_t most_rows = 4000;
};

/// What came of a study. Predictions are in the order of study.samples().
struct FittedStudy {
  std::vector<catalog::Curve> curves;   ///< One per study.curves() that could be fitted.
  std::vector<double> fitted;           ///< Under curves fitted to everything; NaN: none.
  std::vector<double> left_out;         ///< Under curves that have not seen the group; NaN: none.
  std::vector<double> family_left_out;  ///< Under curves that have not seen the family.
  std::vector<Diagnostic> not_fitted;   ///< Curves with too little data: table, curve, reason.
};

/// Runs over all cores; the result does not depend on how many. Throws InputError if a study has no
/// curve that can be fitted: too few rows for its coefficients, or rows that are all equal.
[[nodiscard]] FittedStudy fit_study(const Study& study, const ValidationSettings& settings);

/// Predictions of all samples under the nearest curves of `curves`. NaN where none applies.
/// `estimated`, per curve of the study: not the curve's own measurements' kind.
struct Predictions {
  std::vector<double> predicted;
  std::vector<std::uint8_t> estimated;
};
[[nodiscard]] Predictions predict_study(const Study& study, const catalog::CurveSet& curves);

}  // namespace moesim::calibration
