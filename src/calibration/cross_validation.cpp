#include "calibration/cross_validation.h"

#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "calibration/score.h"
#include "core/diagnostics.h"
#include "core/random.h"

namespace moesim::calibration {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

using Rows = std::vector<std::int32_t>;

std::vector<double> measured_of(const Study& study, const Rows& rows) {
  std::vector<double> measured;
  measured.reserve(rows.size());
  for (const std::int32_t row : rows) {
    measured.push_back(study.samples()[static_cast<std::size_t>(row)].measured);
  }
  return measured;
}

/// An even sample, chosen by a hash of the row so that no pattern of the table shows through.
Rows thinned(const Rows& rows, std::int64_t most) {
  if (static_cast<std::int64_t>(rows.size()) <= most) return rows;
  std::vector<std::pair<std::uint64_t, std::int32_t>> order;
  order.reserve(rows.size());
  for (const std::int32_t row : rows)
    order.emplace_back(mix64(static_cast<std::uint64_t>(row)), row);
  std::nth_element(order.begin(), order.begin() + most, order.end());
  Rows kept;
  for (std::int64_t i = 0; i < most; ++i) kept.push_back(order[static_cast<std::size_t>(i)].second);
  std::sort(kept.begin(), kept.end());
  return kept;
}

std::vector<double> fit_rows(const Study& study, const Rows& rows,
                             const ValidationSettings& settings) {
  const Rows used = thinned(rows, settings.most_rows);
  const FitResult result = robust_fit(
      study.coefficients(), measured_of(study, used),
      [&](std::span<const double> coefficients, std::span<double> predicted) {
        study.predict(used, coefficients, predicted);
      },
      settings.fit);
  return result.coefficients;
}

void predict_rows(const Study& study, const Rows& rows, const std::vector<double>& coefficients,
                  std::vector<double>& all) {
  if (coefficients.empty() || rows.empty()) return;
  std::vector<double> predicted(rows.size());
  study.predict(rows, coefficients, predicted);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    all[static_cast<std::size_t>(rows[i])] = predicted[i];
  }
}

struct CurveRows {
  Rows rows;
  std::int64_t groups = 0;
  std::string problem;  ///< Why it cannot be fitted; empty if it can.
};

std::vector<CurveRows> rows_of_curves(const Study& study) {
  std::vector<CurveRows> curves(study.curves().size());
  const std::span<const Sample> samples = study.samples();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    curves[static_cast<std::size_t>(samples[i].curve)].rows.push_back(static_cast<std::int32_t>(i));
  }
  const std::size_t needed = study.coefficients().size();
  for (CurveRows& curve : curves) {
    std::vector<std::uint64_t> groups;
    bool equal = true;
    for (const std::int32_t row : curve.rows) {
      const Sample& sample = samples[static_cast<std::size_t>(row)];
      groups.push_back(sample.group);
      const Sample& first = samples[static_cast<std::size_t>(curve.rows.front())];
      equal = equal && sample.measured == first.measured;
    }
    std::sort(groups.begin(), groups.end());
    curve.groups = std::unique(groups.begin(), groups.end()) - groups.begin();
    if (curve.rows.size() < needed) {
      curve.problem = fmt::format("has {} row{}; its {} coefficients need as many",
                                  curve.rows.size(), curve.rows.size() == 1 ? "" : "s", needed);
    } else if (equal) {
      curve.problem = "all its rows measure the same";
    }
  }
  return curves;
}

std::string words(const catalog::CurveKey& key) {
  std::string text = key.operation + " " + key.gpu;
  for (const std::string& part : {key.dtype, key.engine, key.variant}) {
    if (!part.empty()) text += " " + part;
  }
  return text;
}

/// Fits without each fold in turn and predicts what was left out.
void leave_folds_out(const Study& study, const Rows& rows, const ValidationSettings& settings,
                     std::uint64_t Sample::*group, std::vector<double>& predictions) {
  const auto folds = static_cast<std::uint64_t>(settings.folds);
  for (std::uint64_t fold = 0; fold < folds; ++fold) {
    Rows seen;
    Rows unseen;
    for (const std::int32_t row : rows) {
      const std::uint64_t hash = study.samples()[static_cast<std::size_t>(row)].*group;
      (mix64(hash) % folds == fold ? unseen : seen).push_back(row);
    }
    if (unseen.empty() || seen.size() < study.coefficients().size()) continue;
    predict_rows(study, unseen, fit_rows(study, seen, settings), predictions);
  }
}

ErrorSummary summary_of(const Study& study, const Rows& rows, const std::vector<double>& all) {
  std::vector<double> measured;
  std::vector<double> predicted;
  for (const std::int32_t row : rows) {
    const auto i = static_cast<std::size_t>(row);
    if (std::isnan(all[i])) continue;
    measured.push_back(study.samples()[i].measured);
    predicted.push_back(all[i]);
  }
  return summarize(measured, predicted);
}

