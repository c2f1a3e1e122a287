// Published measurements beside the predictions of the model.
//
// Every row that can be planned becomes a scenario; equal scenarios run once; relative rows
// ("speedup_...") are ratios of the predictions of other rows. What fails is listed with its
// reason: nothing is dropped.
// Layer: validation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "catalog/prediction_error.h"
#include "scenario/published_row.h"
#include "sweep/parallel_runs.h"
#include "validation/replay.h"
#include "validation/row_scenario.h"
#include "validation/statistics.h"

namespace moesim::validation {

enum class Outcome {
  Scored,
  Refused,  ///< The model does not run what was measured: a miss without a number.
  LeftOut,  ///< Outside of what is modelled, or not fully published.
};

struct RowResult {
  scenario::PublishedRow row;
  Outcome outcome = Outcome::LeftOut;
  std::string reason;  ///< Of Refused and LeftOut.
  double predicted = 0;
  bool relative = false;  ///< A ratio of two runs.
  bool derived = false;   ///< Computed from other rows by who collected them.
  std::vector<std::string> assumed;
  catalog::Situation situation;             ///< Of a run.
  std::optional<catalog::Figure> figure{};  ///< A mean or median that intervals are given for.
  [[nodiscard]] double error() const { return predicted / *row.value - 1.0; }
};

struct FamilySummary {
  std::string family;
  std::string metric;  ///< "" of the whole family.
  ErrorFigures error;
  std::optional<double> kendall;
  std::int64_t refused = 0;
  std::int64_t left_out = 0;
  // Relative effects.
  std::int64_t relative = 0;
  std::int64_t same_sign = 0;
  std::int64_t within_fifth = 0;
};

struct Validation {
  std::vector<RowResult> rows;  ///< By family in the order of the input, largest error first.
  std::vector<FamilySummary> families;
  FamilySummary all;
  std::vector<Replay> replays;
  std::int64_t runs = 0;
  std::vector<std::string> notes;
};

/// Rows of `family` alone; "": all. Relative rows may use rows of other families.
[[nodiscard]] Validation validate_rows(const scenario::PublishedRows& rows,
                                       const std::string& family, const catalog::Catalog& catalog,
                                       int jobs, const sweep::CountProgress& progress = {});

/// What intervals of predictions rest on: rows that were published themselves, by number.
[[nodiscard]] std::vector<catalog::ScoredFigure> scored_figures(const Validation& validation);

}  // namespace moesim::validation