/// Error of curve `from` on the measurements of other GPUs of the same kind.
std::optional<catalog::ErrorBand> transferred(const Study& study,
                                              const std::vector<CurveRows>& rows, std::size_t from,
                                              const std::vector<double>& coefficients) {
  std::vector<double> all(study.samples().size(), kNone);
  const std::vector<double> taken = operators::carried(coefficients, study.coefficients());
  Rows others;
  const catalog::CurveKey& own = study.curves()[from];
  for (std::size_t other = 0; other < rows.size(); ++other) {
    const catalog::CurveKey& key = study.curves()[other];
    if (key.gpu == own.gpu || key.dtype != own.dtype || key.engine != own.engine ||
        key.variant != own.variant) {
      continue;
    }
    predict_rows(study, rows[other].rows, taken, all);
    others.insert(others.end(), rows[other].rows.begin(), rows[other].rows.end());
  }
  if (others.empty()) return std::nullopt;
  return error_band(summary_of(study, others, all));
}

}  // namespace

FittedStudy fit_study(const Study& study, const ValidationSettings& settings) {
  const std::vector<CurveRows> rows = rows_of_curves(study);
  const std::size_t samples = study.samples().size();
  FittedStudy result{.curves = {},
                     .fitted = std::vector<double>(samples, kNone),
                     .left_out = std::vector<double>(samples, kNone),
                     .family_left_out = std::vector<double>(samples, kNone),
                     .not_fitted = {}};
  std::vector<catalog::Curve> curves(rows.size());
  tbb::parallel_for(std::size_t{0}, rows.size(), [&](std::size_t c) {
    if (!rows[c].problem.empty()) return;
    const std::vector<double> values = fit_rows(study, rows[c].rows, settings);
    if (values.empty()) return;
    predict_rows(study, rows[c].rows, values, result.fitted);
    leave_folds_out(study, rows[c].rows, settings, &Sample::group, result.left_out);
    const std::int32_t first = rows[c].rows.front();
    if (study.samples()[static_cast<std::size_t>(first)].family != 0) {
      leave_folds_out(study, rows[c].rows, settings, &Sample::family, result.family_left_out);
    }
    catalog::Curve& curve = curves[c];
    curve.key = study.curves()[c];
    for (std::size_t i = 0; i < values.size(); ++i) {
      curve.coefficients.push_back({std::string(study.coefficients()[i].name), values[i]});
    }
    curve.rows = static_cast<std::int64_t>(rows[c].rows.size());
    curve.groups = rows[c].groups;
    // A curve of a single group cannot be cross-validated: its error of fit must do.
    const ErrorSummary unseen = summary_of(study, rows[c].rows, result.left_out);
    curve.cross_validated =
        error_band(unseen.rows > 0 ? unseen : summary_of(study, rows[c].rows, result.fitted));
    curve.transferred = transferred(study, rows, c, values);
  });
  for (std::size_t c = 0; c < rows.size(); ++c) {
    if (!curves[c].coefficients.empty()) {
      result.curves.push_back(std::move(curves[c]));
    } else {
      result.not_fitted.push_back({.file = study.file_of(static_cast<std::int32_t>(c)),
                                   .field = words(study.curves()[c]),
                                   .message = rows[c].problem.empty()
                                                  ? "no coefficients within their bounds fit"
                                                  : rows[c].problem,
                                   .hint = "give measurements of more configurations"});
    }
  }
  if (result.curves.empty() && !result.not_fitted.empty()) throw InputError(result.not_fitted);
  return result;
}

Predictions predict_study(const Study& study, const catalog::CurveSet& curves) {
  const std::vector<CurveRows> rows = rows_of_curves(study);
  Predictions result{.predicted = std::vector<double>(study.samples().size(), kNone),
                     .estimated = std::vector<std::uint8_t>(rows.size(), 0)};
  tbb::parallel_for(std::size_t{0}, rows.size(), [&](std::size_t c) {
    const catalog::CurveKey& key = study.curves()[c];
    const std::string_view dtype = key.dtype;
    const auto match = curves.find(key.operation, study.gpu_of(static_cast<std::int32_t>(c)),
                                   dtype.empty() ? std::span<const std::string_view>()
                                                 : std::span<const std::string_view>(&dtype, 1),
                                   key.engine, key.variant);
    if (!match) return;
    result.estimated[c] = match->estimate || match->curve->key.variant != key.variant ? 1 : 0;
    predict_rows(study, rows[c].rows,
                 operators::values_for(study.gpu_of(static_cast<std::int32_t>(c)), *match,
                                       study.coefficients()),
                 result.predicted);
  });
  return result;
}

}  // namespace moesim::calibration
